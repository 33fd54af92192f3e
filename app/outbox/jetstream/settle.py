"""Settle: what became of what was claimed."""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.keys import Keys
from app.outbox.jetstream.queue import Queue
from app.outbox.jetstream.record import Record, encode
from app.outbox.jetstream.streams import address
from app.outbox.jetstream.taken import ACK, Taken, nak
from app.outbox.outbox_rules import OutboxRules
from app.types import Attempt, Blocked, Delivered, Exit, Outcome, Rejected, Retry, Settlement, State

_EXITS: dict[type[Outcome], Exit] = {
    Delivered: Exit.DELIVERED, Retry: Exit.RETRY, Rejected: Exit.REJECTED, Blocked: Exit.BLOCKED,
}  # fmt: skip


class Settle:
    """Does `Outbox.settle`."""

    def __init__(self, broker: Broker, queue: Queue, keys: Keys, rules: OutboxRules) -> None:
        self._broker = broker
        self._queue = queue
        self._keys = keys
        self._rules = rules

    async def __call__(self, settlements: Sequence[Settlement], *, now: float) -> None:
        """Settle what is still ours; of two settlements of one claim the last."""
        last = {(each.claimed.delivery_id, each.claimed.claim): each for each in settlements}
        held = await together(self._queue.still_held(each.claimed, now) for each in last.values())
        pairs = zip(held, last.values(), strict=True)
        await together(self._settle(taken, each, now) for taken, each in pairs if taken)

    async def _settle(self, taken: Taken, settlement: Settlement, now: float) -> None:
        """Write first, acknowledge last: a crash in between sends again or finds the record settled."""
        record = settled(taken, settlement, now)
        where = address(record.delivery)
        if settlement.state is State.DEAD:
            body = encode(record, with_payload=True)
            await self._broker.publish(f"pinrelay.dead.{where}", body, message_id=settlement.claimed.claim)
        elif settlement.state is State.DELIVERED and self._rules.payload_s > 0:
            await self._broker.publish(f"pinrelay.kept.{where}", stripped(record.delivery.payload or b"{}"))
        await self._broker.publish(f"pinrelay.ledger.{where}", encode(record))
        if settlement.state is State.DEAD:
            await self._keys.release(record.delivery)
        await self._queue.finish(taken, ACK if settlement.due_at is None else nak(settlement.due_at - now))


def settled(taken: Taken, settlement: Settlement, now: float) -> Record:
    """Answer the record of a delivery after a settlement."""
    outcome, delivery = settlement.outcome, taken.record.delivery
    was_tried = not isinstance(outcome, Retry) or outcome.tried
    delivery = replace(
        delivery,
        state=settlement.state,
        reason="" if isinstance(outcome, Delivered) else outcome.reason,
        attempts=taken.attempt - settlement.give_back,
        due_at=settlement.due_at,
        settled_at=None if settlement.state is State.PENDING else now,
        history=(*delivery.history, _attempt(taken.attempt, outcome, now)) if was_tried else delivery.history,
    )
    uncounted = taken.record.uncounted + settlement.give_back
    return replace(taken.record, delivery=delivery, uncounted=uncounted, lease_was_lost=False)


def _attempt(number: int, outcome: Outcome, now: float) -> Attempt:
    message = outcome.warning if isinstance(outcome, Delivered) else outcome.reason
    return Attempt(number=number, at=now, exit=_EXITS[type(outcome)], status=outcome.status, message=message)


def stripped(payload: bytes) -> bytes:
    """Take out of a payload what stands in it unhashed."""
    event = orjson.loads(payload)
    for name in ("client_ip_address", "client_user_agent"):
        event.get("user_data", {}).pop(name, None)
    return orjson.dumps(event)
