"""Claim: a lease on what is due, by count, size and age, fair between fresh deliveries and retries."""

import asyncio
from collections.abc import Callable

import pytest

from app.core.deliveries import State
from tests.outbox.build import ACCOUNT, NOW, At, blocked, given_back, new, retry


async def test_at_most_limit_deliveries_are_taken_the_longest_due_first(at: At) -> None:
    await at.later(1).enqueue(new(message_id="second"))
    await at.enqueue(new(message_id="first"))
    await at.later(2).enqueue(new(message_id="third"))
    claimed = await at.later(3).claim(limit=2)
    assert {each.message_id for each in claimed} == {"first", "second"}


# payloads of 10, 10 and 10 bytes
@pytest.mark.parametrize(
    ("max_bytes", "taken"),
    [(30, 3), (29, 2), (20, 2), (19, 1), (10, 1), (1, 1)],
    ids=["all fit", "a byte too many", "two fit exactly", "one fits", "one fits exactly", "one always"],
)
async def test_at_most_max_bytes_are_taken_but_at_least_one_delivery(at: At, max_bytes: int, taken: int) -> None:
    await at.enqueue(*(new(payload=b'{"a": "b"}') for _ in range(3)))
    assert len(await at.claim(max_bytes=max_bytes)) == taken


# three deliveries of 10 bytes each, enqueued at 0 s
@pytest.mark.parametrize(
    ("changes", "after_s", "taken"),
    [
        ({"limit": 4, "max_bytes": 31}, 4.9, 0),
        ({"limit": 4, "max_bytes": 31}, 5.0, 3),
        ({"limit": 3, "max_bytes": 31}, 0.0, 3),
        ({"limit": 4, "max_bytes": 30}, 0.0, 3),
        ({"limit": 4, "max_bytes": 25}, 0.0, 2),
    ],
    ids=["neither full nor old", "old enough", "limit reached", "bytes reached", "bytes exceeded"],
)
async def test_a_batch_waits_until_it_is_full_or_old(
    at: At, changes: dict[str, int], after_s: float, taken: int
) -> None:
    await at.enqueue(*(new(payload=b'{"a": "b"}') for _ in range(3)))
    assert len(await at.later(after_s).claim(max_wait_s=5, **changes)) == taken


async def test_nothing_is_claimed_before_it_is_due(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(retry(claimed, NOW + 30))
    assert await at.later(29.9).claim() == []
    assert len(await at.later(30).claim()) == 1


async def test_only_the_deliveries_of_the_ad_account_are_claimed(at: At) -> None:
    await at.enqueue(new(ad_account_id="1"))
    assert await at.claim() == []


async def test_a_claimed_delivery_is_not_claimed_again_within_its_lease(at: At) -> None:
    await at.enqueue(new())
    assert len(await at.claim(lease_s=60)) == 1
    assert await at.later(59.9).claim() == []


async def test_an_expired_lease_can_be_claimed_again_and_its_attempt_counts(at: At) -> None:
    await at.enqueue(new())
    (first,) = await at.claim(lease_s=60)
    (second,) = await at.later(60).claim()
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.claim != second.claim
    assert first.delivery_id == second.delivery_id


async def test_what_others_hold_is_left_to_them_where_it_is_not_to_be_taken_over(at: At) -> None:
    """However many they are, they cost the others nothing."""
    await at.enqueue(*(new(message_id=f"held-{n}") for n in range(20)), new(message_id="tried"))
    held = await at.claim(limit=21, lease_s=60)
    await at.settle(*(retry(each, NOW) for each in held if each.message_id == "tried"))
    await at.later(1).enqueue(new(message_id="fresh"))

    others = await at.later(61).claim(limit=5, take_over=False)
    assert {each.message_id for each in others} == {"fresh", "tried"}
    taken = await at.later(61).claim(limit=50)
    assert {each.message_id for each in taken} == {f"held-{n}" for n in range(20)}
    assert all(each.lease_was_lost for each in taken)


async def test_a_renewed_lease_lasts_from_then_on(at: At) -> None:
    await at.enqueue(new())
    claimed = await at.claim(lease_s=60)
    await at.outbox.renew(claimed, lease_s=60, now=NOW + 50)
    assert await at.later(109).claim() == []
    assert len(await at.later(110).claim()) == 1


async def test_a_lease_that_is_no_longer_ours_is_not_renewed(at: At) -> None:
    await at.enqueue(new())
    lost = await at.claim(lease_s=60)
    await at.later(60).claim(lease_s=60)
    await at.outbox.renew(lost, lease_s=1_000, now=NOW + 61)
    assert len(await at.later(120).claim()) == 1


async def test_the_attempt_is_counted_at_claim_and_uncounted_where_it_is_given_back(at: At) -> None:
    await at.enqueue(new())
    attempts = []
    for settle in (given_back, retry, blocked, retry):
        (claimed,) = await at.claim()
        attempts.append(claimed.attempt)
        await at.settle(settle(claimed, NOW))
    assert attempts == [1, 1, 2, 2]


async def _with_retries(at: At, fresh: int, retries: int) -> None:
    """Enqueue so many deliveries that were tried before, and so many that were not."""
    await at.enqueue(*(new(message_id=f"retry-{n}") for n in range(retries)))
    await at.settle(*(retry(each, NOW) for each in await at.claim()))
    await at.enqueue(*(new(message_id=f"fresh-{n}") for n in range(fresh)))


@pytest.mark.parametrize(
    ("fresh", "retries", "expected"),
    [(20, 20, (5, 5)), (2, 20, (2, 8)), (20, 2, (8, 2)), (0, 20, (0, 10)), (20, 0, (10, 0)), (3, 3, (3, 3))],
    ids=["half and half", "few fresh", "few retries", "retries only", "fresh only", "all fit"],
)
async def test_fresh_deliveries_and_retries_share_a_claim(
    at: At, fresh: int, retries: int, expected: tuple[int, int]
) -> None:
    await _with_retries(at, fresh, retries)
    kinds = [each.message_id.partition("-")[0] for each in await at.claim(limit=10)]
    assert (kinds.count("fresh"), kinds.count("retry")) == expected


async def test_retries_do_not_crowd_fresh_deliveries_out_of_the_bytes(at: At) -> None:
    await _with_retries(at, fresh=20, retries=20)
    size = len(new().payload)
    kinds = [each.message_id.partition("-")[0] for each in await at.claim(limit=40, max_bytes=size * 4)]
    assert sorted(kinds) == ["fresh", "fresh", "retry", "retry"]


async def test_simultaneous_claims_of_several_processes_never_share_a_delivery(
    at: At, open_at: Callable[..., At]
) -> None:
    other = open_at()
    await at.enqueue(*(new() for _ in range(300)))
    claims = await asyncio.gather(*(side.claim(limit=20) for _ in range(10) for side in (at, other)))
    ids = [each.delivery_id for claim in claims for each in claim]
    assert len(ids) == len(set(ids)) == 300


async def test_a_claimed_delivery_shows_the_end_of_its_lease(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim(lease_s=60)
    delivery = await at.delivery(claimed.delivery_id)
    assert (delivery.state, delivery.due_at, delivery.attempts) == (State.CLAIMED, NOW + 60, 1)
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).claimed == 1
