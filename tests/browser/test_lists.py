"""Lists in a real browser: chips of filters, columns that sort, rows that group and open beside, and keys."""

import csv
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_look import check
from tests.process import Server

pytestmark = pytest.mark.whole

OpenPage = Callable[..., Page]


def cells(rows: Locator, column: int) -> list[str]:
    return rows.locator(f"td:nth-child({column})").all_inner_texts()


def test_a_filter_applies_as_it_changes_and_its_chip_takes_it_off(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries")
    page.get_by_text("+ filter").click()
    check(page)
    page.set_viewport_size({"width": 1_280, "height": 800})
    page.get_by_label("Where it stands").select_option("dead")
    expect(page).to_have_url(re.compile(r"/deliveries\?state=dead$"))
    chips = page.locator(".chip")
    expect(chips).to_have_text(re.compile("state: dead"))
    expect(page.get_by_role("region", name="Deliveries").locator("tbody .badge.delivered")).to_have_count(0)
    chips.get_by_role("link", name="Remove state").click()
    expect(page).to_have_url(re.compile(r"/deliveries\??$"))
    expect(chips).to_have_count(0)


def test_the_store_sorts_a_list_and_a_group_of_its_page_leads_to_all_of_it(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries?period=week")
    region = page.get_by_role("region", name="Deliveries")
    received = region.get_by_role("columnheader", name="Received")
    expect(received).to_have_attribute("aria-sort", "descending")
    expect(region.locator("thead button")).to_have_count(0)
    received.get_by_role("link").click()
    expect(received).to_have_attribute("aria-sort", "ascending")
    times = [each.get_attribute("datetime") or "" for each in region.locator("td:first-child time").all()]
    assert times == sorted(times)
    rows = region.locator("tbody tr[data-open]")
    listed = cells(rows, 4)
    page.get_by_label("Group this page by").first.select_option(label="preset")
    heads = region.locator("tr.group")
    counts = [int(number) for number in heads.locator("strong").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == len(listed)
    assert len(counts) == len(set(cells(rows, 3)))
    check(page)
    of_all = heads.first.get_by_role("link", name="all of them")
    name = rows.first.locator("td:nth-child(3)").inner_text()
    of_all.click()
    expect(page.locator(".chip")).to_have_text(re.compile(f"preset: {name}"))
    assert set(cells(rows, 3)) == {name}


def test_a_page_groups_by_hour(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries?period=week")
    region = page.get_by_role("region", name="Deliveries")
    rows = region.locator("tbody tr[data-open]")
    listed = rows.count()
    page.get_by_label("Group this page by").first.select_option(label="hour")
    heads = region.locator("tr.group")
    expect(heads.first).to_contain_text(":00")
    assert sum(map(int, heads.locator("strong").all_inner_texts())) == listed
    hours = {(each.get_attribute("datetime") or "")[:13] for each in rows.locator("td:first-child time").all()}
    assert heads.count() == len(hours)
    heads.first.get_by_role("link", name="all of them").click()
    expect(page).to_have_url(re.compile("since=.*until="))
    times = rows.locator("td:first-child time").all()
    assert len({(each.get_attribute("datetime") or "")[:13] for each in times}) == 1


def test_the_inventory_sorts_by_its_counts(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/inventory")
    page.get_by_role("button", name="Last seen").click()
    page.get_by_role("button", name="Received", exact=True).click()
    counts = [int(text.split()[0].replace(",", "")) for text in cells(page.locator("tr[data-open]"), 2)]
    assert counts == sorted(counts, reverse=True)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="The row that is open")).to_contain_text("By day")


def test_a_row_opens_beside_the_list_by_keys(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries?state=dead", viewport={"width": 1_440, "height": 900})
    rows = page.locator("tr[data-open]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    beside = page.get_by_role("complementary", name="The row that is open")
    expect(beside).to_contain_text("Attempts and answers")
    expect(rows.first).to_have_class("open")
    assert page.url.endswith("/deliveries?state=dead")
    page.keyboard.press("Escape")
    expect(beside).to_have_count(0)
    rows.nth(1).locator("td:nth-child(2)").click()
    expect(beside).to_contain_text("Facts")
    beside.get_by_role("button", name="Close").click()
    expect(beside).to_have_count(0)
    rows.nth(1).get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/delivery"))


def test_a_phone_opens_the_page_of_a_row(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries?state=dead", viewport={"width": 390, "height": 844})
    page.locator("tr[data-open]").first.locator("td:nth-child(2)").click()
    expect(page).to_have_url(re.compile("/delivery"))


def test_an_id_is_copied_by_a_click(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries", permissions=["clipboard-read", "clipboard-write"])
    row = page.locator("tr[data-open]").first
    row.hover()
    copy = row.get_by_role("button", name="Copy")
    copy.click()
    expect(copy).to_have_class(re.compile("done"))
    assert page.evaluate("navigator.clipboard.readText()") == copy.get_attribute("data-text")


def test_what_a_list_cuts_short_is_read_under_the_pointer(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries", viewport={"width": 1_000, "height": 800})
    cut = page.locator("td.cut", has_text="Order Completed").first
    cut.hover()
    expect(cut).to_have_attribute("title", "Order Completed")
    whole = page.locator("td.cut:empty").first
    whole.hover()
    expect(whole).not_to_have_attribute("title", re.compile(""))


def test_a_key_leads_to_every_page_and_to_the_search(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/deliveries")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog")
    page.keyboard.type("activ")
    expect(palette.get_by_role("option").first).to_have_text("Activity")
    expect(palette.get_by_role("option").last).to_have_text("Find “activ”")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/activity"))
    page.keyboard.press("Control+k")
    page.keyboard.type("SO-1-1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/order/SO-1-1"))


@pytest.mark.parametrize(
    ("typed", "offered", "leads_to"),
    [
        ("sign up", "Sign Up Preset", "/console/preset?name=Sign+Up"),
        ("order comp", "Order Completed Event", "/console/inventory/name?"),
        ("default", "default Source", "/console/inventory?from=default"),
    ],
)
def test_a_key_leads_to_presets_events_and_sources(
    typed: str, offered: str, leads_to: str, busy: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{busy.url}/console/revenue")
    page.keyboard.press("Control+k")
    page.keyboard.type(typed)
    page.get_by_role("dialog").get_by_role("option", name=offered, exact=True).first.click()
    expect(page).to_have_url(re.compile(re.escape(leads_to)))


def test_a_setting_is_found_and_a_question_mark_lists_the_keys(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/revenue")
    page.keyboard.press("Control+k")
    page.keyboard.type("remember_da")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text("REMEMBER_DAYS Setting")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Next, previous row")
    check(page)
    page.get_by_role("dialog", name="Keys").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_a_whole_list_is_exported_as_csv(busy: Server, open_page: OpenPage) -> None:
    page = open_page(f"{busy.url}/console/inventory")
    with page.expect_download() as awaited:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(awaited.value.path().read_text(encoding="utf-8").splitlines()))
    table = page.locator("table.inventory")
    assert awaited.value.suggested_filename == "inventory.csv"
    assert len(rows) == 1 + table.locator("tbody tr").count()
    assert {len(row) for row in rows} == {table.locator("thead th").count()}
    place = next(place for place, head in enumerate(rows[0]) if head.startswith("Received"))
    assert all(row[place].split()[0].isdecimal() for row in rows[1:])
