"""What is read of the store: counts of the days that were asked for, shares, first and last seen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S, HOUR_S
from app.insights.inventory.figures import read_figures, read_properties, span_of
from app.insights.inventory.view import InventoryView
from app.outbox import Outbox, open_outbox
from app.pipeline.received_names import title_of
from tests.assembled import shipped_catalog
from tests.insights.inventory.build import NOW, ORDER, TODAY
from tests.outbox.build import new, rules
from tests.outbox.new_store import new_store
from tests.rows import every_row

ODD = EventKey("shop", "track", "order completed")


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """Two names: one that comes every day, one that is new."""
    store = open_outbox(new_store(tmp_path, "o.db"), rules())

    async def add(at: float, *counts: tuple[EventKey, Measure, str, int]) -> None:
        await store.inventory.add([InventoryCount(*count) for count in counts], now=at, max_names=9)

    for back in range(9, -1, -1):
        await add(
            NOW - back * DAY_S,
            (ORDER, Measure.RECEIVED, "", 10),
            (ORDER, Measure.OUTCOME, "enqueued", 9),
            (ORDER, Measure.OUTCOME, "invalid", 1),
            (ORDER, Measure.PRESET, "Order Completed", 10),
            (ORDER, Measure.SAMPLED, "", 4),
            (ORDER, Measure.FOUND, "value", 4),
            (ORDER, Measure.FOUND, "e-mail", 1),
            (ORDER, Measure.PROPERTY, "properties.total number", 4),
            (ORDER, Measure.PROPERTY, f"properties.day {back} text", 1),
        )
    await add(NOW - HOUR_S, (ODD, Measure.RECEIVED, "", 2), (ODD, Measure.OUTCOME, "unmatched", 2))
    yield store
    await store.close()


async def test_names_are_told_with_exits_shares_and_times(outbox: Outbox) -> None:
    order, odd = await read_figures(outbox.inventory, now=NOW, days=7)
    assert (order.key, order.received, order.first_at, order.last_at) == (ORDER, 70, TODAY - 9 * DAY_S, int(NOW))
    assert dict(order.outcomes) == {"enqueued": 63, "invalid": 7}
    assert dict(order.presets) == {"Order Completed": 70}
    assert (order.sampled, order.share("value"), order.share("e-mail"), order.share("phone")) == (28, 1.0, 0.25, 0.0)
    assert (odd.key, odd.received, odd.first_at, odd.last_at) == (ODD, 2, TODAY, int(NOW - HOUR_S))
    assert (odd.share("value"), odd.shares) == (None, {})


async def test_where_deliveries_stand_is_told_by_day_also_of_one_on_which_nothing_arrived(outbox: Outbox) -> None:
    for at in (NOW - DAY_S, NOW - DAY_S, NOW + DAY_S):
        await outbox.enqueue([new(name="Order Completed", source="shop")], [], [], now=at)
    (order,) = await read_figures(outbox.inventory, now=NOW + DAY_S, days=3, only=ORDER)
    assert dict(order.states) == {"waiting": 3}
    told = [(at, dict(order.states_by_day[at])) for at in order.told_days]
    assert told == [(TODAY + DAY_S, {"waiting": 1}), (TODAY, {}), (TODAY - DAY_S, {"waiting": 2})]


async def test_what_has_not_come_in_these_days_is_left_out(outbox: Outbox) -> None:
    later = NOW + 3 * DAY_S
    assert [one.key for one in await read_figures(outbox.inventory, now=later, days=2)] == []
    assert [one.received for one in await read_figures(outbox.inventory, now=later, days=4)] == [10, 2]


async def test_properties_are_told_with_share_and_times(outbox: Outbox) -> None:
    total, *days = await read_properties(outbox.inventory, ORDER, now=NOW, days=2)
    assert (total.path, total.kind, total.share, total.first_at) == (
        "properties.total",
        "number",
        1.0,
        TODAY - 9 * DAY_S,
    )
    assert {(each.path, each.share) for each in days} == {("properties.day 0", 0.125), ("properties.day 1", 0.125)}


async def test_the_view_joins_figures_and_presets(outbox: Outbox) -> None:
    view = InventoryView(inventory=outbox.inventory, catalog=shipped_catalog, clock=lambda: NOW)
    assert [each.nearest.preset for each in await view.names()] == ["Order Completed", "Order Completed"]
    assert [change.text for change in await view.changes()] == ["order completed from shop is new"]
    found = await view.name(ORDER, days=1)
    assert found is not None
    one = await view.with_properties(found, days=1)
    assert one.figures.shares["value"] == 1.0
    assert {each.path for each in one.properties} == {"properties.total", "properties.day 0"}
    assert await view.name(EventKey("shop", "track", "unknown")) is None


@every_row(
    ("key", "title"),
    [
        (ORDER, "Order Completed"),
        (EventKey("shop", "page", ""), "page"),
        (EventKey("shop", "track", ""), "track"),
        (EventKey("shop", "", ""), "(no event)"),
        (EventKey("shop", "", "*"), "(other names)"),
    ],
)
def test_each_kind_of_event_has_a_title(key: EventKey, title: str) -> None:
    assert title_of(key) == title


def test_a_day_begins_at_midnight_utc() -> None:
    assert span_of(NOW, 1) == range(TODAY, TODAY + DAY_S)


async def test_days_may_end_before_today(outbox: Outbox) -> None:
    yesterday = TODAY // DAY_S - 1
    (order,) = await read_figures(outbox.inventory, now=NOW, days=1, last_day=yesterday)
    assert (order.days, order.last_at) == ({TODAY - DAY_S: 10}, int(NOW))
    assert dict(order.outcomes) == {"enqueued": 9, "invalid": 1}
    properties = await read_properties(outbox.inventory, ORDER, now=NOW, days=1, last_day=yesterday)
    assert [each.path for each in properties if each.path.startswith("properties.day")] == ["properties.day 1"]
