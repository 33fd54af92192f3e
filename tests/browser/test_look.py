"""How every page looks: in both themes and at phone width, and to axe-core."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import PASSWORD
from tests.process import PLAIN, ROOT, Server

pytestmark = pytest.mark.whole

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1_280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1_280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}
#: Of what axe-core looks for: all else of a page in the dark, or on a phone, was found in the light, which has the same
#: elements with the same attributes. A phone moves them.
ONLY = {
    "dark": ["color-contrast", "link-in-text-block"],
    "phone": ["color-contrast", "link-in-text-block", "scrollable-region-focusable"],
}
PAGES = {
    "overview": "/console",
    "inventory": "/console/inventory",
    "tester": "/console/tester?example=Checkout",
    "deliveries": "/console/deliveries",
    "delivery": "",
    "message": "",
    "redrive": "/console/deliveries/redrive?reason=currency",
    "order": "/console/order/SO-1-1",
    "mappings": "/console/mappings",
    "revenue": "/console/revenue",
    "compare": "/console/revenue/compare",
    "pinterest": "/console/pinterest",
    "quality": "/console/quality",
    "tag check": "/console/tag-check",
    "pixel": "/console/pixel",
    "activity": "/console/activity",
    "quarantine": "/console/quarantine",
    "tail": "/console/tail",
    "versions": "/console/versions?file=presets/checkout.yaml",
}
#: The presets but for the first three: the same template, of which axe-core would read thousands of cells.
ALIKE = ".preset:nth-of-type(n + 4)"
#: Pages that are looked at with all that can stand open.
OPENED = {"overview", "tester", "mappings"}
#: Screenshots for people; the other pages are only checked.
SHOWN = {
    *(
        (name, "light")
        for name in ("overview", "inventory", "tester", "deliveries", "delivery", "mappings", "revenue", "empty")
    ),
    ("pinterest", "light"),
    ("quality", "light"),
    ("order", "light"),
    *((name, look) for name in ("overview", "tester") for look in ("dark", "phone")),
}


def check(page: Page, *, without: str = "", keep: Callable[[str], None] = lambda look: None) -> None:
    """In no look anything runs out of the page sideways, nor does axe-core find a serious violation.

    It passes over `without`. `keep` is called in each look. The page stays as a phone shows it.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    for look in looks(page):
        assert (look, _violations(page, without, ONLY.get(look))) == (look, [])
        keep(look)


def looks(page: Page) -> Iterator[str]:
    """Show the page in each look; nothing of it runs out sideways."""
    expect(page.locator("main")).to_be_visible()
    for look, shown in LOOKS.items():
        page.emulate_media(color_scheme=shown["color_scheme"])
        page.set_viewport_size(shown["viewport"])
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (look, width) == (look, 0)
        yield look


def _violations(page: Page, without: str, only: list[str] | None) -> list[str]:
    run = (
        "([without, only]) => axe.run({exclude: without}, {preload: false, resultTypes: ['violations'],"
        " runOnly: only || axe._audit.rules.filter(({enabled, impact}) => enabled && "
        "['serious', 'critical'].includes(impact)).map(({id}) => id)}).then((results) => results.violations)"
    )
    found = page.evaluate(run, [[without] if without else [], only])
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def keeping(page: Page, folder: Path | None, name: str) -> Callable[[str], None]:
    def keep(look: str) -> None:
        if folder and (name, look) in SHOWN:
            page.screenshot(path=folder / f"{name}-{look}.png", full_page=name == "overview" and look != "phone")

    return keep


@pytest.fixture(scope="module")
def tab(usual: BrowserContext) -> Page:
    """One for all pages: axe-core, which each loads, is compiled once in it."""
    return usual.new_page()


@pytest.mark.parametrize("name", PAGES)
def test_a_busy_page_keeps_to_the_look(
    name: str, busy: Server, open_page: Callable[..., Page], tab: Page, screenshots: Path | None
) -> None:
    page = open_page(busy.url + (PAGES[name] or "/console/deliveries?state=dead"), tab)
    if not PAGES[name]:  # a dead delivery and its message are found by the list
        page.locator(f'tbody a[href*="/console/{name}?"]').first.click()
    keep = keeping(page, screenshots, name)
    if name not in OPENED:
        check(page, keep=keep)
    else:  # axe-core finds all that stands closed once it is open
        for look in looks(page):
            keep(look)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        check(page, without=ALIKE)


@pytest.mark.parametrize(
    "path", ["/console", "/console/deliveries", "/console/message?id=unknown", "/console/deliveries/redrive"]
)
def test_a_page_explains_itself_while_empty(
    path: str, fresh: Server, open_page: Callable[..., Page], tab: Page, screenshots: Path | None
) -> None:
    page = open_page(fresh.url + path, tab)
    check(page, keep=keeping(page, screenshots, "empty" if path == "/console" else ""))
    if path == "/console":
        expect(page.get_by_role("heading", name="Get the first event to Pinterest")).to_be_visible()


def test_the_overview_takes_three_screens_at_most(busy: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{busy.url}/console?period=week", viewport={"width": 1_440, "height": 900})
    expect(page.locator("#part-warnings")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= 3 * 900


def test_logging_in_leads_to_the_page_that_was_asked_for(locked: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{locked.url}/console/mappings", has_touch=True)
    check(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{locked.url}/console/mappings")
    expect(page.get_by_role("heading", name="Presets")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_the_bar_is_one_line_on_a_desk_whichever_page_is_the_current_one(
    locked: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{locked.url}/console")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    entries = page.get_by_role("navigation", name="Pages").get_by_role("link")
    boxes = (
        "(bar) => [...bar.children].map((each) => each.getBoundingClientRect()).map(({top, bottom}) => [top, bottom])"
    )
    for place in range(entries.count()):
        name = entries.nth(place).inner_text()
        entries.nth(place).click()
        expect(entries.nth(place)).to_have_attribute("aria-current", "page")
        tops, bottoms = zip(*page.locator(".bar").evaluate(boxes), strict=True)
        assert (name, max(tops) < min(bottoms)) == (name, True)


def test_a_long_name_breaks_and_leaves_the_other_columns_their_room(
    fresh: Server, open_page: Callable[..., Page]
) -> None:
    long = {"type": "track", "messageId": "long", "event": "y" * 180, "properties": {"order_id": "O" * 100, "total": 1}}
    httpx.post(f"{fresh.url}/webhook", json=long, **PLAIN).raise_for_status()
    page = open_page(f"{fresh.url}/console/deliveries?outcome=unmatched")
    row = page.get_by_role("row", name="yyy")
    expect(row).to_contain_text("OOO")
    assert page.locator(".scroller").evaluate("(each) => each.scrollWidth - each.clientWidth") == 0
