"""How every page looks: in both themes and at phone width, and to axe-core."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PASSWORD
from tests.process import ROOT, Server

pytestmark = pytest.mark.xdist_group("console-look")

AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "has_touch": True},
}
PAGES = {
    "overview": "/console",
    "tester": "/console/tester?example=Checkout",
    "deliveries": "/console/deliveries",
    "delivery": "",
    "message": "",
    "redrive": "/console/redrive?reason=currency",
    "mappings": "/console/mappings",
}
#: Screenshots for people; the other pages are only checked.
SHOWN = {
    *((name, "light") for name in ("overview", "tester", "deliveries", "delivery", "mappings", "empty")),
    *((name, look) for name in ("overview", "tester") for look in ("dark", "phone")),
}


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def address(name: str, server: Server, page: Page) -> str:
    """Find the address of a page; of a dead delivery and its message, by the list."""
    if PAGES[name]:
        return server.url + PAGES[name]
    page.goto(f"{server.url}/console/deliveries?state=dead")
    link = page.locator(f'tbody a[href*="/console/{name}?"]').first.get_attribute("href")
    assert link
    return server.url + link


def check(page: Page) -> None:
    """Nothing runs out of the page sideways, and axe-core finds no serious violation."""
    expect(page.locator("main")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((results) => results.violations)")
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
    page = open_page(f"{busy.url}/console", **LOOKS[look])
    page.goto(address(name, busy, page))
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
        check(page)
