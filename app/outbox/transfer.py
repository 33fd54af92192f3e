"""Move the content of an outbox into another one, of any engine: nothing is lost, no event is sent twice.

Each batch is read from the source, committed to the target and then dropped from the source. After an interruption the
move can be repeated: existing rows are identified by their id.
"""

import secrets
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from app.core.shared_values import STORE_SECRET
from app.core.values.times import DAY_S
from app.errors import OutboxUnavailable
from app.outbox.shared import KeepsShared
from app.outbox.statements import Statements, reads, writes

#: The number of rows per commit on either side.
BATCH_ROWS: Final = 1_000
#: Shared values: the id of the moved outbox, and in its new outbox the id of the origin.
_IDENTITY: Final = "transfer/identity"
_ORIGIN: Final = "transfer/origin"
#: Shared values of a single store, which are not moved.
TRANSFER_KEYS: Final = frozenset({_IDENTITY, _ORIGIN})


class TransferKind(StrEnum):
    """The moved rows, in this order: keys before the deliveries that they protect from a second send."""

    KEYS = "keys"
    #: The ids of the persons of deliveries: before the deliveries, which may contain them.
    OWNERS = "owners"
    #: Unsettled and dead deliveries.
    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED_EVENTS = "dropped_events"
    COUNTS = "counts"
    #: The value of orders, by day: after the deliveries and dropped events, which an engine may count at arrival.
    REVENUE = "revenue"
    #: Counts of events by name.
    INVENTORY = "inventory"
    #: The audit log. Sessions are not moved: people log in again.
    AUDIT = "audit"
    SUPPRESSIONS = "suppressions"
    PEOPLE = "people"
    #: Consent records of people.
    CONSENTS = "consents"
    #: Encrypted events as received.
    QUARANTINED = "quarantined"


class LedgerKind(StrEnum):
    """Finished rows with a retention: the ledger."""

    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED_EVENTS = "dropped_events"
    COUNTS = "counts"


#: The columns of a kind, in an order that both engines know; the first columns identify rows.
Row: TypeAlias = list[Any]


#: The key before the first row of a kind.
BEFORE_FIRST: Final[dict[TransferKind, tuple[Any, ...]]] = {
    TransferKind.KEYS: ("", -1),
    TransferKind.WAITING: (-1,),
    TransferKind.DELIVERED: (-1,),
    TransferKind.DROPPED_EVENTS: (-1,),
    TransferKind.COUNTS: (0, -1, "", "", "", "", ""),
    TransferKind.REVENUE: (-1, "", "", "", "", "", ""),
    TransferKind.INVENTORY: (0, "", -1, "", "", "", ""),
    TransferKind.AUDIT: (-1,),
    TransferKind.SUPPRESSIONS: ("",),
    TransferKind.PEOPLE: ("",),
    TransferKind.CONSENTS: ("", "", -1),
    TransferKind.OWNERS: (-1,),
    TransferKind.QUARANTINED: (-1,),
}
#: Kinds with rows of TRANSFER_COLUMNS.
OF_DELIVERIES: Final[frozenset[TransferKind | LedgerKind]] = frozenset(
    {TransferKind.WAITING, TransferKind.DELIVERED, LedgerKind.DELIVERED, LedgerKind.DEAD}
)
#: The columns of a delivery, in the order of the statements `transfer_..._out` and `transfer_..._in`.
TRANSFER_COLUMNS: Final = (
    *("id", "ad_account_id", "preset", "message_id", "event_name", "event_id", "action_source", "order_id"),
    *("event_time", "warnings", "traceparent", "source", "amount", "currency", "checkout_id", "buyer", "state", "held"),
    *("reason", "attempts", "enqueued_at", "due_at", "settled_at", "claim"),
    "history",  # [number, at, outcome, status, message] of each attempt
    "payload",  # `None`: erased
    "payload_version",
    "erase_at",  # the time at which a stored payload is erased
    "name",
    "hold_until",  # by the time of app/outbox/hold_clock.py, which is moved as a shared value
    *("is_trusted", "shop", "side", "follows", "merged", "channel"),
)
SETTLED_AT: Final = TRANSFER_COLUMNS.index("settled_at")


def delivery_columns(row: Sequence[Any]) -> dict[str, Any]:
    """Return the columns of a row of a delivery by name."""
    return dict(zip(TRANSFER_COLUMNS, row, strict=True))


class Store(KeepsShared):
    """One side. Every method may raise OutboxUnavailable."""

    @abstractmethod
    async def is_used_by_others(self) -> bool:
        """Return whether another process uses the store; if not, lock out others if the engine can."""

    @abstractmethod
    async def write(self, kind: TransferKind, rows: Sequence[Row]) -> int:
        """Commit the rows that do not exist yet; return their number."""

    @abstractmethod
    async def drop(self, kind: TransferKind, rows: Sequence[Row]) -> None:
        """Delete rows that exist on the other side, and commit."""

    @abstractmethod
    async def close(self) -> None:
        """Close the store, so that others may use it."""

    @abstractmethod
    async def _as_both_know(self, store: Any, deliveries: Sequence[Sequence[Any]]) -> list[Row]:
        """Return rows of deliveries in the form of both engines: payloads as text, no history as an empty one."""

    @reads
    async def is_empty(self, store: Statements) -> bool:
        """Return whether the store has no rows of any kind."""
        ((anything,),) = await store.rows("holds_anything")
        return not anything

    async def read(self, kind: TransferKind, *, after: Sequence[Any], limit: int) -> list[Row]:
        """Return the next rows of a kind in the order of their key; `after` is the key of the last row read before."""
        places = {f"after_{place}": value for place, value in enumerate(after)}
        return await self._rows(kind, f"transfer_{kind}_out", limit=limit, **places)

    async def read_day(self, past: LedgerKind, day: int, *, after: tuple[float, int], limit: int) -> list[Row]:
        """Return the next rows that were finished on a day (UTC, counted from 1970), in an order of the engine.

        `after` are time and id of the previous row, (0, 0) for the first. DELIVERED and DEAD have TRANSFER_COLUMNS
        without payload, DROPPED_EVENTS begin with their id and end with their time, COUNTS are (start of the hour,
        name, preset, label, ad account, source, count) and come all at once.
        """
        moment, id_ = after
        begin, end = day * DAY_S, (day + 1) * DAY_S
        behind = {"after_at": max(moment, begin), "after_id": id_}
        return await self._rows(past, f"day_{past}", begin=begin, end=end, limit=limit, **behind)

    @reads
    async def _rows(self, store: Statements, kind: TransferKind | LedgerKind, name: str, /, **given: Any) -> list[Row]:
        rows = await store.rows(name, **given)
        return list(map(list, await self._as_both_know(store, rows) if kind in OF_DELIVERIES else rows))

    @reads
    async def highest_ids(self, store: Statements) -> tuple[int, int]:
        """Return the highest id ever given to a delivery and to a dropped event."""
        ((delivery, dropped_event),) = await store.rows("highest_ids")
        return delivery, dropped_event

    @writes
    async def begin_ids_above(self, store: Statements, delivery: int, dropped_event: int) -> None:
        """Assign ids above these from now on."""
        await store.count("begin_ids_above", delivery=delivery, dropped_event=dropped_event)


@dataclass(slots=True)
class Salvaged:
    """The result of a salvage: the copied rows, and the lost ones."""

    #: The number of copied rows of each kind, and of shared values.
    arrived: dict[str, int] = field(default_factory=dict)
    #: Deliveries that were unreadable, or have no payload to send: id and, if an index contains it, message id.
    lost: list[tuple[int, str | None]] = field(default_factory=list)
    #: The numbers of unreadable dropped events and audit log entries.
    lost_dropped_events: int = 0
    lost_audit: int = 0
    #: The number of unreadable ranges of keys, or single keys.
    lost_keys: int = 0
    #: Keys of damaged shared values.
    lost_shared: list[str] = field(default_factory=list)


async def transfer_all(source: Store, target: Store) -> dict[str, int]:
    """Move everything; return the number of moved rows of each kind, and of shared values.

    Raises OutboxUnavailable if another process uses the source, which would continue with moved rows, if the target has
    other content, or if a side fails.
    """
    if await source.is_used_by_others():
        message = (
            "The old outbox is in use. Stop its servers first. Nothing was moved. In PostgreSQL, end the connection "
            "of a machine that died with pg_terminate_backend."
        )
        raise OutboxUnavailable(message, why="locked")
    await _introduce(source, target)
    await target.begin_ids_above(*await source.highest_ids())
    arrived = {kind.value: await _transfer_kind(source, target, kind) for kind in TransferKind}
    arrived["shared"] = await _copy_shared(source, target)
    return arrived


async def _introduce(source: Store, target: Store) -> None:
    """Store the identity of the source in the target, so that a repeated move is accepted."""
    identity = await source.get_shared(_IDENTITY)
    if identity is None:
        await source.put_shared(_IDENTITY, secrets.token_hex(8))
        identity = await source.get_shared(_IDENTITY)
    origin = await target.get_shared(_ORIGIN)
    known = identity is not None and origin is not None and origin.value == identity.value
    if not known and not await target.is_empty():
        message = "The new outbox is not empty. Name an empty one. Nothing was moved."
        raise OutboxUnavailable(message)
    await target.put_shared(_ORIGIN, identity and identity.value)


async def _transfer_kind(source: Store, target: Store, kind: TransferKind) -> int:
    arrived = 0
    after: Sequence[Any] = BEFORE_FIRST[kind]
    while rows := await source.read(kind, after=after, limit=BATCH_ROWS):
        arrived += await target.write(kind, rows)
        await source.drop(kind, rows)
        after = rows[-1][: len(after)]
    return arrived


async def _copy_shared(source: Store, target: Store) -> int:
    """Copy the shared values that the target has not written itself; they stay in the source, too."""
    values = await source.list_shared("")
    written = [
        await target.put_shared(name, shared.value, revision=None if name == STORE_SECRET.name else 0)
        for name, shared in values.items()
        if name not in TRANSFER_KEYS
    ]
    return sum(each is not None for each in written)
