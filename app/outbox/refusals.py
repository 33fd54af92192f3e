"""What is told in the same words by either engine: why a delivery, or a whole request, is not stored."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from app.errors import OutboxUnavailable, WhyUnavailable
from app.outbox.outbox_rules import OutboxRules
from app.types import Exit, NewDelivery, Note


def seen_before(kind: str, holder: object | None, differences: Sequence[str] = ()) -> str:
    """Return which kind of key was seen before, which delivery holds it, and what differs nevertheless.

    `holder` None is an earlier delivery of the same call.
    """
    seen = "stands earlier in the same request" if holder is None else f"was enqueued before, as delivery {holder}"
    return "; ".join((f"the same {kind} {seen}", *differences))


def another_order(holder: object | None, totals: str) -> str:
    """Return the warning about an order that has the id of another; `totals` of both, as a person reads them."""
    where = "earlier in the same request" if holder is None else f"as delivery {holder}"
    told = f"its order_id came before, {where}, of another buyer and another total ({totals})"
    return f"another order: {told}; both are sent"


def duplicate_note(delivery: NewDelivery, reason: str) -> Note:
    """Write what the ledger keeps of a duplicate."""
    return Note(
        message_id=delivery.message_id,
        ad_account_id=delivery.ad_account_id,
        preset=delivery.preset,
        exit=Exit.DUPLICATE,
        reason=reason,
        warnings=delivery.warnings,
        event_name=delivery.event_name,
        order_id=delivery.order_id,
        amount=delivery.amount,
        currency=delivery.currency,
        source=delivery.source,
    )


#: The beginning of the name of an engine's error -> what it means and what helps. The first that fits.
Remedies: TypeAlias = Mapping[str, tuple[WhyUnavailable, str]]
_UNKNOWN: Final[tuple[WhyUnavailable, str]] = ("unusable", "see the log")


def cannot_be_used(exc: Exception, name: str, remedies: Remedies) -> OutboxUnavailable:
    """Return what an engine's error means and what helps; `name` is what the engine calls the error."""
    why, remedy = next((told for start, told in remedies.items() if name.startswith(start)), _UNKNOWN)
    message = f"The outbox cannot be used now ({name}): {remedy}. Send the events again later."
    error = OutboxUnavailable(message, why=why)
    error.__cause__ = exc
    return error


class Load(NamedTuple):
    """What waits, or is to be stored."""

    deliveries: int
    #: Of their payloads.
    size_bytes: int


#: What must still fit where nothing in particular is to be stored.
_ANYTHING: Final = Load(1, 1)


def backlog_full(rules: OutboxRules, waiting: Load, more: Load = _ANYTHING) -> OutboxUnavailable | None:
    """Return the error that says that no more is taken in until deliveries leave; None where there is room for it."""
    if not more.deliveries:
        return None
    if waiting.deliveries + more.deliveries > rules.max_backlog:
        full = f"{waiting.deliveries:,} deliveries wait, of {rules.max_backlog:,} that may (OUTBOX_MAX_BACKLOG)"
    elif waiting.size_bytes + more.size_bytes > rules.max_backlog_bytes:
        full = f"{waiting.size_bytes:,} bytes wait, of {rules.max_backlog_bytes:,} that may (OUTBOX_MAX_BACKLOG_BYTES)"
    else:
        return None
    message = f"The outbox is full: {full}. See why they are not delivered, or raise the limit."
    return OutboxUnavailable(message, why="backlog full", retry_after_s=60)
