"""The result of an `Outbox.enqueue`: the new deliveries, and the rows to store.

Usually every delivery is new. So the rows are prepared for this case; an engine stores them if the case holds, and
otherwise has each delivery checked for duplicates.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson
from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import DeliveryColumns, Enqueued, NewDelivery, Seen, State, StoredDelivery, side_of
from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.people import PeopleChanges
from app.core.values.times import DAY_S
from app.outbox.counts import enqueue_counters
from app.outbox.dedup import (
    Deduplicator,
    DedupResult,
    Key,
    KeyOwner,
    Order,
    SeenRow,
    TakenKey,
    erased_at,
    is_erased,
    key_owner,
    keys_of,
    message_key,
    own_number_of,
    why_erased,
)
from app.outbox.pairing import (
    LOOK_S,
    NOT_CONFIRMED,
    WAITS,
    WAITS_TO_BE_WITHHELD,
    Merge,
    Pairing,
    merge,
    with_opt_outs_of,
)
from app.outbox.people import owner_rows
from app.outbox.refusals import Loads, dropped_duplicate, loads_of, with_room_for_trusted
from app.outbox.rows import DROPPED_COLUMNS, as_json, warnings_and_memory

#: The version of the JSON in payloads: 1 is Pinterest's ConversionEvent as `app.destination` writes it.
PAYLOAD_VERSION: Final = 1

#: The number of deliveries after which other tasks of the event loop run.
_DELIVERIES_A_TURN = 500

_OF_EVENT: Final = attrgetter("name", "source")
_AT: Final = attrgetter("at")
_ENQUEUED = Enqueued(outcome=Outcome.ENQUEUED)
_ALONE: Final = Pairing()
#: The fields of a new delivery that are stored unchanged.
_ALIKE: Final = (*DeliveryColumns.__struct_fields__, "payload")

#: digest -> owners of the key
Held: TypeAlias = Mapping[str, Sequence[KeyOwner]]
#: A row of an engine's query `keys_taken`: digest, delivery, expiry, position, the stored order, and whether the key is
#: trusted.
KeyRow: TypeAlias = tuple[str, int, float, int, str | None, bool]


class Placement(NamedTuple):
    """The due time and the hold of a delivery; most deliveries of a call share one."""

    #: The times of enqueueing and of the first attempt, Unix seconds.
    at: float
    due_at: float
    #: By `HoldClock`; `None`: not held.
    hold_until: float | None = None
    #: The token of the sender that claims the delivery at its storage, until `due_at`; `None`: not claimed.
    claim: str | None = None
    #: The order side as JSON; `None` without one.
    side: str | None = None
    #: See `StoredDelivery.follows`.
    follows: int | None = None


@dataclass(slots=True)
class Rows:
    """The rows to store. Deliveries are numbered from 0, and get their ids when they are stored."""

    deliveries: list[NewDelivery] = field(default_factory=list)
    #: Of each delivery: its placement, and its person (see `owner_rows`; `None`: not from the delivery).
    placed: list[Placement] = field(default_factory=list)
    owned: list[str | None] = field(default_factory=list)
    #: The columns of a dropped event and its time.
    dropped: list[list[Any]] = field(default_factory=list)
    #: [digest, number of its delivery, expiry, position among the owners, the stored order or the source of the event,
    #: whether it is trusted]
    keys: list[Sequence[Any]] = field(default_factory=list)
    #: The same for stored deliveries, by id, without an order or checkout before.
    learned: list[Sequence[Any]] = field(default_factory=list)
    #: Each with its time.
    counters: list[tuple[float, CounterRow]] = field(default_factory=list)
    #: The persons of messages without a delivery here: see `owner_rows`.
    owners: list[tuple[str, str, float]] = field(default_factory=list)
    #: Deliveries into which others are merged, in order.
    merges: list[Merge] = field(default_factory=list)
    #: [delivery, reason] of waiting deliveries that are not sent after the arrival of their counterpart.
    superseded: list[tuple[int, str]] = field(default_factory=list)
    #: [delivery, its warnings] of deliveries that were sent before the arrival of their counterpart.
    told: list[tuple[int, str]] = field(default_factory=list)
    #: [digest, delivery, position] of keys that are deleted first, to free their positions.
    evicted: list[tuple[str, object, int]] = field(default_factory=list)
    #: [ad account, delivery, heir]: followers of the delivery follow the heir from now on.
    heirs: list[tuple[str, int, int]] = field(default_factory=list)
    #: Deliveries with followers.
    followed: list[int] = field(default_factory=list)
    #: Deliveries with encrypted events after the arrival of their counterpart.
    confirmed: list[int] = field(default_factory=list)
    #: Whether part of the capacity is reserved for others.
    leaves_room: bool = False

    def add_checked(
        self,
        delivery: NewDelivery,
        taken: Iterable[TakenKey],
        now: float,
        *,
        held_from: float,
        follows: int | None = None,
    ) -> None:
        """Add a delivery with its new keys; the delivery may follow another one."""
        taken = list(taken)
        if gone := [(each.key.digest, each.instead_of) for each in taken if each.instead_of]:
            self.evict([(digest, holder.delivery_id, holder.place) for digest, holder in gone])
        self.keys += [each.row(len(self.deliveries)) for each in taken]
        self.deliveries.append(delivery)
        self.placed.append(_placement(delivery, now, held_from, follows))
        self.owned.append(None)

    def evict(self, gone: Sequence[tuple[str, object, int]]) -> None:
        """Delete keys of other deliveries, also of deliveries in this call."""
        places = {(digest, place) for digest, _, place in gone}
        for rows in (self.keys, self.learned):
            rows[:] = [row for row in rows if (row[0], row[3]) not in places]
        self.evicted += gone

    def learn(self, taken: Iterable[TakenKey]) -> None:
        """Add new keys of deliveries that are stored already, or in this call."""
        self.learned += [each.row(each.holder.delivery_id) for each in taken]

    def add_dropped(self, event: DroppedEvent, now: float) -> None:
        self.dropped.append([*DROPPED_COLUMNS(event), now])

    @property
    def blob(self) -> tuple[bytes, str]:
        """All payloads as one blob, and JSON with the start and length of each in bytes.

        Payloads in JSON would be escaped here, and parsed again by the engine.
        """
        begin, spans = 0, []
        for each in self.deliveries:
            spans.append((begin, len(each.payload)))
            begin += len(each.payload)
        return b"".join([each.payload for each in self.deliveries]), as_json(spans)

    @property
    def loads(self) -> Loads:
        """The additional load by ad account after they are stored."""
        return loads_of((each.ad_account_id, 1, len(each.payload)) for each in self.deliveries)

    def asked(self, rules: OutboxSettings, loads: Loads) -> Loads:
        """Return the required capacity to store them; `loads` are theirs."""
        return with_room_for_trusted(rules, loads) if self.leaves_room else loads

    @property
    def named(self) -> list[list[Any]]:
        """The numbers of deliveries: [name as received, source, day of arrival, count], in order."""
        counts: Counter[tuple[str, str, int]] = Counter()
        alike = Counter(zip(map(_OF_EVENT, self.deliveries), map(_AT, self.placed), strict=True))
        for ((name, source), at), count in alike.items():
            counts[name, source, int(at // DAY_S)] += count
        return [[*key, count] for key, count in sorted(counts.items())]

    def extend(self, other: "Rows") -> None:
        """Append the rows of `other`."""
        place = len(self.deliveries)
        if other.evicted:
            self.evict(other.evicted)
        self.keys += [[digest, place + holder, *rest] for digest, holder, *rest in other.keys]
        for name in _JOINED:
            getattr(self, name).extend(getattr(other, name))
        self.leaves_room |= other.leaves_room


#: Fields that are joined unchanged; numbers of deliveries are shifted.
_JOINED: Final = [each.name for each in fields(Rows) if each.name not in {"keys", "evicted", "leaves_room"}]


def _placement(delivery: NewDelivery, now: float, held_from: float, follows: int | None = None) -> Placement:
    """Return the placement of a delivery, which may follow another one."""
    if not follows and delivery.wait_s:
        follows = WAITS
    pause_s = max(delivery.hold_s, LOOK_S if delivery.is_trusted and follows else delivery.wait_s)
    if follows is not None and delivery.is_withheld_alone:
        follows = WAITS_TO_BE_WITHHELD
    return Placement(
        at=now + delivery.hold_s,
        due_at=now + pause_s,
        hold_until=held_from + pause_s if pause_s else None,
        side=as_json(side_of(delivery.side)) if delivery.side else None,
        follows=follows,
    )


def stored_warnings(delivery: NewDelivery, placed: Placement) -> Sequence[Any]:
    """Return the warnings to store with a delivery, followed by the data from the memory."""
    warnings = warnings_and_memory(delivery) if delivery.memory else delivery.warnings
    return warnings if placed.follows is None or delivery.is_trusted else (NOT_CONFIRMED, *warnings)


@dataclass(slots=True, kw_only=True)
class PreparedEnqueue:
    """One `Outbox.enqueue` that waits for a commit, with the rows to store if every delivery is new."""

    deliveries: Sequence[NewDelivery]
    now: float
    rules: OutboxSettings
    dropped: Sequence[DroppedEvent] = ()
    counters: Sequence[CounterRow] = ()
    #: The start of its holds, by `HoldClock`.
    held_from: float
    #: `None` if a delivery may not be new: two share a key, or the store has found a key.
    all_new: Rows | None = None
    #: The changes of the memory, and the persons of the deliveries.
    people: PeopleChanges | None = None
    #: The id of the first delivery if the last attempt stored every delivery as new; else `None`.
    first_id: int | None = None
    _keys: Sequence[tuple[Key, ...]] = ()

    @property
    def rows(self) -> int:
        return 1 + len(self.deliveries) + len(self.dropped)

    @property
    def keys(self) -> Sequence[tuple[Key, ...]]:
        """The keys of each delivery, computed on demand: if every delivery is new, digests are enough."""
        if not self._keys:
            self._keys = [keys_of(delivery, self.rules) for delivery in self.deliveries]
        return self._keys

    @property
    def digests(self) -> list[str]:
        pages = (delivery for delivery in self.deliveries if delivery.wait_s and not delivery.is_trusted)
        digests = (key.digest for keys in (*self.keys, map(message_key, pages)) for key in keys)
        return list(dict.fromkeys(digests))

    @property
    def leaves_room(self) -> bool:
        return any(delivery.leaves_room for delivery in self.deliveries)

    def all_enqueued(self) -> list[Enqueued]:
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
    """Prepare one `Outbox.enqueue`. Raises UnicodeDecodeError if a payload is not UTF-8."""
    owners, of_others = _owners(people, now, deliveries, dropped)
    rows = await _all_new(deliveries, now, held_from, rules)
    rows.owners, rows.owned = of_others, [owners.get(each.message_id) for each in deliveries]
    call = PreparedEnqueue(
        deliveries=deliveries,
        dropped=dropped,
        counters=counters,
        now=now,
        rules=rules,
        held_from=held_from,
        people=people,
    )
    if len({digest for digest, *_ in rows.keys}) == len(rows.keys):
        for event in dropped:
            rows.add_dropped(event, now)
        counted = enqueue_counters(deliveries, call.all_enqueued())
        rows.counters = [(now, counter) for counter in (*counters, *counted)]
        rows.leaves_room = call.leaves_room
        call.all_new = rows
    return call


async def _all_new(deliveries: Sequence[NewDelivery], now: float, held_from: float, rules: OutboxSettings) -> Rows:
    """Return the rows of deliveries with unowned keys. Raises UnicodeDecodeError."""
    rows = Rows(list(deliveries))
    at_once = Placement(at=now, due_at=now)
    event_until, order_until = now + rules.dedup_window_s, now + rules.ledger_s
    for place, delivery in enumerate(deliveries):
        if not delivery.payload.isascii():
            delivery.payload.decode()  # invalid UTF-8 could never be claimed, so it is refused here
        is_trusted, own = delivery.is_trusted, own_number_of(delivery)
        of_event, *of_order = keys_of(delivery, rules)
        rows.keys.append((of_event.digest, place, event_until, 0, own and as_json(own), is_trusted))
        if of_order:
            order = Order.of(delivery).text
            rows.keys += [(key.digest, place, order_until, 0, order, is_trusted) for key in of_order]
        is_alike = not (delivery.wait_s or delivery.hold_s or delivery.side)
        rows.placed.append(at_once if is_alike else _placement(delivery, now, held_from))
        if place % _DELIVERIES_A_TURN == _DELIVERIES_A_TURN - 1:
            await asyncio.sleep(0)
    return rows


def _owners(
    people: PeopleChanges | None, now: float, deliveries: Sequence[NewDelivery], dropped: Sequence[DroppedEvent]
) -> tuple[dict[str, str], list[tuple[str, str, float]]]:
    """Return the persons of deliveries, by message, and the rows of messages without a delivery here."""
    rows = owner_rows(people, now)
    owners = {message_id: owner for message_id, owner, _ in rows}
    if len(owners) < len(rows):  # a repeated message may belong to two persons
        return {}, rows
    told = {each.message_id for each in deliveries}.difference(event.message_id for event in dropped)
    return owners, [row for row in rows if row[0] not in told]


def holders(rows: Iterable[KeyRow]) -> dict[str, list[KeyOwner]]:
    """Return the owners of keys, by digest; these rows do not contain `since`."""
    held: defaultdict[str, list[KeyOwner]] = defaultdict(list)
    for digest, delivery_id, until, place, known, is_trusted in rows:
        if known is None or not is_erased(known):
            held[digest].append(key_owner((digest, delivery_id, until, until, place, known, is_trusted)))
    return held


def erased_keys(rows: Iterable[KeyRow], now: float) -> dict[str, tuple[float, bool]]:
    """Return the time of erasure of the person of a key, and whether the key is trusted, by digest.

    Expired keys are omitted.
    """
    kept = (
        (digest, known, trusted) for digest, _, until, _, known, trusted in rows if until > now and known is not None
    )
    return {digest: (erased_at(known), bool(trusted)) for digest, known, trusted in kept if is_erased(known)}


def other_sides(calls: Iterable[PreparedEnqueue], held: Held) -> list[int]:
    """Return the deliveries that an order may concern other than as a duplicate: usually none."""
    return sorted(
        {
            holder.delivery_id
            for call in calls
            for delivery, keys in zip(call.deliveries, call.keys, strict=True)
            if len(keys) > 1
            for key in keys
            for holder in held.get(key.digest, ())
            if delivery.wait_s
            or holder.is_trusted != delivery.is_trusted
            or holder.source not in {None, delivery.source}
            if isinstance(holder.delivery_id, int)
        }
    )


def asked_call(deliveries: Sequence[NewDelivery], *, now: float, rules: OutboxSettings) -> PreparedEnqueue:
    """Return a call that is only checked, not stored."""
    return PreparedEnqueue(deliveries=deliveries, now=now, rules=rules, held_from=now)


def key_rows_of(rows: Iterable[SeenRow]) -> list[KeyRow]:
    """Return the rows of an engine's query `seen` as rows of its query `keys_taken`."""
    return [(digest, delivery_id, *rest) for digest, delivery_id, _, *rest in rows]  # type: ignore[misc] # a longer row


def foreseen(
    call: PreparedEnqueue,
    rows: Sequence[SeenRow],
    twins: dict[object, StoredDelivery],
    rules: OutboxSettings,
    *,
    highest_id: int,
) -> list[Seen | None]:
    """Return the result that each delivery of a call would have, with the time of its repeated or merged delivery.

    `None` for a new delivery without similar ones. `rows` contain the owners of keys, `twins` are those of
    `other_sides`; the deliveries would get the ids above `highest_id`.
    """
    taken, now = key_rows_of(rows), call.now
    ids = range(highest_id + 1, highest_id + 1 + len(call.deliveries))
    erased = erased_keys(taken, now)
    checked = without_duplicates(call, holders(taken), ids, rules, twins, erased=erased)
    since: dict[object, float] = {row[1]: row[2] for row in rows}
    erased_since = max((at for at, _ in erased.values()), default=now)
    return [
        None
        if answer.outcome is Outcome.ENQUEUED and not answer.warnings
        else Seen(
            reason=answer.reason,
            at=erased_since if answer.outcome is Outcome.WITHHELD else since.get(repeats, now),
            warnings=answer.warnings,
            outcome=answer.outcome,
        )
        for answer, repeats in zip(checked.answers, checked.repeats, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplicated:
    """The result of a call with deliveries that are not new."""

    rows: Rows
    answers: list[Enqueued]
    #: For each result the delivery that is repeated or merged into; `None` for a new one.
    repeats: list[object | None]
    #: The owners of keys after the rows are stored.
    held: Held


def without_duplicates(
    call: PreparedEnqueue,
    held: Held,
    ids: Sequence[int],
    rules: OutboxSettings,
    twins: dict[object, StoredDelivery],
    *,
    erased: Mapping[str, tuple[float, bool]],
) -> Deduplicated:
    """Check each delivery for duplicates by the keys in `held`. New ones will get `ids`, in order.

    `twins` are those of `other_sides` that are still stored; additions and changes of the call are put there.
    Deliveries with a key of an `erased` person, by digest, are withheld without a link to the person.
    """
    rows = Rows(owners=owner_rows(call.people, call.now), leaves_room=call.leaves_room)
    for event in call.dropped:
        rows.add_dropped(event, call.now)
    dedup = Deduplicator(held, now=call.now, rules=rules, twins=twins)
    answers: list[Enqueued] = []
    repeats: list[object | None] = []
    for delivery, keys in zip(call.deliveries, call.keys, strict=True):
        if reason := why_erased(keys, erased, is_trusted=delivery.is_trusted):
            answers.append(Enqueued(outcome=Outcome.WITHHELD, reason=reason))
            repeats.append(None)
            rows.add_dropped(dropped_duplicate(delivery, reason, outcome=Outcome.WITHHELD), call.now)
            rows.owners = [row for row in rows.owners if row[0] != delivery.message_id]
            continue
        delivery_id = ids[len(rows.deliveries)]
        result = dedup.check(delivery, keys, delivery_id)
        if result.pairing is not None:
            _pair(_changed(delivery, result), result.pairing, rows, twins, held_from=call.held_from)
        answers.append(_answer(call, delivery, result, rows, delivery_id=delivery_id, twins=twins))
        repeats.append(result.repeats and result.repeats.delivery_id)
    counted = enqueue_counters(call.deliveries, answers)
    rows.counters = [(call.now, counter) for counter in (*call.counters, *counted)]
    return Deduplicated(rows=rows, answers=answers, repeats=repeats, held=dedup.held)


def _answer(
    call: PreparedEnqueue,
    delivery: NewDelivery,
    result: DedupResult,
    rows: Rows,
    *,
    delivery_id: int,
    twins: dict[object, StoredDelivery],
) -> Enqueued:
    pairing = result.pairing or _ALONE
    if result.repeats:
        outcome: Literal[Outcome.MERGED, Outcome.DUPLICATE] = Outcome.MERGED if pairing.into else Outcome.DUPLICATE
        rows.add_dropped(dropped_duplicate(delivery, result.reason, outcome=outcome), call.now)
        rows.learn(result.taken)
        superseded = _superseded(pairing)
        return Enqueued(outcome=outcome, reason=result.reason, warnings=result.warnings, superseded=superseded)
    delivery = _changed(delivery, result)
    rows.add_checked(delivery, result.taken, call.now, held_from=call.held_from, follows=pairing.follows)
    if result.pairing or len(result.taken) > 1:
        twins[delivery_id] = _twin_of(delivery_id, delivery, rows.placed[-1])
    if not (result.warnings or pairing.dropped):
        return _ENQUEUED
    return Enqueued(outcome=Outcome.ENQUEUED, warnings=result.warnings, superseded=_superseded(pairing))


def _superseded(pairing: Pairing) -> tuple[tuple[str, str], ...]:
    return tuple((twin.preset, twin.source) for twin, _ in pairing.dropped)


def _changed(delivery: NewDelivery, result: DedupResult) -> NewDelivery:
    if result.warnings:
        delivery = replace(delivery, warnings=(*delivery.warnings, *result.warnings))
    pairing = result.pairing or _ALONE
    if pairing.event_id is not None:
        payload = orjson.dumps({**orjson.loads(delivery.payload), "event_id": pairing.event_id})
        delivery = replace(delivery, event_id=pairing.event_id, payload=payload)
    return with_opt_outs_of(delivery, pairing.opt_outs) if pairing.opt_outs else delivery


def _pair(
    delivery: NewDelivery, pairing: Pairing, rows: Rows, twins: dict[object, StoredDelivery], *, held_from: float
) -> None:
    rows.learn(pairing.learned)
    rows.heirs += [(delivery.ad_account_id, *heir) for heir in pairing.heirs]
    if pairing.follows:
        rows.followed.append(pairing.follows)
    settled = [
        *(twin for twin, _ in pairing.dropped),
        *([pairing.into] if delivery.is_trusted and pairing.into else []),
    ]
    rows.confirmed += [twin.delivery_id for twin in settled if twin.follows == WAITS_TO_BE_WITHHELD]
    for twin, why in pairing.dropped:
        rows.superseded.append((twin.delivery_id, why))
        del twins[twin.delivery_id]
    for twin, warning in pairing.told:
        warnings = as_json([warning, *orjson.loads(twin.stored_warnings)])
        rows.told.append((twin.delivery_id, warnings))
        twins[twin.delivery_id] = replace(twin, stored_warnings=warnings)
    if pairing.into is not None:
        merged = merge(pairing.into, delivery, pairing, held_from=held_from)
        rows.merges.append(merged)
        twins[merged.stored.delivery_id] = merged.stored
        # both sides are bound: the erasure of the sender of one message erases the delivery, and both are equally
        # trusted
        into, trust = pairing.into.message_id, f"{merged.stored.is_trusted:d}"
        rows.owners += [
            (into, owner[:32] + trust + owner[33:], at) for id_, owner, at in rows.owners if id_ == delivery.message_id
        ]


def _twin_of(delivery_id: int, delivery: NewDelivery, placed: Placement) -> StoredDelivery:
    """Return a delivery that is about to be stored in the form for its counterpart."""
    return StoredDelivery(
        delivery_id=delivery_id,
        state=State.PENDING,
        was_tried=False,
        follows=placed.follows,
        merged=0,
        settled_at=None,
        reason="",
        stored_buyer=as_json(delivery.buyer),
        stored_warnings=as_json(stored_warnings(delivery, placed)),
        stored_side=placed.side,
        **{name: getattr(delivery, name) for name in _ALIKE},
    )
