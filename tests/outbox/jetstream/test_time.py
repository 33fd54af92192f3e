"""Leases and pauses, which the servers count."""

import time
from collections.abc import Callable

from app.outbox.jetstream import JetStreamOutbox
from app.types import State
from tests.outbox.build import ACCOUNT, new, retry
from tests.outbox.jetstream.conftest import claim_one, now, until
from tests.outbox.nats_server import NatsServer


async def test_a_retry_comes_back_after_its_pause(outbox: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new())
    claimed = await claim_one(outbox)
    started = time.time()
    await now(outbox).settle(retry(claimed, started + 0.5))
    assert (await claim_one(outbox)).attempt == 2
    assert time.time() - started >= 0.45


async def test_a_lease_that_ends_is_handed_to_another_process_and_its_attempt_counts(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(new())
    first = await claim_one(outbox, lease_s=0.5)
    second = await claim_one(other, lease_s=0.5)
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.delivery_id == second.delivery_id


async def test_a_claim_that_another_process_took_over_changes_nothing(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(new())
    lost = await claim_one(outbox, lease_s=0.5)
    held = await claim_one(other, lease_s=0.5)
    await now(outbox).kill(lost)
    assert (await now(outbox).outbox.backlog(ACCOUNT, now=0)).dead == 0
    await now(other).deliver(held)
    delivery = await other.delivery(held.delivery_id)
    assert delivery is not None
    assert delivery.state is State.DELIVERED


async def test_an_ended_lease_that_nobody_took_over_still_settles(outbox: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new())
    claimed = await claim_one(outbox, lease_s=0.5)
    await now(outbox).later(1).deliver(claimed)
    delivery = await outbox.delivery(claimed.delivery_id)
    assert delivery is not None
    assert delivery.state is State.DELIVERED


async def test_a_renewed_lease_keeps_others_out(outbox: JetStreamOutbox, other: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new())
    claimed = await claim_one(outbox, lease_s=1)
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        await outbox.renew([claimed], lease_s=1, now=time.time())
        assert await now(other).claim(lease_s=1) == []


async def test_a_partial_batch_at_hand_is_kept_and_given_back_uncounted_on_closing(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(new())
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert await now(outbox).claim(limit=2, max_wait_s=60, lease_s=1) == []
        assert await now(other).claim(limit=2, max_wait_s=60, lease_s=1) == []
    await outbox.close()
    assert (await claim_one(other, lease_s=1)).attempt == 1


async def test_a_lost_lease_is_not_forgotten_where_it_is_given_back_before_it_was_claimed(
    outbox: JetStreamOutbox, other: JetStreamOutbox, open_outbox_at: Callable[..., JetStreamOutbox], server: NatsServer
) -> None:
    await now(outbox).enqueue(new())
    await claim_one(outbox, lease_s=0.5)
    pulled = time.monotonic() + 1.5
    while time.monotonic() < pulled:
        assert await now(other).claim(limit=2, max_wait_s=60, lease_s=0.5) == []
    await other.close()
    third = open_outbox_at(server)
    claimed = await claim_one(third, lease_s=0.5)
    assert (claimed.attempt, claimed.lease_was_lost) == (2, True)
    shown = await third.delivery(claimed.delivery_id)
    assert shown is not None
    assert [attempt.number for attempt in shown.history] == [1]


async def test_what_another_process_put_off_wakes_when_it_falls_due(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(new())
    claimed = await claim_one(outbox)
    await other.wait(0)
    await now(outbox).settle(retry(claimed, time.time() + 0.5))

    async def woken() -> bool:
        await other.wait(5)
        return bool(await now(other).claim())

    started = time.monotonic()
    await until(woken)
    assert time.monotonic() - started < 4
