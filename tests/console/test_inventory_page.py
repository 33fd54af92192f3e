"""The inventory: names, what becomes of them, why no preset takes one, and a draft of one that does."""

import re
from html import unescape

import pytest

from app.core.events import EventKey
from app.core.values.times import DAY_S
from tests.console.world import World
from tests.insights.inventory.build import counts_of

ODD = EventKey("default", "track", "checkout")
CHECKOUT = EventKey("shop", "track", "Checkout")


@pytest.fixture
async def arrived(world: World) -> World:
    """A week of checkouts from the shop, and since today the same name in lower case from somewhere else."""
    add = world.outbox.inventory.add
    for back in range(7, -1, -1):
        counts = counts_of(
            CHECKOUT,
            1_000,
            outcomes={"enqueued": 990, "invalid": 10},
            presets={"Checkout": 1_000},
            sampled=40,
            found={"order id": 10},
            properties={"properties.order_id text": 10, "properties.loyalty_level text": 8},
        )
        await add(counts, now=world.now - back * DAY_S, max_names=9)
    properties = {"properties.email text": 3, "properties.<b> number": 1}
    counts = counts_of(ODD, 3, outcomes={"unmatched": 3}, sampled=3, properties=properties)
    await add([*counts, *counts_of(EventKey("default", "", "*"), 1)], now=world.now, max_names=9)
    return world


@pytest.mark.slow
async def test_names_stand_with_what_became_of_them_and_their_preset(arrived: World) -> None:
    page = await arrived.html("/console/inventory")
    for text in (
        "7,000</a>",
        "6,930</a> taken to be sent",
        "70</a> invalid",
        "25 %",
        "3</a> matched no preset",
        "(other names)",
    ):
        assert text in page
    assert "same name but for upper and lower case" in page
    table = page.partition("<table")[2]
    assert table.index(">Checkout</a>") < table.index(">checkout</a>")


async def test_what_earlier_versions_counted_of_cancellations_is_told(world: World) -> None:
    counts = counts_of(EventKey("shop", "track", "Order Cancelled"), 2, outcomes={"withdrawn": 2})
    await world.outbox.inventory.add(counts, now=world.now, max_names=9)
    assert re.search(r">2 cancellation</span>", await world.html("/console/inventory"))


async def test_what_cancels_orders_is_told(world: World) -> None:
    counts = counts_of(EventKey("shop", "track", "Order Cancelled"), 2, outcomes={"matched": 2})
    await world.outbox.inventory.add(counts, now=world.now, max_names=9)
    assert re.search(r">2</a> cancelling an order</span>", await world.html("/console/inventory"))


@pytest.mark.slow
async def test_what_has_changed_is_told(arrived: World) -> None:
    page = await arrived.html("/console/inventory")
    assert "What has changed" in page
    assert ">checkout</a> from default is new" in page


@pytest.mark.parametrize(
    ("query", "there", "missing"),
    [
        ("?from=default", [">checkout</a>"], ["/inventory/name?source=shop&amp;type=track&amp;name=Checkout&amp;"]),
        ("?from=shop&period=today", ["1,000", ">Checkout</a>", "arrived today,"], ["7,000", "3</a> matched"]),
        ("?period=month", ["8,000"], []),
        ("?period=yesterday", ["1,000", "arrived yesterday, counted by whole days"], ["2,000"]),
    ],
)
async def test_span_and_source_narrow_the_list(
    arrived: World, query: str, there: list[str], missing: list[str]
) -> None:
    page = await arrived.html(f"/console/inventory{query}")
    assert [text for text in there if text not in page] == []
    assert [text for text in missing if text in page] == []


async def test_an_empty_inventory_says_how_to_fill_it(world: World) -> None:
    assert "Nothing has arrived in this span" in await world.html("/console/inventory")


@pytest.mark.slow
async def test_a_name_shows_what_it_carries(arrived: World) -> None:
    page = await arrived.html("/console/inventory/name?source=shop&type=track&name=Checkout")
    for text in ("7,000 events from shop in the last 7 days", "properties.order_<wbr>id", "25 %", "280 sampled events"):
        assert text in page
    assert "Draft a preset" not in page
    assert "1 property of 2 is read by nothing" in page
    assert re.search(r"properties.loyalty_<wbr>level</th><td>text, <em>read by nothing</em>", page)
    assert "<dt>First seen</dt><dd>2026-11-11</dd>" in page
    assert '<dt>Last seen</dt><dd>not before <time datetime="2026-11-18T11:00:00Z"' in page
    today = await arrived.html("/console/inventory/name?source=shop&type=track&name=Checkout&period=today")
    assert "1,000 events from shop today" in today


@pytest.mark.slow
async def test_a_name_that_no_preset_takes_says_why_and_offers_a_draft(arrived: World) -> None:
    page = await arrived.html("/console/inventory/name?source=default&type=track&name=checkout")
    assert "No preset takes it." in page
    assert "properties.&lt;b&gt;" in page
    (link,) = re.findall(r'href="(/console/tester\?[^"]*)"', page)
    tester = await arrived.html(unescape(link))
    assert "1 delivery to Pinterest:" in tester
    assert "new: " in tester
    assert "ada.miller@example.com" in unescape(tester)


async def test_a_draft_that_was_changed_is_tried_as_it_is(arrived: World) -> None:
    tester = await arrived.html("/console/tester?source=default&type=track&name=checkout")
    (file,) = re.findall(r'name="draft_of" value="([^"]*)"', tester)
    event = '{"type": "track", "event": "checkout", "messageId": "1", "timestamp": "2026-11-18T11:00:00Z"}'
    form = {"event": event, "draft_file": file, "draft_of": file, "draft_text": "name: x"}
    page = (await arrived.browser.post("/console/tester", data=form)).text
    assert "The draft cannot be used." in page
    assert f'value="{file}" selected' in page
    form["draft_of"] = "presets/other.yaml"
    assert "draft_text" not in (await arrived.browser.post("/console/tester", data=form)).text


async def test_a_name_that_has_not_arrived_is_no_page(world: World) -> None:
    answer = await world.browser.get("/console/inventory/name?source=shop&type=track&name=Unknown")
    assert answer.status_code == 404
    assert "There is no such event" in answer.text
