"""How every page looks: in both themes and at phone width, and to axe-core."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD
from tests.process import ROOT, Server

pytestmark = pytest.mark.whole

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "has_touch": True},
}
PAGES = {
    "overview": "/console",
    "inventory": "/console/inventory",
    "tester": "/console/tester?example=Checkout",
    "deliveries": "/console/deliveries",
    "delivery": "",
    "message": "",
    "redrive": "/console/redrive?reason=currency",
    "mappings": "/console/mappings",
    "revenue": "/console/revenue",
    "pinterest": "/console/pinterest",
    "activity": "/console/activity",
    "quarantine": "/console/quarantine",
    "tail": "/console/tail",
    "versions": "/console/versions?file=presets/checkout.yaml",
}
#: The presets but for the first three: the same template, of which axe-core would read thousands of cells.
ALIKE = ".preset:nth-of-type(n + 4)"
#: Screenshots for people; the other pages are only checked.
SHOWN = {
    *(
        (name, "light")
        for name in ("overview", "inventory", "tester", "deliveries", "delivery", "mappings", "revenue", "empty")
    ),
    *((name, look) for name in ("overview", "tester") for look in ("dark", "phone")),
}


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(page: Page, *, without: str = "") -> None:
    """Nothing runs out of the page sideways, and axe-core finds no serious violation; it passes over `without`."""
    expect(page.locator("main")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.evaluate(AXE.read_text(encoding="utf-8"))
    run = (
        "(without) => axe.run({exclude: without}, {resultTypes: ['violations']}).then((results) => results.violations)"
    )
    found = page.evaluate(run, [without] if without else [])
    serious = [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert serious == []


def keep(page: Page, folder: Path, name: str, look: str) -> None:
    if (name, look) in SHOWN:
        page.screenshot(path=folder / f"{name}-{look}.png", full_page=name == "overview" and look != "phone")


@pytest.mark.parametrize("name", PAGES)
def test_a_busy_page(name: str, look: str, busy: Server, open_page: Callable[..., Page], screenshots: Path) -> None:
    page = open_page(busy.url + (PAGES[name] or "/console/deliveries?state=dead"), **LOOKS[look])
    if not PAGES[name]:  # a dead delivery and its message are found by the list
        page.locator(f'tbody a[href*="/console/{name}?"]').first.click()
    check(page)
    keep(page, screenshots, name, look)


@pytest.mark.parametrize("path", ["/console", "/console/deliveries", "/console/message?id=unknown", "/console/redrive"])
def test_a_page_explains_itself_while_empty(
    path: str, look: str, fresh: Server, open_page: Callable[..., Page], screenshots: Path
) -> None:
    page = open_page(fresh.url + path, **LOOKS[look])
    check(page)
    if path == "/console":
        expect(page.get_by_role("heading", name="Send the first event")).to_be_visible()
        keep(page, screenshots, "empty", look)


def test_logging_in(look: str, locked: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{locked.url}/console/mappings", **LOOKS[look])
    check(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{locked.url}/console/mappings")
    expect(page.get_by_role("heading", name="Mappings")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_what_stands_open_is_looked_at_too(look: str, busy: Server, open_page: Callable[..., Page]) -> None:
    for path in ("/console", "/console/tester", "/console/mappings"):
        page = open_page(busy.url + path, **LOOKS[look])
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        check(page, without=ALIKE)
