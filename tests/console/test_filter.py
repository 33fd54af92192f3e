"""The filter at the head of every page: carried by addresses, kept from page to page, obeyed or told."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.console.filter import COMPARISONS, PERIODS, PageFilter, Period
from app.core.events import CounterRow, EventKey, InventoryCount, Measure
from app.core.pages import AccountView
from app.core.values.times import DAY_S, HOUR_S
from tests.console.world import ACCOUNT, NOW, World, new_delivery, open_world
from tests.rows import every_row

US, FR = (AccountView(ad_account_id=which, name=name, live=True) for which, name in ((ACCOUNT, "US"), ("2", "FR")))
EVERY = f"account={ACCOUNT}&from=shop&period=week&against=day"
PAGES = (
    "",
    "/inventory",
    "/tester",
    "/deliveries",
    "/people",
    "/mappings",
    "/quarantine",
    "/activity",
    "/deliveries/redrive",
)


@pytest.fixture
async def shops(tmp_path: Path) -> AsyncIterator[World]:
    """A console of two ad accounts and two sources."""
    async with open_world(tmp_path, accounts=(US, FR), sources={"shop": None}) as world:
        yield world


@pytest.mark.parametrize("path", PAGES)
async def test_every_link_and_form_of_a_page_carries_the_filter(path: str, shops: World) -> None:
    page = await shops.page(f"/console{path}?{EVERY}")
    links = re.findall(r'(?:href|action)="(/console[^"]*)"', page)
    inside = [link for link in links if "/static/" not in link and not link.endswith("/logout")]
    assert len(inside) > 8
    assert [link for link in inside if not all(part in link for part in EVERY.split("&"))] == []
    form = page.partition('id="chosen"')[2].partition("</form>")[0]
    for name, value in (("account", ACCOUNT), ("from", "shop"), ("period", "week"), ("against", "day")):
        if not form:  # the page uses no filter
            continue
        control = form.partition(f'name="{name}"')[2].partition("</select>")[0]
        marked = (f'value="{value}" selected', f"<option selected>{value}<", f'name="{name}" value="{value}" checked')
        assert control.startswith(f' value="{value}">') or any(each in form for each in marked), name


async def test_a_page_without_a_filter_has_short_addresses(shops: World) -> None:
    assert 'href="/console/deliveries"' in await shops.page("/console")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("account=7", f"the ad account (<code>account</code> in the address) must be one of: {ACCOUNT}, 2."),
        ("from=mill", "the source (<code>from</code> in the address) must be one of: default, shop."),
        (
            "period=fortnight",
            "the period (<code>period</code> in the address) must be one of: hour, today, yesterday, day, week, month.",
        ),
        ("against=year", "the comparison (<code>against</code> in the address) must be one of: before, day, week."),
    ],
)
async def test_what_there_is_not_is_an_error_that_names_the_place(
    query: str, said: str, path: str, shops: World
) -> None:
    assert said in await shops.page(f"/console{path}?{query}", status=400)


async def test_a_source_that_is_gone_may_be_chosen_while_its_events_are_known(shops: World) -> None:
    count = InventoryCount(EventKey("mill", "track", "Ground"), Measure.RECEIVED, "", 3)
    await shops.outbox.inventory.add([count], now=NOW, max_names=9)
    assert "<option selected>mill</option>" in await shops.page("/console/inventory?from=mill")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", ""),
        ("/inventory", "This page ignores the ad account and comparison of the filter."),
        ("/deliveries", "This page ignores the comparison of the filter."),
        ("/deliveries?state=dead", "This page ignores the period and comparison of the filter."),
        ("/deliveries?order_id=7", "This page ignores the ad account, source, period and comparison of the filter."),
        ("/quarantine", "This page ignores the ad account, period and comparison of the filter."),
        ("/mappings", "This page ignores the ad account, source, period and comparison of the filter."),
    ],
)
async def test_what_a_page_does_not_obey_it_says(path: str, said: str, shops: World) -> None:
    page = await shops.page(f"/console{path}{'&' if '?' in path else '?'}{EVERY}")
    assert said in page
    assert said or "This page ignores" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"m-1", "m-2", "m-3"}),
        ("account=2", {"m-2"}),
        ("from=shop", {"m-1"}),
        ("source=shop", {"m-1"}),
        (f"ad_account_id={ACCOUNT}", {"m-1", "m-3"}),
        ("ad_account_id=none", set()),
        ("account=2&from=shop", set()),
        ("period=hour", {"m-3"}),
        ("period=yesterday", {"m-1", "m-2"}),
        ("period=hour&since=2026-01-01", {"m-1", "m-2", "m-3"}),
        ("period=hour&state=pending", {"m-1", "m-2", "m-3"}),
        ("account=2&period=hour&order_id=order-m-1", {"m-1"}),
        ("order_id=order-m-1&source=default", set()),
    ],
)
async def test_deliveries_are_narrowed_by_it(query: str, found: set[str], shops: World) -> None:
    shops.now = NOW - DAY_S
    await shops.enqueue(new_delivery("m-1", source="shop"), new_delivery("m-2", ad_account_id="2"))
    shops.now = NOW
    await shops.enqueue(new_delivery("m-3"))
    page = await shops.page(f"/console/deliveries?{query}")
    assert set(re.findall(r"message\?id=(m-\d)[\"&]", page)) == found


async def test_what_is_done_from_a_page_leads_to_one_with_the_same_filter(shops: World) -> None:
    await shops.enqueue(new_delivery("m-1"))
    answer = await shops.browser.post(f"/console/find?{EVERY}", data={"text": "m-1"})
    assert answer.headers["location"].startswith(f"/console/deliveries?{EVERY}")


async def test_an_overview_of_one_source_shows_nothing_of_another(shops: World) -> None:
    counts = [
        CounterRow(name="accepted", source=source, count=count) for source, count in (("shop", 5), ("default", 70))
    ]
    taken = [
        CounterRow(name=name, preset="Checkout", ad_account_id="1", source="shop", count=5)
        for name in ("matched", "enqueued")
    ]
    await shops.enqueue(counters=[*counts, *taken])
    whole, page = await shops.page("/console"), await shops.page("/console?from=shop")
    assert '<h3>Received <span class="n">75</span></h3>' in whole
    for title in ("Received", "Made by presets", "Where they are now"):
        assert f'<h3>{title} <span class="n">5</span></h3>' in page
    assert "Nothing needs you." in page


def period(name: str) -> Period:
    return next(each for each in PERIODS if each.name == name)


@every_row("each", PERIODS, ids=lambda each: each.name)
def test_a_period_is_as_long_as_it_says_and_ends_now_or_with_its_day(each: Period) -> None:
    starts = each.starts(NOW)
    assert len(starts) * each.step_s == each.length_s
    assert (each.until(NOW) is None) == (starts[-1] + each.step_s > NOW)
    assert each.complete_until(NOW) <= NOW
    if each.days_back is None:
        assert starts[-1] <= NOW < starts[-1] + each.step_s
    else:
        assert starts[0] == (NOW // DAY_S - each.days_back) * DAY_S


@pytest.mark.parametrize(
    ("name", "shifts"),
    [
        ("hour", [HOUR_S, DAY_S, None]),
        ("today", [DAY_S, DAY_S, 7 * DAY_S]),
        ("week", [7 * DAY_S, None, 7 * DAY_S]),
        ("month", [30 * DAY_S, None, None]),
    ],
)
def test_a_period_is_not_compared_with_a_part_of_itself_nor_by_the_minute_with_hours(
    name: str, shifts: list[int | None]
) -> None:
    assert [period(name).shift_s(each) for each in COMPARISONS] == shifts


def test_what_a_link_says_itself_stays() -> None:
    chosen = PageFilter(source="a&b", period=period("hour"))
    page = '<a href="/x/console/name?period=day&amp;n=1#top"><a href="/x/consoles"><a href="/x/console">'
    assert chosen.carried(page, "/x/console") == (
        '<a href="/x/console/name?period=day&amp;n=1&amp;from=a%26b#top"><a href="/x/consoles">'
        '<a href="/x/console?from=a%26b&amp;period=hour">'
    )


async def test_a_page_does_not_repeat_personal_data_of_its_address(shops: World) -> None:
    for path in ("/message?id=eve@example.com", "/mappings?x=eve@example.com", "/tester?x=eve%40example.com"):
        assert "eve@example.com" not in await shops.page(f"/console{path}")
