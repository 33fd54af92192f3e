"""A lease that ends without a word: whoever claims the delivery next is told that it may have been sent."""

import time
from collections.abc import Callable

import pytest

from app.core.deliveries import LEASE_LOST, Attempt, Claimed, Delivery, Settlement
from app.core.events import Outcome
from app.core.pages import Query
from tests.outbox.build import At, blocked, given_back, new, retry
from tests.waiting import until_async

#: In real time, which both engines know.
LEASE_S = 0.2


def _now(at: At) -> At:
    return At(at.outbox, time.time())


async def _claim(at: At) -> Claimed:
    """Claim the only delivery, once it is there."""
    (claimed,) = await until_async(lambda: _now(at).claim(lease_s=LEASE_S))
    return claimed


def _numbers(delivery: Delivery) -> list[tuple[int, Outcome, str]]:
    return [(attempt.number, attempt.result, attempt.message) for attempt in delivery.history]


@pytest.mark.slow
async def test_the_next_claim_learns_of_it_and_the_history_tells(at: At, open_at: Callable[..., At]) -> None:
    await _now(at).enqueue(new())
    first = await _claim(at)
    other = open_at()
    second = await _claim(other)
    assert (first.attempt, first.lease_was_lost) == (1, False)
    assert (second.attempt, second.lease_was_lost) == (2, True)
    (lost,) = (await other.delivery(second.delivery_id)).history
    assert lost == Attempt(number=1, at=lost.at, result=Outcome.RETRY, status=None, message=LEASE_LOST)
    assert abs(lost.at - time.time()) < 60


@pytest.mark.slow
async def test_each_lost_lease_is_an_attempt(at: At) -> None:
    await _now(at).enqueue(new())
    attempts = [(await _claim(at)).attempt for _ in range(3)]
    last = await _claim(at)
    assert [*attempts, last.attempt] == [1, 2, 3, 4]
    assert _numbers(await at.delivery(last.delivery_id)) == [
        (number, Outcome.RETRY, LEASE_LOST) for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("settle", [given_back, retry, blocked], ids=["given back", "retry", "blocked"])
async def test_a_claim_that_ended_with_a_word_was_not_lost(
    at: At, settle: Callable[[Claimed, float], Settlement]
) -> None:
    await _now(at).enqueue(new())
    await _now(at).settle(settle(await _claim(at), time.time()))
    assert not (await _claim(at)).lease_was_lost


@pytest.mark.slow
async def test_after_a_word_the_loss_is_over(at: At) -> None:
    await _now(at).enqueue(new())
    await _claim(at)
    await _now(at).settle(retry(await _claim(at), time.time()))
    last = await _claim(at)
    assert (last.attempt, last.lease_was_lost) == (3, False)
    assert _numbers(await at.delivery(last.delivery_id)) == [(1, Outcome.RETRY, LEASE_LOST), (2, Outcome.RETRY, "503")]


@pytest.mark.slow
async def test_a_redriven_delivery_begins_without_its_loss(at: At) -> None:
    await _now(at).enqueue(new())
    await _claim(at)
    lost = await _claim(at)
    await _now(at).kill(lost)
    shown = await at.delivery(lost.delivery_id)
    assert [attempt.result for attempt in shown.history] == [Outcome.RETRY, Outcome.REJECTED]
    query = Query(delivery_id=lost.delivery_id)
    assert (await at.outbox.dead_letters.redrive(query, now=time.time())).redriven == 1
    again = await _claim(at)
    assert (again.attempt, again.lease_was_lost) == (1, False)
