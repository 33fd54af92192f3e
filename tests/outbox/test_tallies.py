"""Counts: kept with what they count, by minute."""

from dataclasses import replace
from functools import partial

from app.core.events import Tally
from tests.outbox.build import ACCOUNT, HOUR_S, NOW, At, delivered, new


async def test_counts_of_a_step_are_summed(at: At) -> None:
    await at.enqueue(tallies=(Tally(name="accepted", count=3), Tally(name="refused", label="no type")))
    await at.later(59).enqueue(tallies=(Tally(name="accepted"),))
    await at.later(60).enqueue(tallies=(Tally(name="accepted"),))
    assert await at.outbox.tallies(since=NOW, step_s=60) == [
        (NOW, Tally(name="accepted", count=4)),
        (NOW, Tally(name="refused", label="no type")),
        (NOW + 60, Tally(name="accepted")),
    ]
    assert await at.outbox.tallies(since=NOW, step_s=3_600) == [
        (NOW, Tally(name="accepted", count=5)),
        (NOW, Tally(name="refused", label="no type")),
    ]


async def test_a_step_of_zero_sums_all_since_then(at: At) -> None:
    for minute in range(3):
        await at.later(minute * HOUR_S).enqueue(tallies=(Tally(name="accepted"),))
    assert await at.outbox.tallies(since=NOW + HOUR_S, step_s=0) == [(NOW + HOUR_S, Tally(name="accepted", count=2))]


async def test_counts_from_before_are_left_out(at: At) -> None:
    await at.enqueue(tallies=(Tally(name="accepted"),))
    assert await at.outbox.tallies(since=NOW + 60, step_s=60) == []


async def test_presets_labels_ad_accounts_and_sources_are_counted_apart(at: At) -> None:
    several = (
        Tally(name="invalid", preset="a", label="x"),
        Tally(name="invalid", preset="a", label="x", source="shop"),
        Tally(name="invalid", preset="a", label="x", ad_account_id="1"),
        Tally(name="invalid", preset="a", label="y"),
        Tally(name="invalid", preset="b", label="x"),
    )
    for _ in range(2):
        await at.enqueue(tallies=several)
    assert await at.outbox.tallies(since=NOW, step_s=0) == [(NOW, replace(tally, count=2)) for tally in several]


async def test_the_outbox_counts_what_only_it_knows(at: At) -> None:
    one = new(event_id="e", quality=("hashed_email", "order_id"))
    await at.enqueue(one, new(event_id="e", quality=("order_id",)), new(ad_account_id="1", source="shop"))
    told = partial(Tally, preset="checkout", ad_account_id=ACCOUNT, source="default")
    assert [tally for _, tally in await at.outbox.tallies(since=NOW, step_s=0)] == [
        told(name="duplicate"),
        Tally(name="enqueued", preset="checkout", ad_account_id="1", source="shop"),
        told(name="enqueued"),
        told(name="quality", label="hashed_email"),
        told(name="quality", label="order_id"),
    ]


async def test_counts_come_with_settlements_too(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.later(HOUR_S).settle(delivered(claimed), tallies=(Tally(name="delivered", preset="checkout"),))
    assert await at.outbox.tallies(since=NOW + HOUR_S, step_s=60) == [
        (NOW + HOUR_S, Tally(name="delivered", preset="checkout"))
    ]
