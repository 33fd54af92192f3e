"""What is stored of a delivery, as JSON: in the ledger without its payload, in the queue and among the dead with it."""

from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from app.errors import OutboxVersionError
from app.types import LEASE_LOST, Attempt, Delivery, Exit, NewDelivery, State

#: Of the JSON that `encode` writes.
VERSION: Final = 1
#: States that only a redrive leads out of.
FINAL: Final = (State.DELIVERED, State.DEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One delivery with its history; its payload is None in the ledger."""

    delivery: Delivery
    #: How often the queue handed it out without a try that counts.
    uncounted: int = 0
    #: How often the queue has handed it out, by the last claim after the first. A claim with less is lost.
    handed: int = 1
    #: Of the delivery, as it was enqueued. The ledger may be without.
    traceparent: str | None = None
    #: A claim before was lost, and nothing was recorded since.
    lease_was_lost: bool = False


def encode(record: Record, *, with_payload: bool = False) -> bytes:
    """Write a record. Raises orjson.JSONEncodeError where a text is not Unicode."""
    payload = record.delivery.payload
    content = {
        "version": VERSION,
        "uncounted": record.uncounted,
        "handed": record.handed,
        "traceparent": record.traceparent,
        "lease_was_lost": record.lease_was_lost,
        "delivery": replace(record.delivery, payload=None),
        "payload": payload.decode() if with_payload and payload is not None else None,
    }
    return orjson.dumps(content)


def decode(body: bytes) -> Record:
    """Read a record. Raises OutboxVersionError where a newer Pinrelay wrote it."""
    content = orjson.loads(body)
    if content["version"] > VERSION:
        message = (
            f"The outbox holds records of version {content['version']}, and this Pinrelay knows {VERSION}: "
            "a newer one wrote them. Start that version."
        )
        raise OutboxVersionError(message)
    raw: dict[str, Any] = content["delivery"]
    raw["state"] = State(raw["state"])
    raw["warnings"] = tuple(raw["warnings"])
    raw["history"] = tuple(Attempt(**{**each, "exit": Exit(each["exit"])}) for each in raw["history"])
    raw["payload"] = None if content["payload"] is None else content["payload"].encode()
    return Record(
        delivery=Delivery(**raw),
        uncounted=content["uncounted"],
        handed=content["handed"],
        traceparent=content.get("traceparent"),  # older records have none
        lease_was_lost=content.get("lease_was_lost", False),
    )


def handed_again(record: Record, handed: int, now: float) -> Record:
    """Make the record of a delivery that the queue hands out for the `handed`th time.

    Where less than the times before it was recorded as tried or given back, the last claim was lost.
    """
    delivery, tried = record.delivery, handed - 1 - record.uncounted
    if delivery.attempts >= tried:
        return replace(record, handed=handed)
    lost = Attempt(number=tried, at=now, exit=Exit.RETRY, status=None, message=LEASE_LOST)
    delivery = replace(delivery, attempts=tried, history=(*delivery.history, lost))
    return replace(record, handed=handed, lease_was_lost=True, delivery=delivery)


def begun(new: NewDelivery, delivery_id: str, now: float) -> Record:
    """Make the record of a delivery that is enqueued now."""
    delivery = Delivery(
        delivery_id=delivery_id,
        ad_account_id=new.ad_account_id,
        preset=new.preset,
        message_id=new.message_id,
        event_name=new.event_name,
        event_id=new.event_id,
        action_source=new.action_source,
        order_id=new.order_id,
        event_time=new.event_time,
        state=State.PENDING,
        reason="",
        attempts=0,
        enqueued_at=now,
        due_at=now,
        settled_at=None,
        warnings=new.warnings,
        payload=new.payload,
    )
    return Record(delivery=delivery, traceparent=new.traceparent)


def begun_again(record: Record, now: float) -> Record:
    """Make the record of a delivery that is redriven now."""
    delivery = replace(
        record.delivery, state=State.PENDING, reason="", attempts=0, enqueued_at=now, due_at=now, settled_at=None
    )
    return Record(delivery=delivery, traceparent=record.traceparent)
