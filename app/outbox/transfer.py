"""Move all that an outbox holds into another one, of whichever engine: nothing is lost, nothing is sent twice.

Batch by batch, what is read from the one is committed to the other and then dropped from the first. Interrupted, it can
be begun again: what has arrived already is known by its id.
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

#: So many rows share one commit on either side.
BATCH_ROWS: Final = 1_000
#: Shared values: the id of the outbox that is moved, and in its new outbox the id of the origin.
_IDENTITY: Final = "transfer/identity"
_ORIGIN: Final = "transfer/origin"
#: Shared values that are of one store alone.
TRANSFER_KEYS: Final = frozenset({_IDENTITY, _ORIGIN})


class TransferKind(StrEnum):
    """What is moved, in this order: keys before what they keep from being sent again."""

    KEYS = "keys"
    #: Under which ids deliveries are kept: before them, since they may tell it themselves.
    OWNERS = "owners"
    #: What is not settled, and what is dead.
    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED_EVENTS = "dropped_events"
    COUNTS = "counts"
    #: What orders are worth, by day: behind the deliveries and dropped events, which an engine may count as they come.
    REVENUE = "revenue"
    #: What arrives, by name.
    INVENTORY = "inventory"
    #: Who did what. Sessions are not moved: people log in again.
    AUDIT = "audit"
    SUPPRESSIONS = "suppressions"
    PEOPLE = "people"
    #: What people answered to being tracked.
    CONSENTS = "consents"
    #: Sealed events as received.
    QUARANTINED = "quarantined"


class LedgerKind(StrEnum):
    """What is over and kept for a while: the ledger."""

    DELIVERED = "delivered"
    DEAD = "dead"
    DROPPED_EVENTS = "dropped_events"
    COUNTS = "counts"


#: The columns of a kind, in an order that both engines know; the first one, or ones, tell rows apart.
Row: TypeAlias = list[Any]


#: What comes before the first row of a kind, in the columns that tell its rows apart.
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
    "payload",  # None: erased
    "payload_version",
    "erase_at",  # when a payload is erased that is stored for a while
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
        """Return whether any other process uses it; where none does, an engine that can keeps others from it."""

    @abstractmethod
    async def write(self, kind: TransferKind, rows: Sequence[Row]) -> int:
        """Commit those rows that are not there yet; return how many they were."""

    @abstractmethod
    async def drop(self, kind: TransferKind, rows: Sequence[Row]) -> None:
        """Delete rows that have arrived on the other side, and commit that."""

    @abstractmethod
    async def close(self) -> None:
        """Close the store, so that others may use it."""

    @abstractmethod
    async def _as_both_know(self, store: Any, deliveries: Sequence[Sequence[Any]]) -> list[Row]:
        """Return rows of deliveries as both engines know them: payloads as text, no history as an empty one."""

    @reads
    async def is_empty(self, store: Statements) -> bool:
        """Return whether nothing of any kind is there."""
        ((anything,),) = await store.rows("holds_anything")
        return not anything

    async def read(self, kind: TransferKind, *, after: Sequence[Any], limit: int) -> list[Row]:
        """Return the next rows of a kind in the order of their key; `after` is the key of the last row read before."""
        places = {f"after_{place}": value for place, value in enumerate(after)}
        return await self._rows(kind, f"transfer_{kind}_out", limit=limit, **places)

    async def read_day(self, past: LedgerKind, day: int, *, after: tuple[float, int], limit: int) -> list[Row]:
        """Return the next rows of what was over on a day (UTC, counted from 1970), in an order of the engine's.

        `after` are moment and id of the row before, (0, 0) for the first. DELIVERED and DEAD have TRANSFER_COLUMNS
        without payload, DROPPED_EVENTS begin with their id and end with their moment, COUNTS are (start of the hour,
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
        """Count ids from above these from now on."""
        await store.count("begin_ids_above", delivery=delivery, dropped_event=dropped_event)


@dataclass(slots=True)
class Salvaged:
    """What the salvage of a damaged store brought into a new one, and what it could not."""

    #: How many rows of each kind arrived, and shared values.
    arrived: dict[str, int] = field(default_factory=dict)
    #: Of deliveries that could not be read, or have no payload to send: id and, where an index knows it, message id.
    lost: list[tuple[int, str | None]] = field(default_factory=list)
    #: How many dropped events and lines of the audit log could not be read.
    lost_dropped_events: int = 0
    lost_audit: int = 0
    #: How many stretches of keys, or single keys, could not be read.
    lost_keys: int = 0
    #: Keys of shared values that are damaged.
    lost_shared: list[str] = field(default_factory=list)


async def transfer_all(source: Store, target: Store) -> dict[str, int]:
    """Move everything; return how many rows of each kind arrived, and shared values.

    Raises OutboxUnavailable where somebody uses the source, who would go on with what is moved, where the target
    holds something else, or one of the two fails.
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
    """Let the target know where all comes from, so that it takes the rest when it is begun again."""
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
    """Copy the shared values that the target has not written itself; they stay where they were, too."""
    values = await source.list_shared("")
    written = [
        await target.put_shared(name, shared.value, revision=None if name == STORE_SECRET.name else 0)
        for name, shared in values.items()
        if name not in TRANSFER_KEYS
    ]
    return sum(each is not None for each in written)
