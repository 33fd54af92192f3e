"""Where sealed events are kept: part of each store, behind one Protocol. Nothing of the outbox reads what they hold."""

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from app.core.events import Exit
from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.outbox.rows import as_json, kept


class SealedEvents(Protocol):
    """Sealed events of one store. Every method may raise OutboxUnavailable; `now` is Unix seconds."""

    async def keep(self, events: Sequence[Quarantined]) -> None:
        """Commit sealed events. One whose source and message id are kept already stays as it is."""

    async def trim(self, max_bytes: int) -> int:
        """Erase the oldest until the others have so many bytes; return how many went."""

    async def find(self, wanted: QuarantineFilter, *, now: float, after: int, limit: int) -> list[Quarantined]:
        """Return what a filter means and whose time is not over, the oldest first, from behind the id `after`."""

    async def groups(self, *, now: float, limit: int) -> list[QuarantineGroup]:
        """Return how many there are of each kind, the most first."""

    async def release(self, ids: Sequence[int]) -> None:
        """Erase the events of these ids."""

    async def forget(self, keys: Sequence[str]) -> int:
        """Erase what is kept under any of these HMACs of ids; return how many events that were."""


def row_of(event: Quarantined) -> list[Any]:
    """Return an event that is to be kept as a row of both engines."""
    told = event.at, event.ends_at, event.source, event.is_proven, event.name, event.exit, event.reason
    return [*told, event.message_id, as_json(event.keys), event.sealed]


def event_of(row: Sequence[Any]) -> Quarantined:
    """Return the event of a row that was read."""
    id_, at, ends_at, source, is_proven, name, exit_, reason, message_id, keys, sealed = row
    return Quarantined(
        id=id_,
        at=at,
        ends_at=ends_at,
        source=source,
        is_proven=bool(is_proven),
        name=name,
        exit=Exit(exit_),
        reason=reason,
        message_id=message_id,
        keys=tuple(orjson.loads(keys)),
        sealed=sealed,
    )


def group_of(row: Sequence[Any]) -> QuarantineGroup:
    """Return the group of a row."""
    source, name, exit_, reason, count, first_at, last_at = row
    return QuarantineGroup(
        source=source,
        name=name,
        exit=Exit(exit_),
        reason=reason,
        count=count,
        first_at=first_at,
        last_at=last_at,
    )


def asked(wanted: QuarantineFilter) -> dict[str, str | None]:
    """Return a filter as the parameters of a statement."""
    return {"name": None, "exit": None, "source": None, "reason": None} | {
        name: kept(text) for name, text in wanted.given.items()
    }
