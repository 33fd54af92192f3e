"""Enqueue: judge duplicates, then store what is new."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from app.outbox.counts import enqueue_tallies
from app.outbox.keys import Key, keys_of
from app.outbox.refusals import backlog_full, duplicate_note, seen_before
from app.outbox.rules import OutboxRules
from app.outbox.sqlite.database import PAYLOAD_VERSION, as_rows, one_json
from app.outbox.sqlite.sql import SQL
from app.outbox.sqlite.tally import add_tallies
from app.types import Enqueued, Exit, NewDelivery, Note, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueCall:
    """The arguments of one `Outbox.enqueue`."""

    deliveries: Sequence[NewDelivery]
    notes: Sequence[Note]
    tallies: Sequence[Tally]
    now: float


#: digest -> (the delivery that holds the key, when its window ends)
Held: TypeAlias = dict[str, tuple[int, float]]


@dataclass(slots=True)
class _Rows:
    """What is to be written."""

    deliveries: list[Any] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    tallies: list[tuple[float, Tally]] = field(default_factory=list)
    keys: Held = field(default_factory=dict)

    def add_note(self, note: Note, now: float) -> None:
        self.notes.append([note.message_id, note.preset, note.exit, note.reason, note.warnings, now])

    def add(self, other: "_Rows") -> None:
        self.deliveries += other.deliveries
        self.bodies += other.bodies
        self.notes += other.notes
        self.tallies += other.tallies
        self.keys |= other.keys


def enqueue(
    connection: sqlite3.Connection, calls: Sequence[EnqueueCall], rules: OutboxRules
) -> list[list[Enqueued] | Exception]:
    """Do `Outbox.enqueue` for several calls at once; each is turned away alone where it exceeds the backlog."""
    keys = [[_keys(delivery, rules) for delivery in call.deliveries] for call in calls]
    taken, last_id, waiting = _look(
        connection, [key for of_call in keys for of_delivery in of_call for key in of_delivery]
    )
    rows = _Rows()
    answers: list[list[Enqueued] | Exception] = []
    for call, of_call in zip(calls, keys, strict=True):
        new, answer = _judge(call, of_call, taken, last_id + len(rows.deliveries) + 1, rules)
        if new.deliveries and waiting + len(rows.deliveries) + len(new.deliveries) > rules.max_backlog:
            answers.append(backlog_full(rules))
            continue
        rows.add(new)
        taken |= new.keys
        answers.append(answer)
    _store(connection, rows, last_id + 1)
    return answers


def _keys(delivery: NewDelivery, rules: OutboxRules) -> tuple[Key, ...]:
    return keys_of(
        ad_account_id=delivery.ad_account_id,
        preset=delivery.preset,
        event_name=delivery.event_name,
        event_id=delivery.event_id,
        order_id=delivery.order_id,
        dedup_orders=rules.dedup_orders,
    )


def _look(connection: sqlite3.Connection, keys: Iterable[Key]) -> tuple[Held, int, int]:
    """Look up which keys are remembered, the highest id ever given to a delivery, and how many deliveries wait."""
    rows = as_rows([key.digest for key in keys])
    taken, last_id, waiting = one_json(connection, "before_enqueue", rows=rows)
    return {digest: (holder, until) for digest, holder, until in taken}, last_id, waiting


def _judge(
    call: EnqueueCall, keys: Sequence[tuple[Key, ...]], taken: Held, first_id: int, rules: OutboxRules
) -> tuple[_Rows, list[Enqueued]]:
    """Decide for each delivery of one call whether it is new, and write down what is to be stored."""
    rows = _Rows(tallies=[(call.now, tally) for tally in call.tallies])
    for note in call.notes:
        rows.add_note(note, call.now)
    answers = []
    for delivery, of_delivery in zip(call.deliveries, keys, strict=True):
        reason = _seen(of_delivery, rows.keys, taken, call.now)
        if reason:
            answers.append(Enqueued(exit=Exit.DUPLICATE, reason=reason))
            rows.add_note(duplicate_note(delivery, reason), call.now)
        else:
            answers.append(Enqueued(exit=Exit.ENQUEUED))
            delivery_id = first_id + len(rows.deliveries)
            rows.keys.update((key.digest, (delivery_id, call.now + rules.dedup_window_s)) for key in of_delivery)
            _write_new(rows, delivery, delivery_id, call.now)
    rows.tallies += [(call.now, tally) for tally in enqueue_tallies(call.deliveries, answers)]
    return rows, answers


def _seen(keys: Iterable[Key], own: Held, taken: Held, now: float) -> str:
    """Say which key was seen before, and where; "" where none was."""
    for key in keys:
        holder, until = own.get(key.digest) or taken.get(key.digest) or (0, now)
        if until > now:
            return seen_before(key, holder)
    return ""


def _write_new(rows: _Rows, delivery: NewDelivery, delivery_id: int, now: float) -> None:
    row = [
        delivery_id,
        delivery.ad_account_id,
        delivery.preset,
        delivery.message_id,
        delivery.event_name,
        delivery.event_id,
        delivery.action_source,
        delivery.order_id,
        delivery.event_time,
        delivery.warnings,
        len(delivery.payload),
        now,
        delivery.traceparent,
    ]
    rows.deliveries.append(row)
    rows.bodies.append(delivery.payload.decode())


def _store(connection: sqlite3.Connection, rows: _Rows, first_id: int) -> None:
    if rows.deliveries:
        connection.execute(SQL["add_deliveries"], {"rows": as_rows(rows.deliveries)})
        parameters = {"rows": as_rows(rows.bodies), "first_id": first_id, "version": PAYLOAD_VERSION}
        connection.execute(SQL["add_payloads"], parameters)
        keys = [(digest, *held) for digest, held in rows.keys.items()]
        connection.execute(SQL["take_keys"], {"rows": as_rows(keys)})
    if rows.notes:
        connection.execute(SQL["add_notes"], {"rows": as_rows(rows.notes)})
    add_tallies(connection, rows.tallies)
