"""Enqueue: judge duplicates, then store what is new.

Nearly always everything is new. So all is written down beforehand as if it were, by the event loop, whose thread holds
Python's lock anyhow; the thread that commits looks whether it is true and stores it, with hardly a line of Python.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

from app.errors import OutboxUnavailable
from app.outbox.counts import enqueue_tallies
from app.outbox.keys import Key
from app.outbox.outbox_rules import OutboxRules
from app.outbox.refusals import backlog_full, duplicate_note, seen_before
from app.outbox.repeats import keys_under
from app.outbox.sqlite.database import PAYLOAD_VERSION, as_rows, one_json, patiently
from app.outbox.sqlite.sql import SQL
from app.outbox.sqlite.tally import MINUTE_S, summed
from app.types import Enqueued, Exit, NewDelivery, Note, Tally

#: After so many deliveries the other tasks of the event loop get their turn.
_DELIVERIES_A_TURN = 100

#: Of a delivery, in the order of the statement `add_deliveries`; what else it takes comes behind.
_COLUMNS = attrgetter(
    "ad_account_id",
    "preset",
    "message_id",
    "event_name",
    "event_id",
    "action_source",
    "order_id",
    "event_time",
    "warnings",
    "traceparent",
    "source",
    "amount",
    "currency",
    "checkout_id",
    "buyer",
)

#: Of a note, in the order of the statement `add_notes`; its time comes behind.
_NOTE_COLUMNS = attrgetter(
    "message_id", "preset", "exit", "reason", "warnings", "event_name", "order_id", "amount", "currency", "source"
)

_ENQUEUED = Enqueued(exit=Exit.ENQUEUED)

#: digest -> (the delivery that holds the key, when its window ends)
_Held: TypeAlias = dict[str, tuple[int, float]]


@dataclass(slots=True, kw_only=True)
class EnqueueCall:
    """The arguments of one `Outbox.enqueue`, and what they come to where every delivery is new."""

    deliveries: Sequence[NewDelivery]
    keys: Sequence[tuple[Key, ...]]
    notes: Sequence[Note]
    tallies: Sequence[Tally]
    now: float
    #: The parameters of `store`; None where not all is new, which the first try at storing may show.
    all_new: Mapping[str, Any] | None


@dataclass(slots=True)
class _Rows:
    """What is to be written; deliveries are counted from 0, and get their ids when they are stored."""

    deliveries: list[Any] = field(default_factory=list)
    #: They travel as one blob: in JSON they would be escaped here, and read again there.
    payloads: list[bytes] = field(default_factory=list)
    #: [where it begins in the blob, its length], in bytes
    spans: list[Any] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    #: [digest, place of its delivery, when its window ends]
    keys: list[Any] = field(default_factory=list)
    _blob_bytes: int = field(default=0, init=False)

    def add(self, delivery: NewDelivery, keys: Iterable[Key], now: float, rules: OutboxRules) -> None:
        place = len(self.deliveries)
        self.keys += [[key.digest, place, now + rules.dedup_window_s] for key in keys]
        size_bytes = len(delivery.payload)
        if not delivery.payload.isascii():
            delivery.payload.decode()  # what is not UTF-8 could never be claimed, so it is told here
        self.payloads.append(delivery.payload)
        self.spans.append([self._blob_bytes, size_bytes])
        self._blob_bytes += size_bytes
        self.deliveries.append([*_COLUMNS(delivery), size_bytes, now])

    def add_note(self, note: Note, now: float) -> None:
        self.notes.append([*_NOTE_COLUMNS(note), now])

    def parameters(self, tallies: Iterable[Tally], now: float, rules: OutboxRules) -> dict[str, Any]:
        """Return the parameters of `store` where all has still to prove that it is new."""
        return {
            "unseen": True,
            "max_backlog": rules.max_backlog,
            "deliveries": as_rows(self.deliveries),
            "payloads": b"".join(self.payloads),
            "spans": as_rows(self.spans),
            "version": PAYLOAD_VERSION,
            "keys": as_rows(self.keys),
            "notes": as_rows(self.notes),
            "tallies": as_rows(summed([(now, tally) for tally in tallies], span_s=MINUTE_S)),
            "span_s": MINUTE_S,
        }


async def prepare_call(
    deliveries: Sequence[NewDelivery],
    notes: Sequence[Note],
    tallies: Sequence[Tally],
    *,
    now: float,
    rules: OutboxRules,
) -> EnqueueCall:
    """Write down one `Outbox.enqueue` for the thread that commits."""
    rows = _Rows()
    keys: list[tuple[Key, ...]] = []
    for place, delivery in enumerate(deliveries, start=1):
        of_delivery = keys_under(delivery, rules)
        keys.append(of_delivery)
        rows.add(delivery, of_delivery, now, rules)
        if place % _DELIVERIES_A_TURN == 0:
            await asyncio.sleep(0)
    for note in notes:
        rows.add_note(note, now)
    digests = _digests(keys)
    all_new = None
    if len(set(digests)) == len(digests):
        answers = [_ENQUEUED] * len(deliveries)
        all_new = rows.parameters([*tallies, *enqueue_tallies(deliveries, answers)], now, rules)
    return EnqueueCall(
        deliveries=deliveries,
        keys=keys,
        notes=notes,
        tallies=tallies,
        now=now,
        all_new=all_new,
    )


def _digests(keys: Iterable[tuple[Key, ...]]) -> list[str]:
    return [key.digest for of_delivery in keys for key in of_delivery]


def enqueue(
    connection: sqlite3.Connection, call: EnqueueCall, rules: OutboxRules
) -> list[Enqueued] | OutboxUnavailable:
    """Do `Outbox.enqueue` within a transaction; the answer is an error, and nothing done, where the backlog is full."""
    answers = enqueue_new(connection, call)
    if answers is not None:
        return answers
    taken, last_id, waiting = one_json(connection, "before_enqueue", rows=as_rows(_digests(call.keys)))
    held = {digest: (holder, until) for digest, holder, until in taken}
    parameters, answers = _without_duplicates(call, held, last_id + 1, rules)
    new = sum(answer.exit is Exit.ENQUEUED for answer in answers)
    if new and waiting + new > rules.max_backlog:
        return backlog_full(rules)
    connection.execute(SQL["store"], {**parameters, "unseen": False})
    return answers


def enqueue_new(connection: sqlite3.Connection, call: EnqueueCall) -> list[Enqueued] | None:
    """Do `Outbox.enqueue` in one statement, a transaction in itself; None, with nothing done, where not all is new."""
    if call.all_new is None:
        return None
    try:
        patiently(connection, SQL["store"], call.all_new)
    except sqlite3.IntegrityError:
        call.all_new = None
        return None
    return [_ENQUEUED] * len(call.deliveries)


def _without_duplicates(
    call: EnqueueCall, held: _Held, first_id: int, rules: OutboxRules
) -> tuple[dict[str, Any], list[Enqueued]]:
    """Decide for each delivery whether it is new, and write down what is to be stored."""
    rows = _Rows()
    for note in call.notes:
        rows.add_note(note, call.now)
    answers = []
    for delivery, keys in zip(call.deliveries, call.keys, strict=True):
        reason = _seen(keys, held, call.now)
        if reason:
            answers.append(Enqueued(exit=Exit.DUPLICATE, reason=reason))
            rows.add_note(duplicate_note(delivery, reason), call.now)
        else:
            answers.append(_ENQUEUED)
            holder = first_id + len(rows.deliveries), call.now + rules.dedup_window_s
            held |= {key.digest: holder for key in keys}
            rows.add(delivery, keys, call.now, rules)
    tallies = [*call.tallies, *enqueue_tallies(call.deliveries, answers)]
    return rows.parameters(tallies, call.now, rules), answers


def _seen(keys: Iterable[Key], held: _Held, now: float) -> str:
    """Return which key was seen before, and where; "" where none was."""
    for key in keys:
        holder, until = held.get(key.digest, (0, now))
        if until > now:
            return seen_before(key, holder)
    return ""


def prepare_connection(connection: sqlite3.Connection) -> None:
    """Teach a connection the statement `store` of queries.sql, which writes into a view with nothing but a trigger.

    SQLite runs the steps of a trigger without a word to Python, whose lock the event loop holds nearly always: to get
    it after each step took longer than the steps.
    """
    names = SQL["store"].partition("storing (")[2].partition(")")[0].split(", ")
    connection.execute(f"CREATE TEMP VIEW storing AS SELECT {', '.join(f'NULL AS {name}' for name in names)}")
    rows = {
        "add_deliveries": "deliveries",
        "add_payloads": "spans",
        "take_keys": "keys",
        "add_notes": "notes",
        "add_tallies": "tallies",
    }
    steps = [SQL[name].replace(":rows", f"new.{given}").replace(":", "new.") for name, given in rows.items()]
    body = "\n".join([SQL["refuse_to_store"], *steps])
    connection.execute(f"CREATE TEMP TRIGGER store INSTEAD OF INSERT ON storing BEGIN {body} END")
