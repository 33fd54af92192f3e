"""Retention: small steps, and nothing goes before its time."""

from collections.abc import Callable

import pytest

from app.types import Exit, Note, Query, Tally
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, new

#: What belongs to the ledger goes when its day is over, so up to a day later than it must be kept.
LEDGER_S = 30 * DAY_S
LEDGER_END_S = LEDGER_S + DAY_S
NOTE = Note(message_id="noted", preset=None, exit=Exit.REFUSED, reason="r")


async def _retain_all(at: At, limit: int = 100) -> int:
    touched = 0
    while step := await at.outbox.retain(now=at.now, limit=limit):
        assert step <= limit
        touched += step
    return touched


async def _all(at: At) -> int:
    return len((await at.outbox.search(Query(), limit=1_000)).deliveries)


async def test_an_outbox_with_nothing_old_is_left_alone(at: At) -> None:
    await at.enqueue(new(), notes=(NOTE,), tallies=(Tally(name="accepted"),))
    assert await at.outbox.retain(now=NOW, limit=100) == 0


@pytest.mark.parametrize("settle", [At.deliver, At.kill], ids=["delivered", "dead"])
async def test_settled_deliveries_go_when_the_ledger_ends(at: At, settle: Callable[..., object]) -> None:
    await at.enqueue(new())
    await settle(at, *await at.claim())  # type: ignore[misc] # both are async
    await _retain_all(at.later(LEDGER_S - 1))
    assert await _all(at) == 1
    await _retain_all(at.later(LEDGER_END_S))
    assert await _all(at) == 0


async def test_unsettled_deliveries_never_go(at: At) -> None:
    await at.enqueue(new(), new())
    await at.claim(limit=1, lease_s=1)
    await _retain_all(at.later(1_000 * DAY_S))
    assert len(await at.later(1_000 * DAY_S).claim()) == 2


async def test_notes_go_when_the_ledger_ends(at: At) -> None:
    await at.enqueue(notes=(NOTE,))
    await _retain_all(at.later(LEDGER_S - 1))
    assert len((await at.outbox.message("noted")).notes) == 1
    await _retain_all(at.later(LEDGER_END_S))
    assert (await at.outbox.message("noted")).notes == ()


async def test_a_key_outlives_a_ledger_that_is_shorter_than_its_window(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_s=HOUR_S)
    await at.enqueue(new(event_id="e"))
    await at.deliver(*await at.claim())
    await _retain_all(at.later(DAY_S - 1))
    assert await _all(at) == 0
    (within,) = await at.later(DAY_S - 1).enqueue(new(event_id="e"))
    await _retain_all(at.later(DAY_S))
    (after,) = await at.later(DAY_S).enqueue(new(event_id="e"))
    assert (within.exit, after.exit) == (Exit.DUPLICATE, Exit.ENQUEUED)


async def test_the_id_of_a_forgotten_delivery_is_not_given_again(open_at: Callable[..., At]) -> None:
    at = open_at(ledger_s=HOUR_S)
    await at.enqueue(new(event_id="e"))
    (old,) = await at.claim()
    await at.deliver(old)
    await _retain_all(at.later(HOUR_S))
    await at.later(HOUR_S).enqueue(new())
    (fresh,) = await at.later(HOUR_S).claim()
    assert fresh.delivery_id != old.delivery_id


async def test_payloads_kept_longer_go_when_their_time_is_over(open_at: Callable[..., At]) -> None:
    at = open_at(payload_s=DAY_S)
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.deliver(claimed)
    kept = []
    for seconds in (DAY_S - 1, DAY_S):
        await _retain_all(at.later(seconds))
        delivery = await at.outbox.delivery(claimed.delivery_id)
        assert delivery is not None
        kept.append(delivery.payload is not None)
    assert kept == [True, False]


async def test_minutes_become_hours_after_two_days_and_keep_their_sums(at: At) -> None:
    for minute in (0, 1, 59, 60):
        await at.later(minute * 60).enqueue(tallies=(Tally(name="accepted", count=minute + 1),))
    await _retain_all(at.later(3 * DAY_S), limit=3)
    assert await at.outbox.tallies(since=NOW, step_s=60) == [
        (NOW, Tally(name="accepted", count=1 + 2 + 60)),
        (NOW + HOUR_S, Tally(name="accepted", count=61)),
    ]


async def test_hours_go_when_the_ledger_ends(at: At) -> None:
    await at.enqueue(tallies=(Tally(name="accepted"),))
    await _retain_all(at.later(3 * DAY_S))
    await _retain_all(at.later(LEDGER_S))
    assert len(await at.outbox.tallies(since=NOW, step_s=0)) == 1
    await _retain_all(at.later(LEDGER_END_S))
    assert await at.outbox.tallies(since=NOW, step_s=0) == []


async def test_a_step_touches_no_more_than_it_may(at: At) -> None:
    await at.enqueue(*(new() for _ in range(25)), notes=(NOTE,) * 5)
    await at.deliver(*await at.claim())
    later = at.later(100 * DAY_S)
    steps = [await later.outbox.retain(now=later.now, limit=10) for _ in range(10)]
    assert all(step <= 10 for step in steps)
    assert (steps[0] > 0, steps[-1]) == (True, 0)
    assert await _all(at) == 0
