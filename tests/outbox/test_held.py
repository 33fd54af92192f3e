"""Presets that are switched off: their deliveries are left out of claims, cost the others nothing, and come back."""

import time
from collections.abc import Callable

import pytest

from app.core.deliveries import HELD, Claimed, State
from app.errors import OutboxUnavailable
from tests.outbox.build import ACCOUNT, At, new, retry
from tests.waiting import until_async

OFF = frozenset({"off"})


async def _claim(at: At, *off: str, limit: int = 1_000) -> list[str]:
    """Claim, and deliver what was claimed; the message ids."""
    claimed = await at.claim(limit, without_presets=frozenset(off))
    await at.deliver(*claimed)
    return sorted(each.message_id for each in claimed)


async def test_what_is_switched_off_is_left_out_though_it_is_first_in_line(at: At) -> None:
    await at.enqueue(new(message_id="held", preset="off"))
    await at.later(1).enqueue(new(message_id="sent"))
    assert await _claim(at.later(2), "off") == ["sent"]
    assert await _claim(at.later(3), "off") == []


async def test_what_is_held_waits_in_sight(at: At) -> None:
    await at.enqueue(new(message_id="held", preset="off"))
    before = await at.only_delivery("held")
    await at.claim(without_presets=OFF)
    held = await at.only_delivery("held")
    assert (held.state, held.reason, held.attempts, held.history) == (State.PENDING, HELD, 0, ())
    assert held.payload == before.payload
    backlog = await at.outbox.backlog(ACCOUNT, now=at.now)
    assert (backlog.pending, backlog.claimed, backlog.oldest_at) == (1, 0, at.now)


async def test_switched_on_again_it_is_claimed_at_once_and_nothing_was_counted(at: At) -> None:
    await at.enqueue(new(message_id="held", preset="off"))
    for _ in range(3):
        assert await at.claim(without_presets=OFF) == []
    (claimed,) = await at.claim()
    assert (claimed.message_id, claimed.attempt, claimed.lease_was_lost) == ("held", 1, False)
    assert (await at.only_delivery("held")).reason == ""


async def test_a_retry_keeps_its_attempts_and_its_history_while_it_is_held(at: At) -> None:
    await at.enqueue(new(message_id="held", preset="off"))
    (first,) = await at.claim()
    await at.settle(retry(first, at.now))
    assert await at.claim(without_presets=OFF) == []
    (second,) = await at.claim()
    assert (second.attempt, second.lease_was_lost) == (2, False)
    await at.settle(retry(second, at.now))
    assert [attempt.number for attempt in (await at.only_delivery("held")).history] == [1, 2]


async def test_another_process_sends_what_this_one_held(at: At, open_at: Callable[..., At]) -> None:
    await at.enqueue(new(message_id="held", preset="off"))
    assert await at.claim(without_presets=OFF) == []
    assert await _claim(open_at()) == ["held"]
    assert await _claim(at) == []


async def test_of_two_presets_one_comes_back_alone(at: At) -> None:
    await at.enqueue(new(message_id="a", preset="a"), new(message_id="b", preset="b"))
    assert await _claim(at, "a", "b") == []
    assert await _claim(at, "a") == ["b"]
    assert await _claim(at, "a") == []
    assert await _claim(at) == ["a"]


async def test_many_that_are_held_hide_nobody_and_all_come_back(at: At) -> None:
    await at.enqueue(*(new(message_id=f"held-{n:03}", preset="off") for n in range(250)))
    await at.later(1).enqueue(new(message_id="sent"))
    found = [await _claim(at.later(2), "off", limit=20) for _ in range(13)]
    assert [each for each in found if each] == [["sent"]]
    back: list[str] = []
    while len(back) < 250:
        back += await until_async(lambda: _claim(at.later(3), limit=20))
    assert sorted(back) == [f"held-{n:03}" for n in range(250)]


async def test_what_comes_back_wakes_whoever_waits(at: At) -> None:
    await at.enqueue(*(new(preset="off") for _ in range(30)))
    assert await at.claim(without_presets=OFF) == []
    assert len(await at.claim(limit=20)) == 20
    started = time.monotonic()
    await at.outbox.wait(ACCOUNT, 30)
    assert time.monotonic() - started < 15


@pytest.mark.slow
async def test_one_whose_lease_was_lost_is_claimed_nevertheless(at: At) -> None:
    """It may have been sent: what became of it is settled first."""
    await At(at.outbox, time.time()).enqueue(new(preset="off"))

    async def claim(off: frozenset[str]) -> list[Claimed]:
        return await At(at.outbox, time.time()).claim(lease_s=0.2, without_presets=off)

    assert not (await until_async(lambda: claim(frozenset())))[0].lease_was_lost
    assert (await until_async(lambda: claim(OFF)))[0].lease_was_lost


async def test_a_full_backlog_counts_what_is_held(open_at: Callable[..., At]) -> None:
    at = open_at(room_for=1)
    await at.enqueue(new(preset="off"))
    assert await at.claim(without_presets=OFF) == []
    with pytest.raises(OutboxUnavailable):
        await at.enqueue(new())
