"""What a call of `Outbox.enqueue` comes to: which deliveries are new, and the rows that are stored of it.

Nearly always everything is new. So all is written down as if it were; an engine stores it if it is true, and else has
each delivery judged by itself.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, TypeAlias

from app.outbox.counts import enqueue_tallies
from app.outbox.keys import Key
from app.outbox.outbox_rules import OutboxRules
from app.outbox.refusals import duplicate_note, seen_before
from app.outbox.repeats import keys_under
from app.types import Enqueued, Exit, NewDelivery, Note, Tally

#: Of the JSON that is stored as payload: 1 is Pinterest's ConversionEvent as `app.destination` writes it.
PAYLOAD_VERSION: Final = 1
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
#: Counts are kept by the minute for so long, then by the hour.
MINUTES_KEPT_S: Final = 2 * 86_400

#: After so many deliveries the other tasks of the event loop get their turn.
_DELIVERIES_A_TURN = 100

#: Of a delivery, in the order in which the statements of the engines take it; its size and time come behind.
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
#: Of a note likewise; its time comes behind.
_NOTE_COLUMNS = attrgetter(
    "message_id", "preset", "exit", "reason", "warnings", "event_name", "order_id", "amount", "currency", "source"
)

_ENQUEUED = Enqueued(exit=Exit.ENQUEUED)

#: digest -> (the delivery that holds the key, when its window ends)
Held: TypeAlias = dict[str, tuple[int, float]]


@dataclass(slots=True)
class Rows:
    """What is to be stored. Deliveries are counted from 0, and get their ids when they are stored."""

    #: The columns of a delivery, the size of its payload in bytes, when it was enqueued.
    deliveries: list[list[Any]] = field(default_factory=list)
    #: They travel as one blob: in JSON they would be escaped here, and read again there.
    payloads: list[bytes] = field(default_factory=list)
    #: [where it begins in the blob, its length], in bytes
    spans: list[list[int]] = field(default_factory=list)
    #: The columns of a note and its time.
    notes: list[list[Any]] = field(default_factory=list)
    #: [digest, place of its delivery, when its window ends]
    keys: list[list[Any]] = field(default_factory=list)
    #: Each with the moment at which it happened.
    tallies: list[tuple[float, Tally]] = field(default_factory=list)
    blob_bytes: int = field(default=0, init=False)

    def add(self, delivery: NewDelivery, keys: Iterable[Key], now: float, rules: OutboxRules) -> None:
        """Add a delivery that is new, with its keys. Raises UnicodeDecodeError where its payload is not UTF-8."""
        place = len(self.deliveries)
        self.keys += [[key.digest, place, now + rules.dedup_window_s] for key in keys]
        size_bytes = len(delivery.payload)
        if not delivery.payload.isascii():
            delivery.payload.decode()  # what is not UTF-8 could never be claimed, so it is told here
        self.payloads.append(delivery.payload)
        self.spans.append([self.blob_bytes, size_bytes])
        self.blob_bytes += size_bytes
        self.deliveries.append([*_COLUMNS(delivery), size_bytes, now])

    def add_note(self, note: Note, now: float) -> None:
        """Add a note."""
        self.notes.append([*_NOTE_COLUMNS(note), now])

    def extend(self, other: "Rows") -> None:
        """Add what stands in `other` behind what stands here."""
        place, begin = len(self.deliveries), self.blob_bytes
        self.deliveries += other.deliveries
        self.payloads += other.payloads
        self.spans += [[begin + start, size] for start, size in other.spans]
        self.notes += other.notes
        self.keys += [[digest, place + holder, until] for digest, holder, until in other.keys]
        self.tallies += other.tallies
        self.blob_bytes += other.blob_bytes


@dataclass(slots=True, kw_only=True)
class EnqueueCall:
    """The arguments of one `Outbox.enqueue`, and what they come to where every delivery is new."""

    deliveries: Sequence[NewDelivery]
    keys: Sequence[tuple[Key, ...]]
    notes: Sequence[Note]
    tallies: Sequence[Tally]
    now: float
    #: None where two deliveries of the call share a key.
    all_new: Rows | None

    @property
    def digests(self) -> list[str]:
        """The keys of all its deliveries."""
        return [key.digest for of_delivery in self.keys for key in of_delivery]

    def all_enqueued(self) -> list[Enqueued]:
        """Return the answers where every delivery is new."""
        return [_ENQUEUED] * len(self.deliveries)


async def prepare_call(
    deliveries: Sequence[NewDelivery],
    notes: Sequence[Note],
    tallies: Sequence[Tally],
    *,
    now: float,
    rules: OutboxRules,
) -> EnqueueCall:
    """Write down one `Outbox.enqueue`. Raises UnicodeDecodeError where a payload is not UTF-8."""
    rows = Rows()
    keys: list[tuple[Key, ...]] = []
    for place, delivery in enumerate(deliveries, start=1):
        of_delivery = keys_under(delivery, rules)
        keys.append(of_delivery)
        rows.add(delivery, of_delivery, now, rules)
        if place % _DELIVERIES_A_TURN == 0:
            await asyncio.sleep(0)
    call = EnqueueCall(deliveries=deliveries, keys=keys, notes=notes, tallies=tallies, now=now, all_new=None)
    digests = call.digests
    if len(set(digests)) == len(digests):
        for note in notes:
            rows.add_note(note, now)
        counted = enqueue_tallies(deliveries, call.all_enqueued())
        rows.tallies = [(now, tally) for tally in (*tallies, *counted)]
        call.all_new = rows
    return call


def without_duplicates(
    call: EnqueueCall, held: Held, ids: Sequence[int], rules: OutboxRules
) -> tuple[Rows, list[Enqueued]]:
    """Judge each delivery by the keys that are `held`; return the rows of the new ones, and the answers.

    The new ones will get `ids` in their order; their keys are added to `held`.
    """
    rows = Rows()
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
            holder = ids[len(rows.deliveries)], call.now + rules.dedup_window_s
            held |= {key.digest: holder for key in keys}
            rows.add(delivery, keys, call.now, rules)
    counted = enqueue_tallies(call.deliveries, answers)
    rows.tallies = [(call.now, tally) for tally in (*call.tallies, *counted)]
    return rows, answers


def _seen(keys: Iterable[Key], held: Held, now: float) -> str:
    """Return which key was seen before, and where; "" where none was."""
    for key in keys:
        holder, until = held.get(key.digest, (0, now))
        if until > now:
            return seen_before(key, holder)
    return ""


def summed(tallies: Iterable[tuple[float, Tally]], *, span_s: int) -> list[tuple[int, str, str, str, int]]:
    """Sum counts by the minute or hour in which they happened: its start, name, preset, label and count."""
    counts: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
    for at, tally in tallies:
        counts[int(at // span_s) * span_s, tally.name, tally.preset, tally.label] += tally.count
    return [(*key, count) for key, count in counts.items()]
