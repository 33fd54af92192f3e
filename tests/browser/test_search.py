"""Finding events in a real browser: an order in one step, a count and what is behind it, a person by digest."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_look import check
from tests.process import PLAIN, Server

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]


def order(server: Server) -> str:
    """Send an order of one's own; return its id."""
    order_id = f"SO-{time.time_ns()}"
    event = {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"message of {order_id}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"order_id": order_id, "total": 12.5, "currency": "EUR"},
        "context": {"traits": {"email": f"buyer-{order_id}@shop.example"}},
    }
    httpx.post(f"{server.url}/webhook", json=event, **PLAIN).raise_for_status()
    return order_id


def test_an_order_is_found_by_its_id_in_one_step_from_any_page(busy: Server, open_page: OpenPage) -> None:
    order_id = order(busy)
    page = open_page(f"{busy.url}/console/mappings")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(order_id)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"order/{order_id}$"))
    expect(page.locator("main")).to_contain_text(f"Order {order_id}, 12.50 EUR, ")
    check(page)


def test_a_slash_that_is_typed_into_a_field_stays_there(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries")
    page.get_by_text("+ filter").click()
    page.get_by_label("Reason contains").press("/")
    expect(page.get_by_label("Reason contains")).to_have_value("/")


def test_a_person_is_found_and_stands_in_no_address_and_on_no_page(busy: Server, open_page: OpenPage) -> None:
    order_id = order(busy)
    email = f"buyer-{order_id}@shop.example"
    page = open_page(f"{busy.url}/console")
    page.get_by_role("searchbox").fill(email)
    page.get_by_role("button", name="Find").click()
    expect(page.locator("main")).to_contain_text("Pinrelay searched for the digest of your text")
    assert "@" not in page.url
    assert email.lower() not in page.content().lower()


def test_a_count_of_the_overview_leads_to_as_many_events(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console?period=week")
    count = page.locator('#part-backlog a[data-count][href*="state=dead"]')
    expected = int(count.get_attribute("data-count") or "")
    count.click()
    listed = 0
    while True:
        listed += page.get_by_role("region", name="Deliveries").locator("tbody tr").count()
        older = page.get_by_role("link", name="Older")
        if not older.count():
            break
        older.click()
    assert listed == expected > 0


@pytest.mark.parametrize(
    "path",
    [
        "deliveries?state=dead",
        "deliveries?outcome=invalid",
        "deliveries?order_id=SO-0",
        "deliveries?since=2026-01-01&source=default",
        "deliveries/dismiss?reason=currency",
    ],
)
def test_lists_causes_and_what_is_asked_before_a_dismissal_look_well(
    path: str, busy: Server, open_page: OpenPage
) -> None:
    check(open_page(f"{busy.url}/console/{path}"))


def test_a_dead_letter_is_dismissed_by_its_cause(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries?state=dead")
    causes = page.get_by_role("region", name="Causes of dead letters")
    before = causes.locator("tbody tr").count()
    causes.get_by_role("link", name="Dismiss…").first.click()
    page.get_by_role("textbox", name="Reason", exact=True).fill("sent by hand")
    page.get_by_role("button", name=re.compile(r"^Dismiss [\d,]+$")).click()
    expect(page.get_by_role("status")).to_contain_text("dismissed.")
    page.goto(f"{busy.url}/console/deliveries?state=dead")
    expect(causes.locator("tbody tr")).to_have_count(before - 1) if before > 1 else expect(causes).to_have_count(0)
    page.goto(f"{busy.url}/console/activity")
    expect(page.locator("tbody tr").first).to_contain_text("sent by hand")
