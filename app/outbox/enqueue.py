"""What a call of `Outbox.enqueue` comes to: which deliveries are new, and the rows that are stored of it.

Nearly always everything is new. So all is written down as if it were; an engine stores it if it is true, and else has
each delivery checked for duplicates by itself.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import Enqueued, NewDelivery
from app.core.events import CounterRow, DroppedEvent, Exit
from app.core.people import PeopleChanges
from app.core.values.times import DAY_S
from app.outbox.backpressure import Loads, dropped_duplicate, loads_of
from app.outbox.counts import enqueue_counters
from app.outbox.dedup import Deduplicator, Key, KeyOwner, Order, TakenKey, erased_at, is_erased, keys_of, why_erased
from app.outbox.people import owner_rows
from app.outbox.rows import DROPPED_COLUMNS, warnings_and_memory

#: Of the JSON that is stored as payload: 1 is Pinterest's ConversionEvent as `app.destination` writes it.
PAYLOAD_VERSION: Final = 1

#: After so many deliveries the other tasks of the event loop get their turn.
_DELIVERIES_A_TURN = 100

#: Of a delivery, in the order in which the statements of the engines take it; until when it is held, its size and its
#: time come behind.
DELIVERY_COLUMNS: Final = (
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
    "name",
)
_OF_DELIVERY: Final = attrgetter(*DELIVERY_COLUMNS)
_WARNINGS: Final = DELIVERY_COLUMNS.index("warnings")
#: Of such a row: by what deliveries are counted by name, its time last.
_NAMED: Final = itemgetter(DELIVERY_COLUMNS.index("name"), DELIVERY_COLUMNS.index("source"), -1)
_ENQUEUED = Enqueued(exit=Exit.ENQUEUED)

#: digest -> who holds the key
Held: TypeAlias = Mapping[str, Sequence[KeyOwner]]
#: A row of an engine's query `keys_taken`: digest, delivery, when it is forgotten, place, what is known of the order.
KeyRow: TypeAlias = tuple[str, int, float, int, str | None]


@dataclass(slots=True)
class Rows:
    """What is to be stored. Deliveries are counted from 0, and get their ids when they are stored."""

    #: The columns of a delivery, until when it is held, the size of its payload in bytes, when it was enqueued.
    deliveries: list[list[Any]] = field(default_factory=list)
    #: They travel as one blob: in JSON they would be escaped here, and read again there.
    payloads: list[bytes] = field(default_factory=list)
    #: [where it begins in the blob, its length], in bytes
    spans: list[list[int]] = field(default_factory=list)
    #: The columns of a dropped event and its time.
    dropped: list[list[Any]] = field(default_factory=list)
    #: [digest, place of its delivery, when it is forgotten], and of orders [its place among the holders, the order]
    keys: list[list[Any]] = field(default_factory=list)
    #: The same of deliveries that are stored already, by id, which did not know their order or checkout.
    learned: list[list[Any]] = field(default_factory=list)
    #: Each with the moment at which it happened.
    counters: list[tuple[float, CounterRow]] = field(default_factory=list)
    #: Whose the deliveries are: see `owner_rows`.
    owners: list[list[Any]] = field(default_factory=list)
    blob_bytes: int = field(default=0, init=False)

    def add_first(
        self, delivery: NewDelivery, keys: Sequence[Key], now: float, rules: OutboxSettings, *, held_from: float
    ) -> None:
        """Add a delivery whose keys nobody holds. Raises UnicodeDecodeError where its payload is not UTF-8."""
        place = len(self.deliveries)
        event, *of_order = keys
        self.keys.append([event.digest, place, now + rules.dedup_window_s])
        if of_order:
            order = Order.of(delivery).text
            self.keys += [[key.digest, place, now + rules.ledger_s, 0, order] for key in of_order]
        self._add(delivery, now, held_from)

    def add_checked(self, delivery: NewDelivery, taken: Iterable[TakenKey], now: float, *, held_from: float) -> None:
        """Add a delivery with the keys that it takes."""
        self.keys += [each.row(len(self.deliveries)) for each in taken]
        self._add(delivery, now, held_from)

    def learn(self, taken: Iterable[TakenKey]) -> None:
        """Add what is learned of deliveries that are stored already, or in this call."""
        self.learned += [each.row(each.holder.delivery_id) for each in taken]

    def _add(self, delivery: NewDelivery, now: float, held_from: float) -> None:
        size_bytes = len(delivery.payload)
        if not delivery.payload.isascii():
            delivery.payload.decode()  # what is not UTF-8 could never be claimed, so it is told here
        self.payloads.append(delivery.payload)
        self.spans.append([self.blob_bytes, size_bytes])
        self.blob_bytes += size_bytes
        hold_until = held_from + delivery.hold_s if delivery.hold_s else None
        row = [*_OF_DELIVERY(delivery), hold_until, size_bytes, now + delivery.hold_s]
        if delivery.memory:
            row[_WARNINGS] = warnings_and_memory(delivery)
        self.deliveries.append(row)

    def add_dropped(self, event: DroppedEvent, now: float) -> None:
        """Add the row of an event that was dropped `now`."""
        self.dropped.append([*DROPPED_COLUMNS(event), now])

    @property
    def loads(self) -> Loads:
        """How much waits more, by ad account, once they are stored."""
        return loads_of((account, 1, size_bytes) for account, *_, size_bytes, _ in self.deliveries)

    @property
    def named(self) -> list[list[Any]]:
        """How many deliveries there are: [name as received, source, day on which they come, count], in order."""
        counts: Counter[tuple[str, str, int]] = Counter()
        for (name, source, at), count in Counter(map(_NAMED, self.deliveries)).items():
            counts[name, source, int(at // DAY_S)] += count
        return [[*key, count] for key, count in sorted(counts.items())]

    def extend(self, other: "Rows") -> None:
        """Add what stands in `other` behind what stands here."""
        place, begin = len(self.deliveries), self.blob_bytes
        self.deliveries += other.deliveries
        self.payloads += other.payloads
        self.spans += [[begin + start, size] for start, size in other.spans]
        self.dropped += other.dropped
        self.keys += [[digest, place + holder, *rest] for digest, holder, *rest in other.keys]
        self.learned += other.learned
        self.counters += other.counters
        self.owners += other.owners
        self.blob_bytes += other.blob_bytes


@dataclass(slots=True, kw_only=True)
class PreparedEnqueue:
    """One `Outbox.enqueue` that waits for a commit, with the rows that are stored if every delivery is new."""

    deliveries: Sequence[NewDelivery]
    keys: Sequence[tuple[Key, ...]]
    dropped: Sequence[DroppedEvent]
    counters: Sequence[CounterRow]
    now: float
    #: From when holds count that begin with it, by `HoldClock`.
    held_from: float
    #: None where not all is new: two deliveries of the call share a key, or the store has found a key of one.
    all_new: Rows | None
    #: What changes in memory with it, and whose the deliveries are.
    people: PeopleChanges | None = None

    @property
    def rows(self) -> int:
        """About how many rows are written for the call."""
        return 1 + len(self.deliveries) + len(self.dropped)

    @property
    def digests(self) -> list[str]:
        """The keys of all its deliveries."""
        return [key.digest for of_delivery in self.keys for key in of_delivery]

    def all_enqueued(self) -> list[Enqueued]:
        """Return the answers where every delivery is new."""
        return [_ENQUEUED] * len(self.deliveries)


async def prepare(
    deliveries: Sequence[NewDelivery],
    dropped: Sequence[DroppedEvent],
    counters: Sequence[CounterRow],
    *,
    now: float,
    held_from: float,
    rules: OutboxSettings,
    people: PeopleChanges | None = None,
) -> PreparedEnqueue:
    """Prepare one `Outbox.enqueue`. Raises UnicodeDecodeError where a payload is not UTF-8."""
    rows = Rows()
    keys: list[tuple[Key, ...]] = []
    for place, delivery in enumerate(deliveries, start=1):
        of_delivery = keys_of(delivery, rules)
        keys.append(of_delivery)
        rows.add_first(delivery, of_delivery, now, rules, held_from=held_from)
        if place % _DELIVERIES_A_TURN == 0:
            await asyncio.sleep(0)
    call = PreparedEnqueue(
        deliveries=deliveries,
        keys=keys,
        dropped=dropped,
        counters=counters,
        now=now,
        held_from=held_from,
        all_new=None,
        people=people,
    )
    digests = call.digests
    if len(set(digests)) == len(digests):
        for event in dropped:
            rows.add_dropped(event, now)
        counted = enqueue_counters(deliveries, call.all_enqueued())
        rows.counters = [(now, counter) for counter in (*counters, *counted)]
        rows.owners = owner_rows(people, now)
        call.all_new = rows
    return call


def holders(rows: Iterable[KeyRow]) -> dict[str, list[KeyOwner]]:
    """Return who holds a key, by digest; since when is not among these rows."""
    held: defaultdict[str, list[KeyOwner]] = defaultdict(list)
    for digest, delivery_id, until, place, known in rows:
        if known is None or not is_erased(known):
            held[digest].append(KeyOwner(delivery_id, until, until, place, Order.read(known) if known else None))
    return held


def erased_keys(rows: Iterable[KeyRow], now: float) -> dict[str, float]:
    """Return when the person behind a key was erased, by digest; keys whose time is over are left out."""
    return {row[0]: erased_at(row[4]) for row in rows if row[2] > now and row[4] is not None and is_erased(row[4])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicated:
    """What a call comes to where not all of it is new."""

    rows: Rows
    answers: list[Enqueued]
    #: Who holds a key once the rows are stored.
    held: Held


def without_duplicates(
    call: PreparedEnqueue, held: Held, ids: Sequence[int], rules: OutboxSettings, *, erased: Mapping[str, float]
) -> Deduplicated:
    """Check each delivery for duplicates by the keys that are `held`. The new ones will get `ids` in their order.

    What has a key whose person was `erased`, by digest, is withheld, and nothing tells whose it is.
    """
    rows = Rows(owners=owner_rows(call.people, call.now))
    for event in call.dropped:
        rows.add_dropped(event, call.now)
    answers = []
    dedup = Deduplicator(held, now=call.now, rules=rules)
    for delivery, keys in zip(call.deliveries, call.keys, strict=True):
        if reason := why_erased(keys, erased):
            answers.append(Enqueued(exit=Exit.WITHHELD, reason=reason))
            rows.add_dropped(dropped_duplicate(delivery, reason, exit_=Exit.WITHHELD), call.now)
            rows.owners = [row for row in rows.owners if row[0] != delivery.message_id]
            continue
        result = dedup.check(delivery, keys, ids[len(rows.deliveries)])
        if result.repeats:
            answers.append(Enqueued(exit=Exit.DUPLICATE, reason=result.reason))
            rows.add_dropped(dropped_duplicate(delivery, result.reason), call.now)
            rows.learn(result.taken)
        elif result.warnings:
            answers.append(Enqueued(exit=Exit.ENQUEUED, warnings=result.warnings))
            warned = replace(delivery, warnings=(*delivery.warnings, *result.warnings))
            rows.add_checked(warned, result.taken, call.now, held_from=call.held_from)
        else:
            answers.append(_ENQUEUED)
            rows.add_checked(delivery, result.taken, call.now, held_from=call.held_from)
    counted = enqueue_counters(call.deliveries, answers)
    rows.counters = [(call.now, counter) for counter in (*call.counters, *counted)]
    return Deduplicated(rows=rows, answers=answers, held=dedup.held)
