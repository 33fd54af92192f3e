"""Redrive: dead deliveries become pending again, unless that would send something twice."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.outbox.jetstream.broker import Broker, Stored, together
from app.outbox.jetstream.keys import Held, Keys, keys_under
from app.outbox.jetstream.ledger import Ledger
from app.outbox.jetstream.record import Record, begun_again, decode, encode
from app.outbox.jetstream.streams import DEAD, LEDGER, QUEUE, address, is_delivery_id
from app.outbox.outbox_rules import OutboxRules
from app.types import Delivery, Query, State

#: Dead deliveries looked at together.
STEP: Final = 500
#: Stands in the reason of a dead delivery that was replayed.
REPLAYED: Final = "not redriven:"


class Redrive:
    """Does `Outbox.redrive`."""

    def __init__(self, broker: Broker, keys: Keys, ledger: Ledger, rules: OutboxRules) -> None:
        self._broker = broker
        self._keys = keys
        self._ledger = ledger
        self._rules = rules

    async def __call__(self, query: Query, *, now: float) -> int:
        """Redrive newest first: of two deliveries of one event the newer mapping wins."""
        if query.state not in (None, State.DEAD) or not is_delivery_id(query.delivery_id or "0"):
            return 0
        dead = [each async for each in self._ledger.dead(query)]
        return sum([await self._step(dead[begin : begin + STEP], now) for begin in range(0, len(dead), STEP)])

    async def _step(self, dead: Sequence[Delivery], now: float) -> int:
        keys = {each.delivery_id: keys_under(self._rules, each) for each in dead}
        every = [key for of_delivery in keys.values() for key in of_delivery]
        async with self._keys.locked(every):
            seen = await self._keys.look(every)
            known = dict(seen)
            todo = []
            for each in dead:
                holders = [known[key.digest] for key in keys[each.delivery_id] if known[key.digest].until > now]
                replay = next((held.holder for held in holders if held.holder != each.delivery_id), None)
                if replay is not None:
                    todo.append(self._explain(each, replay))
                    continue
                held = Held(holder=each.delivery_id, until=now + self._rules.dedup_window_s)
                known.update({key.digest: held for key in keys[each.delivery_id]})
                todo.append(self._again(each, seen, now))
            return sum(await together(todo))

    async def _again(self, dead: Delivery, seen: Mapping[str, Held], now: float) -> bool:
        """Publish first, delete last: whatever ends in between, the next redrive finishes it."""
        place = address(dead)
        stored = await self._broker.last(DEAD, f"pinrelay.dead.{place}")
        if stored is None:
            return False
        written = await self._broker.last(LEDGER, f"pinrelay.ledger.{place}")
        record = begun_again(_whole(dead, stored), now)
        # The sequence makes the message id new with every death; one that is queued already is not queued twice.
        is_queued = await self._broker.last(QUEUE, f"pinrelay.queue.{place}") is not None
        if not is_queued:
            message_id = f"redrive.{stored.sequence}"
            body = encode(record, with_payload=True)
            ack = await self._broker.publish(f"pinrelay.queue.{place}", body, message_id=message_id)
            is_queued = bool(ack.duplicate)
        after = written.sequence if written else 0
        await self._broker.replace(f"pinrelay.ledger.{place}", encode(record), after=after)
        keys = keys_under(self._rules, dead)
        await self._keys.take(keys, dead.delivery_id, now + self._rules.dedup_window_s, seen)
        await self._broker.purge(DEAD, stored.subject, up_to=stored.sequence)
        return not is_queued

    async def _explain(self, dead: Delivery, replay: str) -> bool:
        """Add to the reason of a dead delivery, once, that another delivery carries its event."""
        first, _, _ = dead.reason.partition(f"; {REPLAYED}")
        reason = f"{first}; {REPLAYED} the same event was sent again as delivery {replay}"
        record = Record(delivery=replace(dead, reason=reason))
        await self._broker.publish(f"pinrelay.ledger.{address(dead)}", encode(record))
        return False


def _whole(dead: Delivery, stored: Stored) -> Record:
    kept = decode(stored.body)
    return Record(delivery=replace(dead, payload=kept.delivery.payload), traceparent=kept.traceparent)
