"""Counts: kept with what they count, by minute."""

from dataclasses import replace
from functools import partial

from app.core.events import CounterRow
from tests.outbox.build import ACCOUNT, HOUR_S, NOW, At, delivered, new


async def test_counts_of_a_step_are_summed(at: At) -> None:
    await at.enqueue(counters=(CounterRow(name="accepted", count=3), CounterRow(name="refused", label="no type")))
    await at.later(59).enqueue(counters=(CounterRow(name="accepted"),))
    await at.later(60).enqueue(counters=(CounterRow(name="accepted"),))
    assert await at.outbox.counters(since=NOW, step_s=60) == [
        (NOW, CounterRow(name="accepted", count=4)),
        (NOW, CounterRow(name="refused", label="no type")),
        (NOW + 60, CounterRow(name="accepted")),
    ]
    assert await at.outbox.counters(since=NOW, step_s=3_600) == [
        (NOW, CounterRow(name="accepted", count=5)),
        (NOW, CounterRow(name="refused", label="no type")),
    ]


async def test_a_step_of_zero_sums_all_since_then(at: At) -> None:
    for minute in range(3):
        await at.later(minute * HOUR_S).enqueue(counters=(CounterRow(name="accepted"),))
    assert await at.outbox.counters(since=NOW + HOUR_S, step_s=0) == [
        (NOW + HOUR_S, CounterRow(name="accepted", count=2))
    ]


async def test_counts_from_before_are_left_out(at: At) -> None:
    await at.enqueue(counters=(CounterRow(name="accepted"),))
    assert await at.outbox.counters(since=NOW + 60, step_s=60) == []


async def test_presets_labels_ad_accounts_and_sources_are_counted_apart(at: At) -> None:
    several = (
        CounterRow(name="invalid", preset="a", label="x"),
        CounterRow(name="invalid", preset="a", label="x", source="shop"),
        CounterRow(name="invalid", preset="a", label="x", ad_account_id="1"),
        CounterRow(name="invalid", preset="a", label="y"),
        CounterRow(name="invalid", preset="b", label="x"),
    )
    for _ in range(2):
        await at.enqueue(counters=several)
    assert await at.outbox.counters(since=NOW, step_s=0) == [(NOW, replace(counter, count=2)) for counter in several]


async def test_the_outbox_counts_what_only_it_knows(at: At) -> None:
    one = new(event_id="e", quality=("hashed_email", "order_id"))
    await at.enqueue(one, new(event_id="e", quality=("order_id",)), new(ad_account_id="1", source="shop"))
    told = partial(CounterRow, preset="checkout", ad_account_id=ACCOUNT, source="default")
    assert [counter for _, counter in await at.outbox.counters(since=NOW, step_s=0)] == [
        told(name="duplicate"),
        CounterRow(name="enqueued", preset="checkout", ad_account_id="1", source="shop"),
        told(name="enqueued"),
        told(name="quality", label="hashed_email"),
        told(name="quality", label="order_id"),
    ]


async def test_counts_come_with_settlements_too(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.later(HOUR_S).settle(delivered(claimed), counters=(CounterRow(name="delivered", preset="checkout"),))
    assert await at.outbox.counters(since=NOW + HOUR_S, step_s=60) == [
        (NOW + HOUR_S, CounterRow(name="delivered", preset="checkout"))
    ]
