"""Rows of the SQL engines, read as the records that people look at."""

import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from app.config.settings import OutboxSettings
from app.core.deliveries import Attempt, Delivery, State
from app.core.events import CounterRow, DroppedEvent, Exit
from app.core.pages import AuditAction, AuditEntry, AuditPage, Backlog, Revenue, Session
from app.errors import OutboxVersionError, RowRefused
from app.outbox.backpressure import Load, remaining_bytes, why_full
from app.outbox.enqueue import PAYLOAD_VERSION
from app.outbox.rows import kept, read_memory, read_warnings, record_of

#: How the identity of every store begins: "PR", before 16 bits.
_OURS: Final = 0x5052_0000
#: Amounts are summed in millionths.
_MILLION: Final = 1_000_000


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Read a row of an engine's query `search`."""
    id_, state, warnings, is_held, is_proven = (row[place] for place in (0, 9, 15, -2, -1))
    return record_of(
        Delivery,
        row,
        delivery_id=str(id_),
        state=State(state),
        warnings=read_warnings(warnings),
        memory=read_memory(warnings) if "{" in warnings else {},
        is_held=bool(is_held),
        is_proven=bool(is_proven),
    )


def dropped_of(row: Sequence[Any]) -> tuple[int, float, DroppedEvent]:
    """Read a row of an engine's query `search_dropped`: its id, when it was dropped, and the event."""
    id_, at, *columns = row
    exit_, warnings, is_proven, was_enqueued = (columns[place] for place in (3, 5, -2, -1))
    event = record_of(
        DroppedEvent,
        columns,
        exit=Exit(exit_),
        warnings=read_warnings(warnings),
        is_proven=bool(is_proven),
        was_enqueued=bool(was_enqueued),
    )
    return id_, at, event


def counter_of(row: Sequence[Any]) -> tuple[float, CounterRow]:
    """Read a row of an engine's query `counters`: the start of the step, and what was counted in it."""
    return row[0], record_of(CounterRow, row[1:])


def revenue_of(row: Sequence[Any]) -> Revenue:
    """Read a row of an engine's query `revenue`."""
    *_, millionths, largest, largest_id = row
    return record_of(
        Revenue,
        row,
        amount=Decimal(millionths) / _MILLION,
        largest=None if largest is None else Decimal(largest) / _MILLION,
        largest_id=None if largest_id is None else str(largest_id),
    )


def backlog_of(
    counts: Mapping[str, int],
    size_bytes: int,
    oldest_at: float | None,
    rules: OutboxSettings,
    *,
    disk_bytes: int | None = None,
) -> Backlog:
    """Return how much waits for an ad account, by its counts of states; what is delivered is not among them.

    `disk_bytes` is the room on the disk, None where it cannot be asked.
    """
    load = Load(counts.get(State.PENDING, 0) + counts.get(State.CLAIMED, 0), size_bytes)
    return Backlog(
        **counts,
        size_bytes=size_bytes,
        oldest_at=oldest_at,
        full=why_full(rules, load),
        room_bytes=remaining_bytes(rules, load) if size_bytes else None,
        disk_bytes=disk_bytes,
    )


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Read one try: its number, when, exit, status and message."""
    return record_of(Attempt, row, exit=Exit(row[2]))


def audit_row(entry: AuditEntry) -> dict[str, Any]:
    """Return the parameters of an engine's statement `write_audit`, without U+0000, which not every engine keeps."""
    texts = {
        "who": entry.who,
        "place": entry.place,
        "what": entry.what.value,
        "target": entry.target,
        "was": entry.before,
        "became": entry.after,
    }
    return {"at": entry.at, **{name: kept(text) for name, text in texts.items()}}


def audit_page(rows: Sequence[Sequence[Any]], *, limit: int) -> AuditPage:
    """Read rows of an engine's query `audit`, one more than `limit` where there are older ones."""
    entries = [record_of(AuditEntry, row[1:], what=AuditAction(row[4])) for row in rows[:limit]]
    return AuditPage(entries=tuple(entries), next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None)


def session_at(now: float, rows: Sequence[Sequence[Any]]) -> Session | None:
    """Read the row of an engine's query `session`; None where there is none, or its time is over."""
    found = (record_of(Session, row) for row in rows)
    return next((session for session in found if session.ends_at > now), None)


def check_payload_version(version: int) -> None:
    """Raise RowRefused where a newer Pinrelay wrote the payload."""
    if version > PAYLOAD_VERSION:
        words = f"a payload of version {version}: a newer Pinrelay wrote it, start that version"
        raise RowRefused(f"The outbox holds {words}.", words=words)


def identity_of(baseline: bytes) -> int:
    """Return what marks the stores that begin with a baseline, the file of version 1 of a schema.

    Until it is released the baseline may change: a store that began with another one is refused, too.
    """
    return _OURS | zlib.crc32(baseline) & 0xFFFF


def is_ours(identity: int) -> bool:
    """Return whether some Pinrelay marked a store, whatever its baseline."""
    return identity & ~0xFFFF == _OURS


def without_identity(what: str, remedy: str) -> OutboxVersionError:
    """Return why a store is refused that holds something, but not the mark of this baseline."""
    return OutboxVersionError(
        f"{what} was made by another program, or by a Pinrelay from before this schema. Nothing in it was changed. "
        f"{remedy} If another program made it, point OUTBOX_URL elsewhere."
    )


def check_schema_version(version: int, *, newest: int) -> None:
    """Raise OutboxVersionError where a newer Pinrelay wrote the schema."""
    if version > newest:
        message = (
            f"The outbox has schema version {version}, and this Pinrelay knows {newest}: a newer one wrote it. "
            "Start that version, or point OUTBOX_URL elsewhere."
        )
        raise OutboxVersionError(message)
