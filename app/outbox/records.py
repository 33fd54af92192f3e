"""Rows of the SQL engines, read as the records that people look at."""

import zlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from app.config.settings import OutboxSettings
from app.core.deliveries import Attempt, Delivery, State
from app.core.events import CounterRow, DroppedEvent, Exit
from app.core.pages import (
    AuditAction,
    AuditEntry,
    AuditPage,
    Backlog,
    DeadCause,
    DeadLoss,
    Revenue,
    Session,
    Undelivered,
)
from app.errors import OutboxVersionError, RowRefused
from app.outbox.backpressure import Load, remaining_bytes, why_full
from app.outbox.enqueue import PAYLOAD_VERSION
from app.outbox.rows import kept, read_memory, read_warnings

#: How the identity of every store begins: "PR", before 16 bits.
_OURS: Final = 0x5052_0000
#: Amounts are summed in millionths.
_MILLION: Final = 1_000_000


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Read a row of an engine's query `search`."""
    id_, account, preset, message_id, event_name, event_id, action_source, order_id, *rest = row
    event_time, state, reason, attempts, enqueued_at, due_at, settled_at, *rest = rest
    warnings, source, amount, currency, checkout_id, name, is_held, is_proven = rest
    return Delivery(
        delivery_id=str(id_),
        ad_account_id=account,
        preset=preset,
        message_id=message_id,
        event_name=event_name,
        event_id=event_id,
        action_source=action_source,
        order_id=order_id,
        event_time=event_time,
        state=State(state),
        reason=reason,
        attempts=attempts,
        enqueued_at=enqueued_at,
        due_at=due_at,
        settled_at=settled_at,
        warnings=read_warnings(warnings),
        memory=read_memory(warnings) if "{" in warnings else {},
        source=source,
        amount=amount,
        currency=currency,
        checkout_id=checkout_id,
        name=name,
        is_held=bool(is_held),
        is_proven=bool(is_proven),
    )


def dropped_of(row: Sequence[Any]) -> tuple[int, float, DroppedEvent]:
    """Read a row of an engine's query `search_dropped`: its id, when it was dropped, and the event."""
    id_, at, message_id, ad_account_id, preset, exit_, reason, warnings, event_name, *rest = row
    order_id, amount, currency, source, name, is_proven, was_enqueued = rest
    event = DroppedEvent(
        message_id=message_id,
        ad_account_id=ad_account_id,
        preset=preset,
        exit=Exit(exit_),
        reason=reason,
        warnings=read_warnings(warnings),
        event_name=event_name,
        order_id=order_id,
        amount=amount,
        currency=currency,
        source=source,
        name=name,
        is_proven=bool(is_proven),
        was_enqueued=bool(was_enqueued),
    )
    return id_, at, event


def counter_of(row: Sequence[Any]) -> tuple[float, CounterRow]:
    """Read a row of an engine's query `counters`: the start of the step, and what was counted in it."""
    step, name, preset, label, ad_account_id, source, count = row
    counter = CounterRow(name=name, preset=preset, label=label, ad_account_id=ad_account_id, source=source, count=count)
    return step, counter


def revenue_of(row: Sequence[Any]) -> Revenue:
    """Read a row of an engine's query `revenue`."""
    day, ad_account_id, preset, source, currency, became, orders, without_amount, millionths, largest, largest_id = row
    return Revenue(
        day=day,
        ad_account_id=ad_account_id,
        preset=preset,
        source=source,
        currency=currency,
        became=became,
        orders=orders,
        without_amount=without_amount,
        amount=Decimal(millionths) / _MILLION,
        largest=None if largest is None else Decimal(largest) / _MILLION,
        largest_id=None if largest_id is None else str(largest_id),
    )


def dead_cause_of(row: Sequence[Any]) -> DeadCause:
    """Read a row of an engine's query `dead_causes`."""
    reason, ad_account_id, preset, count, last_at = row
    return DeadCause(reason=reason, ad_account_id=ad_account_id, preset=preset, count=count, last_at=last_at)


def dead_loss_of(row: Sequence[Any]) -> DeadLoss:
    """Read a row of an engine's query `dead_losses`."""
    reason, ad_account_id, currency, count, first_at, last_at, amount = row
    return DeadLoss(
        reason=reason,
        ad_account_id=ad_account_id,
        currency=currency,
        count=count,
        first_at=first_at,
        last_at=last_at,
        amount=Decimal(f"{amount or 0:.2f}"),
    )


def undelivered_of(row: Sequence[Any]) -> Undelivered:
    """Read a row of an engine's query `undelivered`."""
    at, ad_account_id, source, state, count = row
    return Undelivered(at=at, ad_account_id=ad_account_id, source=source, state=state, count=count)


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
    number, at, exit_, status, message = row
    return Attempt(number=number, at=at, exit=Exit(exit_), status=status, message=message)


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
    entries = [
        AuditEntry(at=at, who=who, place=place, what=AuditAction(what), target=target, before=was, after=became)
        for _, at, who, place, what, target, was, became in rows[:limit]
    ]
    return AuditPage(entries=tuple(entries), next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None)


def session_at(now: float, rows: Sequence[Sequence[Any]]) -> Session | None:
    """Read the row of an engine's query `session`; None where there is none, or its time is over."""
    found = (Session(digest=digest, who=who, seal=seal, ends_at=ends_at) for digest, who, seal, ends_at in rows)
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
