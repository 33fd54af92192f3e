"""What a claim has pulled and not given out yet stays this process's own, through pauses and failures."""

import time

import pytest

from app.errors import OutboxUnavailable
from app.outbox.jetstream import JetStreamOutbox
from tests.delivery.faulty import Faulty, unavailable
from tests.outbox.build import new
from tests.outbox.jetstream.conftest import claim_one, now, until

OFF = frozenset({"off"})


async def test_it_is_renewed_while_nobody_claims(outbox: JetStreamOutbox, other: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new())
    assert await now(outbox).claim(lease_s=1, max_wait_s=60) == []  # too few for a batch
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        await outbox.renew([], lease_s=1, now=time.time())
        assert await now(other).claim(lease_s=1) == []
    claimed = await claim_one(outbox, lease_s=1)
    assert (claimed.attempt, claimed.lease_was_lost) == (1, False)


async def test_what_could_not_be_read_is_read_first_at_the_next_claim(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(*(new() for _ in range(3)))
    await now(other).claim(lease_s=1)  # it takes all three, and loses its lease

    broker = outbox._queue._broker
    outbox._queue._broker = Faulty(broker, last=unavailable(2))  # type: ignore[assignment]

    async def fails() -> bool:
        try:
            assert await now(outbox).claim(lease_s=1) == []
        except OutboxUnavailable:
            return True
        return False

    assert await until(fails)
    outbox._queue._broker = broker
    await outbox.renew([], lease_s=1, now=time.time())
    claimed = await now(outbox).claim(lease_s=1)
    assert [each.attempt for each in claimed] == [2, 2, 2]


async def test_what_was_put_aside_before_a_failure_is_at_hand_no_more(outbox: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new(preset="off"), new(preset="off"))
    assert await now(outbox).claim(max_wait_s=60) == []  # both are at hand

    holding = outbox._queue._holding
    broker = holding._broker
    holding._broker = Faulty(broker, publish=[None, OutboxUnavailable()])  # type: ignore[assignment]
    with pytest.raises(OutboxUnavailable):
        await now(outbox).claim(without_presets=OFF)
    holding._broker = broker
    seen: list[str] = []

    async def both() -> bool:
        seen.extend(each.delivery_id for each in await now(outbox).claim())
        return len(seen) >= 2

    assert await until(both)
    assert len(set(seen)) == len(seen) == 2
