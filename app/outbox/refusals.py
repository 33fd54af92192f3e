"""What is told in the same words by either engine: why a delivery, or a whole request, is not stored."""

from app.errors import OutboxUnavailable
from app.outbox.keys import Key
from app.outbox.outbox_rules import OutboxRules
from app.types import Exit, NewDelivery, Note


def seen_before(key: Key, holder: object | None) -> str:
    """Return which key was seen before, and which delivery holds it; None is an earlier one of the same call."""
    if holder is None:
        return f"the same {key.kind} stands earlier in the same request"
    return f"the same {key.kind} was enqueued before, as delivery {holder}"


def duplicate_note(delivery: NewDelivery, reason: str) -> Note:
    """Write what the ledger keeps of a duplicate."""
    return Note(
        message_id=delivery.message_id,
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


def backlog_full(rules: OutboxRules) -> OutboxUnavailable:
    """Say that nothing more is taken in until deliveries leave."""
    message = (
        f"The outbox is full: {rules.max_backlog:,} deliveries wait (OUTBOX_MAX_BACKLOG). "
        "See why they are not delivered, or raise the limit."
    )
    return OutboxUnavailable(message, retry_after_s=60)
