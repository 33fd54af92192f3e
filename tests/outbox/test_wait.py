"""Wait: back at once when there is something to do."""

import asyncio
import time
from collections.abc import Callable

import pytest

from app.core.pages import Query
from tests.outbox.build import ACCOUNT, NOW, At, dead, given_back, new, retry
from tests.outbox.conftest import Clock

#: Far longer than any of this takes, and far shorter than a test may last.
LONG_S = 30


async def _seconds_of_wait(at: At, timeout_s: float) -> float:
    started = time.monotonic()
    await at.outbox.wait(ACCOUNT, timeout_s)
    return time.monotonic() - started


@pytest.mark.slow
async def test_an_idle_outbox_waits_for_the_whole_timeout(at: At) -> None:
    await at.be_idle()
    assert 0.2 <= await _seconds_of_wait(at, 0.2) < LONG_S / 2


async def test_an_enqueue_of_this_process_wakes(at: At) -> None:
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    await at.enqueue(new())
    assert await waiting < LONG_S / 2
    assert len(await at.claim()) == 1


@pytest.mark.slow
async def test_an_enqueue_of_another_process_wakes(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    await other.enqueue(new())
    assert await waiting < LONG_S / 2


async def test_what_was_enqueued_between_claim_and_wait_is_not_missed(at: At) -> None:
    await at.be_idle()
    assert await at.claim() == []
    await at.enqueue(new())
    assert await _seconds_of_wait(at, LONG_S) < LONG_S / 2


@pytest.mark.slow
async def test_a_retry_wakes_when_it_falls_due(at: At, clock: Clock) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(retry(claimed, NOW + 60))
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.now = NOW + 60
    assert await waiting < LONG_S / 2


async def test_a_lease_wakes_when_it_ends(at: At, clock: Clock) -> None:
    await at.enqueue(new())
    await at.claim(lease_s=60)
    await at.be_idle()
    clock.now = NOW + 60
    assert await _seconds_of_wait(at, LONG_S) < LONG_S / 2


async def test_what_is_given_back_wakes(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    await at.settle(given_back(claimed, NOW))
    assert await waiting < LONG_S / 2


async def test_a_redrive_wakes(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(dead(claimed))
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    await at.outbox.dead_letters.redrive(Query(), now=NOW)
    assert await waiting < LONG_S / 2


async def test_what_a_full_claim_left_behind_is_due_still(at: At) -> None:
    await at.enqueue(new(), new())
    await at.be_idle()
    await at.settle(*(given_back(each, NOW) for each in await at.later(60).claim()))
    assert len(await at.later(60).claim(limit=1)) == 1
    await at.outbox.wait(ACCOUNT, 0)
    assert await _seconds_of_wait(at, LONG_S) < LONG_S / 2


@pytest.mark.slow
async def test_closing_wakes(at: At) -> None:
    await at.be_idle()
    waiting = asyncio.create_task(_seconds_of_wait(at, LONG_S))
    await asyncio.sleep(0)
    await at.outbox.close()
    assert await waiting < LONG_S / 2


@pytest.mark.slow
async def test_each_ad_account_is_told_by_itself(at: At, clock: Clock) -> None:
    """What one account's claims and waits have seen is news to another's, and what waits of one wakes no other."""
    await at.enqueue(new(ad_account_id="2"))
    await at.be_idle()
    assert await _seconds_of_wait(at, 0.2) >= 0.2  # what is due of the other account is not ours
    started = time.monotonic()
    await at.outbox.wait("2", LONG_S)
    assert time.monotonic() - started < LONG_S / 2
    (other,) = await at.outbox.claim("2", limit=1, max_bytes=1_000_000, max_wait_s=0, lease_s=60, now=NOW)
    await at.settle(retry(other, NOW + 60))
    await at.outbox.wait("2", 0)
    assert await at.claim() == []  # later than the other account's last claim
    clock.now = NOW + 60
    assert await at.later(60).claim() == []
    waiting = asyncio.create_task(at.outbox.wait("2", LONG_S))
    await asyncio.wait_for(waiting, LONG_S / 2)
