"""A clock that was set back: what waits is rescheduled, and nothing else changes."""

import asyncio

import pytest

from app.core.deliveries import State
from app.outbox import open_outbox
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, given_back, new, retry, rules


async def reschedule(at: At, *, pending_by: float = NOW, claimed_by: float = NOW, limit: int = 100) -> int:
    return await at.outbox.reschedule(ACCOUNT, pending_by=pending_by, claimed_by=claimed_by, limit=limit)


async def test_what_would_wait_for_an_hour_is_due_at_once_and_what_is_due_before_stays_so(at: At) -> None:
    await at.enqueue(new(message_id="retried"))
    await at.settle(*(retry(each, NOW + HOUR_S + 5) for each in await at.claim()))
    await at.later(-9).enqueue(new(message_id="early"))
    await at.later(HOUR_S).enqueue(new(message_id="fresh"))

    assert await reschedule(at) == 2

    due = {name: (await at.only_delivery(name)).due_at for name in ("early", "fresh", "retried")}
    assert due == {"early": NOW - 9, "fresh": NOW, "retried": NOW}
    assert len(await at.claim()) == 3


async def test_leases_end_by_their_own_time(at: At) -> None:
    await at.later(HOUR_S).enqueue(new(message_id="held"))
    await at.later(HOUR_S).claim(lease_s=90)

    assert await reschedule(at, pending_by=NOW, claimed_by=NOW + 90) == 1

    held = await at.only_delivery("held")
    assert (held.state, held.due_at) == (State.CLAIMED, NOW + 90)
    assert await at.later(89).claim() == []
    assert [each.lease_was_lost for each in await at.later(90).claim()] == [True]


async def test_it_goes_in_steps_until_nothing_is_left(at: At) -> None:
    await at.later(HOUR_S).enqueue(*(new() for _ in range(25)))
    changed = [await reschedule(at, limit=10) for _ in range(4)]

    assert changed == [10, 10, 5, 0]
    assert len(await at.claim()) == 25


async def test_another_ad_account_is_left_alone(at: At) -> None:
    await at.later(HOUR_S).enqueue(new(ad_account_id="1", message_id="other"))

    assert await reschedule(at) == 0
    assert (await at.only_delivery("other")).due_at == NOW + HOUR_S


async def test_what_is_held_follows_when_it_comes_back_into_the_line(at: At) -> None:
    await at.later(HOUR_S).enqueue(new(message_id="held", preset="off"))
    await at.later(HOUR_S).claim(without_presets=frozenset({"off"}))
    await reschedule(at)

    claimed = [*await at.claim(), *await at.claim()]  # the first brings it back into the line, and may take it
    assert [each.message_id for each in claimed] == ["held"]


async def test_whoever_waits_is_woken(at: At) -> None:
    await at.later(HOUR_S).enqueue(new())
    assert await at.claim() == []
    await reschedule(at)

    await asyncio.wait_for(at.outbox.wait(ACCOUNT, 60), 5)

    assert len(await at.claim()) == 1


@pytest.mark.parametrize("ahead_s", [3.0, HOUR_S, 14 * 365 * DAY_S])
async def test_new_deliveries_of_a_clock_that_was_ahead_are_due_at_the_next_claim_of_any_process(
    outbox_url: str, ahead_s: float
) -> None:
    outbox = open_outbox(outbox_url, rules(), clock=lambda: NOW, steady=lambda: 0.0)
    at = At(outbox)
    await at.enqueue(new(message_id="given back"), new(message_id="retried"))
    first, second = await at.claim()
    await at.settle(given_back(first, NOW + ahead_s), retry(second, NOW + ahead_s))
    await at.later(ahead_s).enqueue(new(message_id="delayed"))
    other = At(open_outbox(outbox_url, rules(), clock=lambda: NOW, steady=lambda: 0.0))
    claimed = await other.claim()
    assert [each.message_id for each in claimed] == ["delayed"]
    await other.deliver(*claimed)
    assert len(await other.later(ahead_s).claim()) == 2
    await other.outbox.close()
    await outbox.close()
