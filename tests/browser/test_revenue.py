"""Revenue over a planted week: what became of the orders adds up, and every figure leads to what is behind it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.test_look import check
from tests.process import Server

pytestmark = pytest.mark.whole


def orders(cell: Locator) -> int:
    found = re.search(r"([\d,]+) orders?", cell.inner_text())
    return int(found[1].replace(",", "")) if found else 0


def test_each_day_adds_up_and_leads_to_its_deliveries(busy: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{busy.url}/console/revenue")
    table = page.get_by_role("region", name="By day, EUR").locator("tbody tr")
    days = [table.nth(place).locator("td") for place in range(table.count())]
    assert len(days) == 7
    without_orders = 0
    for cells in days:
        received, *became = [orders(cells.nth(place)) for place in range(cells.count() - 3)]
        assert received == sum(became)
        without_orders += received == 0
    assert without_orders <= 1  # the day that has just begun
    sent = orders(days[2].nth(1))
    days[2].nth(1).get_by_role("link").click()
    listed = page.get_by_role("region", name="Deliveries").locator("tbody tr")
    expect(listed).to_have_count(sent)
    page.go_back()
    page.get_by_role("link", name="CHF").click()
    expect(page.get_by_role("region", name="By day, CHF")).to_be_visible()


def test_an_amount_that_lost_its_comma_is_one_click_away(busy: Server, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{busy.url}/console/revenue")
    page.get_by_role("note").get_by_role("link", name="19,990.00").click()
    expect(page.get_by_text("SO-2-2")).to_be_visible()
    page.goto(f"{busy.url}/console/revenue")
    page.get_by_role("link", name=re.compile("^Pinterest.s view$")).click()
    expect(page.get_by_role("heading", name=re.compile("^Pinterest.s view$"))).to_be_visible()
    expect(page.get_by_text("the two are never equal")).to_be_visible()


def test_an_order_that_the_shop_has_and_nobody_sent_is_named(busy: Server, open_page: Callable[..., Page]) -> None:
    made = f"{datetime.now(UTC) - timedelta(days=4):%Y-%m-%d %H:%M:%S +0000}"
    head = "Name,Email,Financial Status,Subtotal,Currency,Created at"
    rows = [f"{name},ann@shop.example,paid,19990.00,EUR,{made}" for name in ("SO-2-2", "#990001")]
    page = open_page(f"{busy.url}/console/revenue")
    page.get_by_role("link", name=re.compile("^Compare with the shop")).click()
    upload: FilePayload = {"name": "orders.csv", "mimeType": "text/csv", "buffer": "\n".join([head, *rows]).encode()}
    page.get_by_label(re.compile("^The shop.s export")).set_input_files([upload])
    page.get_by_role("button", name="Compare").click()
    missing = page.get_by_role("row", name=re.compile("^never received"))
    expect(missing.get_by_role("link", name="#990001")).to_be_visible()
    check(page)
    page.get_by_role("link", name="SO-2-2", exact=True).click()
    expect(page.get_by_role("heading", name="Order SO-2-2", exact=True)).to_be_visible()


def test_a_file_whose_columns_are_unknown_stays_chosen_until_they_are_named(busy: Server, chromium: Browser) -> None:
    page = chromium.new_context().new_page()  # Chromium tells the refusal as an error
    page.goto(f"{busy.url}/console/revenue/compare")
    file: FilePayload = {"name": "orders.csv", "mimeType": "text/csv", "buffer": b"number,net\nSO-1,25\n"}
    page.locator("#file").set_input_files(file)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_contain_text("The file has: number, net")
    page.get_by_label("Column of the order id").fill("number")
    page.get_by_label("Column of the amount").fill("net")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#found")).to_contain_text("columns as named: 1 order")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.context.close()
