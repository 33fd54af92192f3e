"""A crash while a delivery is put aside or back: it is in two places, and is sent once."""

import pytest

from app.errors import OutboxUnavailable
from app.outbox.jetstream import JetStreamOutbox
from app.outbox.jetstream.streams import HELD, QUEUE
from app.types import State
from tests.outbox.build import ACCOUNT, new
from tests.outbox.jetstream.conftest import claim_one, now, until

OFF = frozenset({"off"})


async def _copy(outbox: JetStreamOutbox, stream: str, kind: str, other: str) -> None:
    """Leave in `other` what stands in `kind`, as a crash between the two would."""
    stored = await outbox._broker.last(stream, f"pinrelay.{kind}.>")
    assert stored is not None
    await outbox._broker.publish(stored.subject.replace(f".{kind}.", f".{other}.", 1), stored.body)


async def _nothing_is_left(outbox: JetStreamOutbox) -> bool:
    assert await now(outbox).claim() == []
    return (await outbox.backlog(ACCOUNT, now=0)).pending == 0


async def test_put_aside_but_not_acknowledged_it_is_sent_once(outbox: JetStreamOutbox, other: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new(preset="off"))
    await _copy(outbox, QUEUE, "queue", "held")
    await outbox.put_shared(f"held/{ACCOUNT}/off", value=True)
    claimed = await claim_one(other)
    await now(other).deliver(claimed)
    assert await until(lambda: _nothing_is_left(other))


async def test_put_back_but_not_deleted_it_is_sent_once(outbox: JetStreamOutbox, other: JetStreamOutbox) -> None:
    await now(outbox).enqueue(new(preset="off"))
    assert await now(outbox).claim(without_presets=OFF) == []
    await _copy(outbox, HELD, "held", "queue")
    claimed = await claim_one(outbox)
    await _copy(outbox, QUEUE, "queue", "held")
    await now(outbox).deliver(claimed)
    assert await until(lambda: _nothing_is_left(other))
    delivery = await other.delivery(claimed.delivery_id)
    assert delivery is not None
    assert delivery.state is State.DELIVERED


async def test_two_processes_that_put_it_back_at_once_queue_it_once(
    outbox: JetStreamOutbox, other: JetStreamOutbox
) -> None:
    await now(outbox).enqueue(*(new(preset="off") for _ in range(20)))
    for each in (outbox, other):
        assert await now(each).claim(without_presets=OFF) == []
    taken: set[str] = set()

    async def all_taken() -> bool:
        for each in (outbox, other):
            claimed = await now(each).claim(limit=5)
            assert not taken & {one.delivery_id for one in claimed}
            taken.update(one.delivery_id for one in claimed)
            await now(each).deliver(*claimed)
        return len(taken) == 20

    assert await until(all_taken)
    assert await until(lambda: _nothing_is_left(other))


async def test_what_is_deleted_by_another_process_too_is_no_error_and_a_stream_that_is_gone_is(
    outbox: JetStreamOutbox,
) -> None:
    await now(outbox).enqueue(new(preset="off"))
    assert await now(outbox).claim(without_presets=OFF) == []
    stored = await outbox._broker.last(HELD, "pinrelay.held.>")
    assert stored is not None
    for _ in range(2):
        await outbox._broker.delete(HELD, stored.sequence)
    assert await outbox._broker.last(HELD, "pinrelay.held.>") is None
    with pytest.raises(OutboxUnavailable):
        await outbox._broker.delete("pinrelay_gone", 1)
