"""Enqueue: judge duplicates, store what is new, then remember its keys."""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from app.outbox.counts import enqueue_tallies
from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.keys import Held, Keys, keys_under
from app.outbox.jetstream.record import Record, begun, decode, encode
from app.outbox.jetstream.streams import HELD, QUEUE, address, token
from app.outbox.keys import Key
from app.outbox.outbox_rules import OutboxRules
from app.outbox.refusals import backlog_full, duplicate_note, seen_before
from app.outbox.repeats import Holder, repeated
from app.types import Enqueued, Exit, NewDelivery, Note, Seen, Tally

_counter = itertools.count()


def new_delivery_id(now: float) -> str:
    """Make an id that no other process makes; later ones of a process sort behind earlier ones."""
    return f"{int(now * 1e6):014x}{next(_counter) % 16**8:08x}{secrets.token_hex(4)}"


@dataclass(slots=True, kw_only=True)
class Judged:
    """What is to be stored of one call."""

    answers: list[Enqueued] = field(default_factory=list)
    #: By their place among the answers.
    new: dict[int, Record] = field(default_factory=dict)


def judge(deliveries: Sequence[NewDelivery], seen: Mapping[str, Held], rules: OutboxRules, now: float) -> Judged:
    """Decide for each delivery whether it is new."""
    judged = Judged()
    known = dict(seen)
    for place, delivery in enumerate(deliveries):
        keys = keys_under(rules, delivery)
        held = next((key for key in keys if known[key.digest].until > now), None)
        if held is not None:
            reason = seen_before(held, known[held.digest].holder)
            judged.answers.append(Enqueued(exit=Exit.DUPLICATE, reason=reason))
            continue
        record = begun(delivery, new_delivery_id(now), now)
        judged.answers.append(Enqueued(exit=Exit.ENQUEUED))
        judged.new[place] = record
        taken = Held(holder=record.delivery.delivery_id, until=now + rules.dedup_window_s)
        known.update({key.digest: taken for key in keys})
    return judged


class Enqueue:
    """Does `Outbox.enqueue`."""

    def __init__(self, broker: Broker, keys: Keys, rules: OutboxRules) -> None:
        self._broker = broker
        self._keys = keys
        self._rules = rules

    async def __call__(
        self, deliveries: Sequence[NewDelivery], notes: Sequence[Note], *, now: float
    ) -> tuple[list[Enqueued], list[Tally]]:
        """Store, then answer with what only the outbox counts."""
        keys = [key for delivery in deliveries for key in keys_under(self._rules, delivery)]
        async with self._keys.locked(keys):
            seen = await self._keys.look(keys)
            judged = judge(deliveries, seen, self._rules, now)
            bodies = {place: encode(record, with_payload=True) for place, record in judged.new.items()}
            await self.refuse_beyond_the_backlog(len(judged.new))
            await together(self._store(judged, place, body, seen, now) for place, body in bodies.items())
        duplicates = [
            duplicate_note(delivery, answer.reason)
            for delivery, answer in zip(deliveries, judged.answers, strict=True)
            if answer.exit is Exit.DUPLICATE
        ]
        for note in (*notes, *duplicates):  # one by one: their order is their order in the ledger
            await self._broker.publish(f"pinrelay.note.{token(note.message_id)}", orjson.dumps([now, note]))
        return judged.answers, enqueue_tallies(deliveries, judged.answers)

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        """Do `Outbox.seen`."""
        keys = [keys_under(self._rules, delivery) for delivery in deliveries]
        found = await self._keys.look(key for of_delivery in keys for key in of_delivery)
        window_s = self._rules.dedup_window_s
        holders = {
            digest: Holder(held.holder, held.until - window_s) for digest, held in found.items() if held.until > now
        }
        return repeated(keys, holders, now=now)

    async def refuse_beyond_the_backlog(self, count: int) -> None:
        """Raise OutboxUnavailable where `count` more deliveries would be too many."""
        counts = await together(map(self._broker.count, (QUEUE, HELD))) if count else []
        waiting = sum(messages for messages, _, _ in counts)
        if waiting + count > self._rules.max_backlog:
            raise backlog_full(self._rules)

    async def _store(self, judged: Judged, place: int, body: bytes, seen: Mapping[str, Held], now: float) -> None:
        """Store one delivery; then, and never before, its keys.

        The message id holds the revision of the key as it was seen: of two processes that saw the same, one is the
        duplicate, and so is a quick retry of a call that failed half-way. A key that was released has another one.
        """
        record = judged.new[place]
        keys = keys_under(self._rules, record.delivery)
        event = keys[0].digest
        message_id = f"{event}.{seen[event].revision}"
        ack = await self._broker.publish(f"pinrelay.queue.{address(record.delivery)}", body, message_id=message_id)
        if ack.duplicate:
            reason = "the same event_id was enqueued a moment ago"
            judged.answers[place] = Enqueued(exit=Exit.DUPLICATE, reason=reason)
            first = await self._broker.at(QUEUE, ack.seq)
            if first is None:
                return
            record = decode(first.body)
        await self._remember(record, keys, seen, now)

    async def _remember(self, record: Record, keys: Sequence[Key], seen: Mapping[str, Held], now: float) -> None:
        """Write the ledger, unless a sender was faster, and the keys."""
        delivery = replace(record.delivery, payload=None)
        await self._broker.replace(
            f"pinrelay.ledger.{address(delivery)}", encode(Record(delivery=delivery)), after=0
        )  # fmt: skip
        await self._keys.take(keys, delivery.delivery_id, now + self._rules.dedup_window_s, seen)
