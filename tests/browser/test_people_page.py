"""People of the console in a real browser: looked up and forgotten, in every look."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_look import check
from tests.process import PLAIN, Server, running

pytestmark = pytest.mark.whole

EMAIL = "ada.miller@example.com"


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that remembers people."""
    secret = "a secret of the installation, long"
    with running(tmp_path_factory.mktemp("remembering"), remember_days=90, remember_secret=secret) as server:
        yield server


def test_somebody_is_looked_up_and_forgotten(remembering: Server, open_page: Callable[..., Page]) -> None:
    told: dict[str, Any] = {
        "type": "identify",
        "userId": "ada",
        "anonymousId": "ada's phone",
        "traits": {"email": EMAIL},
    }
    httpx.post(f"{remembering.url}/webhook", json=told, **PLAIN).raise_for_status()
    page = open_page(f"{remembering.url}/console/people", has_touch=True)
    check(page)
    page.locator("#by").select_option("e-mail or phone")
    page.locator("#whom").fill(f" {EMAIL.upper()} ")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_text("2 ids; values are digests")).to_be_visible()
    assert EMAIL not in page.content().lower()
    assert page.url == f"{remembering.url}/console/people"
    check(page)
    page.get_by_role("button", name="Forget this person…").click()
    expect(page.get_by_role("heading", name="Forget this person?")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Forgotten: 2 ids")


def test_a_certificate_prints_on_one_sheet(remembering: Server, open_page: Callable[..., Page]) -> None:
    order = {"order_id": "7", "revenue": 10, "currency": "EUR"}
    told: dict[str, Any] = {
        "type": "track",
        "event": "Order Completed",
        "userId": "eva",
        "messageId": "o",
        "properties": order,
    }
    told["context"] = {"traits": {"email": "eva@example.com"}}
    httpx.post(f"{remembering.url}/webhook", json=told, **PLAIN).raise_for_status()
    page = open_page(f"{remembering.url}/console/people")
    page.locator("#erase-whom").fill("eva")
    page.locator("#reference").fill("T-4711")
    page.get_by_label("Erase everything").check()
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_role("heading", name="Certificate of erasure")).to_be_visible()
    check(page)
    printed = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.emulate_media(media="print")
    expect(page.get_by_text("T-4711")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
