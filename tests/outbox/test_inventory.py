"""The inventory: counts by name add up over processes, stay bounded, and go with the ledger."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.events import EventKey, InventoryCount, Measure
from app.outbox import open_outbox
from app.outbox.inventory import HOURS_KEPT_S, MAX_PROPERTIES, OTHERS
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, new, rules

ORDER = EventKey("shop", "track", "Order Completed")
ODD = EventKey("shop", "track", "order completed")
#: NOW is the start of an hour, eight hours into its day.
DAY = int(NOW // DAY_S * DAY_S)
MANY = 100


def received(key: EventKey = ORDER, count: int = 1) -> InventoryCount:
    return InventoryCount(key, Measure.RECEIVED, "", count)


def outcomes(label: str, key: EventKey = ORDER, count: int = 1) -> InventoryCount:
    return InventoryCount(key, Measure.OUTCOME, label, count)


async def days(at: At, *counted: Measure, key: EventKey | None = None) -> list[tuple[int, InventoryCount]]:
    return await at.outbox.inventory.read(since=0, by_hour=False, counted=counted or tuple(Measure), key=key)


async def test_counts_are_summed_by_hour_and_by_day(at: At) -> None:
    inventory = at.outbox.inventory
    for later_s in (0, 59, HOUR_S):
        await inventory.add([received(), outcomes("enqueued", count=2)], now=NOW + later_s, max_names=MANY)
    assert await days(at) == [(DAY, outcomes("enqueued", count=6)), (DAY, received(count=3))]
    hours = await inventory.read(since=NOW, by_hour=True, counted=[Measure.RECEIVED])
    assert hours == [(int(NOW), received(count=2)), (int(NOW + HOUR_S), received())]
    assert await inventory.read(since=NOW + 1, by_hour=True, counted=[Measure.RECEIVED]) == [hours[1]]


async def test_one_name_is_read_alone(at: At) -> None:
    await at.outbox.inventory.add([received(), received(ODD)], now=NOW, max_names=MANY)
    assert await days(at, key=ODD) == [(DAY, received(ODD))]


async def test_properties_are_kept_by_day_only(at: At) -> None:
    found = InventoryCount(ORDER, Measure.PROPERTY, "properties.total number", 3)
    await at.outbox.inventory.add([found], now=NOW, max_names=MANY)
    assert await days(at) == [(DAY, found)]
    assert await at.outbox.inventory.read(since=0, by_hour=True, counted=list(Measure)) == []


async def test_a_count_may_come_in_parts_and_its_name_with_u_0000(at: At) -> None:
    """Each of the two was an error of PostgreSQL, and what came with it was not counted."""
    odd, key = EventKey("shop", "track", "a\0"), EventKey("shop", "track", "a\ufffd")
    await at.outbox.inventory.add([received(odd), received(odd), received(key)], now=NOW, max_names=MANY)
    assert await days(at, key=odd) == await days(at, key=key) == [(DAY, received(key, count=3))]
    await at.enqueue(new(name="a\0", source="s\0"))
    (found,) = await at.outbox.inventory.name_counts([("a\0", "s\0")], first_day=0, last_day=10**6)
    assert found.number == 1


async def test_nothing_is_written_of_nothing(at: At) -> None:
    await at.outbox.inventory.add([], now=NOW, max_names=MANY)
    assert await days(at) == []


async def test_the_counts_of_all_processes_add_up(outbox_url: str) -> None:
    opened = [open_outbox(outbox_url, rules(), clock=lambda: NOW) for _ in range(3)]
    try:
        await asyncio.gather(
            *(
                outbox.inventory.add([received(key, 2), outcomes("unmatched", key, 2)], now=NOW, max_names=MANY)
                for outbox in opened
                for key in (ORDER, ODD) * 3
            )
        )
        found = await days(At(opened[0]), Measure.RECEIVED)
    finally:
        for outbox in opened:
            await outbox.close()
    assert found == [(DAY, received(ORDER, 18)), (DAY, received(ODD, 18))]


def public(key: EventKey, count: int = 1) -> list[InventoryCount]:
    return [received(key, count), InventoryCount(key, Measure.PUBLIC, "", count)]


async def test_names_that_a_stranger_invents_cost_no_trusted_name_its_place(at: At) -> None:
    inventory, trusted = at.outbox.inventory, [EventKey("shop", "track", f"trusted {n}") for n in range(4)]
    await inventory.add([received(key) for key in trusted], now=NOW, max_names=10)
    both = EventKey("page", "track", "Order Completed")
    await inventory.add([*public(both, 4), received(both)], now=NOW, max_names=10)
    for n in range(30):
        await inventory.add(public(EventKey("page", "track", f"invented {n}"), 100 + n), now=NOW, max_names=10)
    left = [count.key for _, count in await days(at, Measure.RECEIVED) if count.key.type]
    assert {key.name for key in left} == {
        *(key.name for key in trusted),
        both.name,  # a part of its events is trusted
        *(f"invented {n}" for n in range(25, 30)),
    }
    totals = await days(at, Measure.RECEIVED, Measure.PUBLIC, key=EventKey("page", "", OTHERS))
    assert {count.number for _, count in totals} == {sum(100 + n for n in range(25))}


async def test_of_too_many_names_the_frequent_stay_and_nothing_is_lost_of_what_became_of_events(at: At) -> None:
    inventory = at.outbox.inventory
    await inventory.add([received(ORDER, 5), outcomes("enqueued", ORDER, 5)], now=NOW, max_names=3)
    for n in range(20):
        invented = EventKey("shop", "track", f"invented {n}")
        label = InventoryCount(invented, Measure.PROPERTY, "properties.x text", 1)
        await inventory.add([received(invented), outcomes("unmatched", invented), label], now=NOW, max_names=3)
    totals = [count for _, count in await days(at, Measure.RECEIVED)]
    names = {count.key.name: count.number for count in totals}
    assert names["Order Completed"] == 5
    assert len(names) == 4
    assert names[OTHERS] == 18
    others = EventKey("shop", "", OTHERS)
    assert await days(at, key=others) == [(DAY, outcomes("unmatched", others, 18)), (DAY, received(others, 18))]
    hours = await inventory.read(since=0, by_hour=True, counted=[Measure.RECEIVED], key=others)
    assert hours == [(int(NOW), received(others, 18))]


async def test_of_too_many_names_those_go_first_of_which_nothing_was_received(at: At) -> None:
    """Seed 312 of tests/outbox/test_alike.py: PostgreSQL took them for the most frequent."""
    names = [EventKey("shop", "track", f"Event {n}") for n in range(3)]
    nothing = InventoryCount(names[0], Measure.PUBLIC, "", 1)
    await at.outbox.inventory.add([nothing, *public(names[1]), *public(names[2])], now=NOW, max_names=2)
    assert [count.key for _, count in await days(at, Measure.PUBLIC)] == [EventKey("shop", "", OTHERS), *names[1:]]


async def test_of_too_many_properties_of_a_day_the_frequent_stay(at: At) -> None:
    for n in range(3):
        some = [
            InventoryCount(ORDER, Measure.PROPERTY, f"properties.{n}_{m} text", 1) for m in range(MAX_PROPERTIES - 1)
        ]
        usual = InventoryCount(ORDER, Measure.PROPERTY, "properties.total number", 1)
        await at.outbox.inventory.add([*some, usual], now=NOW, max_names=MANY)
    kept = [count for _, count in await days(at, Measure.PROPERTY)]
    assert len(kept) == MAX_PROPERTIES
    assert InventoryCount(ORDER, Measure.PROPERTY, "properties.total number", 3) in kept


@pytest.mark.slow
async def test_events_wait_for_a_part_of_a_full_inventory_and_not_for_all_of_it(at: At) -> None:
    counts = [received(EventKey("shop", "track", f"Event {n}")) for n in range(5_000)]
    writing = asyncio.create_task(at.outbox.inventory.add(counts, now=NOW, max_names=len(counts)))
    meanwhile = 0
    while not writing.done():
        await at.enqueue(new())
        meanwhile += 1
    await writing
    assert meanwhile > 2  # one waits for what is being written, and one for all of it if need be
    assert len(await days(at)) == len(counts)


async def test_hours_go_first_and_days_with_the_ledger(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_s=30 * DAY_S)
    await at.outbox.inventory.add([received()], now=NOW, max_names=MANY)
    found = []
    for later_s in (HOURS_KEPT_S - 1, HOURS_KEPT_S + 1, 30 * DAY_S, 31 * DAY_S + HOUR_S * 8):
        await at.later(later_s).retain_all(1)
        hours = await at.outbox.inventory.read(since=0, by_hour=True, counted=list(Measure))
        found.append((len(hours), len(await days(at))))
    assert found == [(1, 1), (0, 1), (0, 1), (0, 0)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=6),
        max_size=6,
    ),
    max_names=st.integers(1, 5),
)
async def test_however_names_come_the_sum_is_what_arrived(
    empty_store: Callable[..., object], calls: list[list[tuple[int, int]]], max_names: int
) -> None:
    with empty_store() as url:  # type: ignore[attr-defined] # a context manager
        outbox = open_outbox(url, rules())
        for call in calls:
            counts = [received(EventKey("shop", "track", str(name)), count) for name, count in call]
            await outbox.inventory.add(counts, now=NOW, max_names=max_names)
        totals = [count for _, count in await days(At(outbox), Measure.RECEIVED)]
        await outbox.close()
    assert sum(count.number for count in totals) == sum(count for call in calls for _, count in call)
    assert sum(count.key.type != "" for count in totals) <= max_names
