"""Events and what is counted of them. Times are Unix seconds (UTC) and end in `_at`; durations end in `_s`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

#: One Segment event, as parsed from JSON.
Event: TypeAlias = dict[str, Any]


class Outcome(StrEnum):
    """How an event, or its delivery for one preset, leaves a stage. The list is closed; each is counted."""

    # received
    #: A Segment event; it goes on.
    ACCEPTED = "accepted"
    #: No Segment event, or nothing that could be kept of it: the sender is told why.
    REFUSED = "refused"
    # matched
    #: A preset's trigger holds. An event leaves so by its `withdrawn_by`, which makes no delivery.
    MATCHED = "matched"
    #: No preset's trigger holds.
    UNMATCHED = "unmatched"
    #: Consent, `integrations`, a switch or a full backlog forbids it, or it is a test or a crawler's.
    WITHHELD = "withheld"
    # mapped
    #: Kept, to be sent.
    ENQUEUED = "enqueued"
    #: The other side of an order that waits for it: both are one delivery.
    MERGED = "merged"
    #: The same event, or a `checkout` of the same order, was kept before.
    DUPLICATE = "duplicate"
    #: Pinterest would refuse it.
    INVALID = "invalid"
    # held
    #: Its order was cancelled before it left.
    WITHDRAWN = "withdrawn"
    # sent
    #: Pinterest processed it.
    DELIVERED = "delivered"
    #: It is tried again later.
    RETRY = "retry"
    #: A dead letter: Pinterest refused it, or it was tried too often or too long.
    REJECTED = "rejected"
    #: Pinterest takes nothing of this ad account, such as for its token; it waits.
    BLOCKED = "blocked"


#: The source of what comes by the webhook, and where no write key has to be proven.
DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedEvent:
    """What the ledger keeps of an event that made no delivery: refused, withheld or invalid, and why.

    Unmatched events are noted only where they name an order.
    """

    message_id: str
    #: None where the event reached no ad account, and so no preset.
    ad_account_id: str | None = None
    #: None where the event reached no preset.
    preset: str | None
    outcome: Outcome
    reason: str
    warnings: tuple[str, ...] = ()
    #: Pinterest's name of the event; None where it was not mapped, or is known to be no order.
    event_name: str | None = None
    #: As a NewDelivery has them, of orders, as far as they are known.
    order_id: str | None = None
    amount: str | None = None
    currency: str | None = None
    source: str = DEFAULT_SOURCE
    #: As a NewDelivery has them.
    name: str = ""
    #: Of a trusted event.
    channel: str = ""
    is_trusted: bool = False
    #: It was a delivery, which waited and is not sent; it is counted as withdrawn.
    was_enqueued: bool = False


#: A reason or a warning is counted by its first characters, of which a CounterRow's label takes so many.
MAX_LABEL_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRow:
    """A count of one thing that happened, kept by minute for the console and the metrics."""

    #: What is counted: an `Outcome`, `warning`, `quality`, `memory`, `memory_full`, `calls` or `refused_request`.
    name: str
    preset: str = ""
    #: A reason, a warning's kind, a match key, a group of memory, a status, or status, cause and setting of a
    #: refused request; "" where there is none.
    label: str = ""
    ad_account_id: str = ""
    #: The name of the source whose events are counted; "" of what is sent, which several sources may share.
    source: str = ""
    count: int = 1


class EventKey(NamedTuple):
    """What tells one kind of event from another: where it comes from, and what it is named as received."""

    source: str
    #: `track`, `page`, `identify` ...; "" where it stands for events that have no name of their own here.
    type: str
    #: The event of a `track`, the name of a `page` or `screen`; "" where there is none.
    name: str


class Measure(StrEnum):
    """What the inventory counts of a kind of event. The list is closed."""

    RECEIVED = "received"
    #: Of them, those that anyone could have sent.
    PUBLIC = "public"
    #: What became of them, one a preset and ad account that took them: an `Outcome`.
    OUTCOME = "exit"
    PRESET = "preset"
    #: Events that were looked into; what follows is counted of these alone.
    SAMPLED = "sampled"
    #: What was found in them: `value`, `currency`, `email` ...
    FOUND = "found"
    #: Their products by id and by what the product feed knows it as: `variant_id item`.
    CATALOGUE = "catalogue"
    #: Their properties, by path and kind of value: `properties.total number`. Kept by day only.
    PROPERTY = "property"


class InventoryCount(NamedTuple):
    """How often something happened to a kind of event."""

    key: EventKey
    counted: Measure
    #: Which outcome, preset or property; "" where there is nothing to tell apart.
    label: str
    number: int
