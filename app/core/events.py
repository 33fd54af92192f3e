"""Events, and the records that count them. Times are Unix seconds (UTC) and end in `_at`; durations end in `_s`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

#: A Segment event, parsed from JSON.
Event: TypeAlias = dict[str, Any]


class Outcome(StrEnum):
    """How an event, or its delivery for a preset, ends a stage. The list is closed, and each outcome is counted."""

    # received
    #: A Segment event, passed to the next stage.
    ACCEPTED = "accepted"
    #: Not a Segment event, or no readable part. The sender gets the reason.
    REFUSED = "refused"
    # matched
    #: The trigger of a preset is true. An event that matches `withdrawn_by` has this outcome too, without a delivery.
    MATCHED = "matched"
    #: The trigger of no preset is true.
    UNMATCHED = "unmatched"
    #: Blocked by consent, `integrations`, a switch or a full backlog; or the event is a test or from a crawler.
    WITHHELD = "withheld"
    # mapped
    #: Stored, to be sent.
    ENQUEUED = "enqueued"
    #: Merged with its waiting counterpart, page order or shop order, into a single delivery.
    MERGED = "merged"
    #: The same event, or a `checkout` of the same order, was stored before.
    DUPLICATE = "duplicate"
    #: Pinterest would reject the event.
    INVALID = "invalid"
    # held
    #: The order was cancelled before it was sent.
    WITHDRAWN = "withdrawn"
    # Pinterest processed the event.
    #: Pinterest processed the event.
    DELIVERED = "delivered"
    #: The event is sent again later.
    RETRY = "retry"
    #: A dead letter: Pinterest rejected the event, or the limit of attempts or age was reached.
    REJECTED = "rejected"
    #: Pinterest refuses all events of this ad account, for example because of the token; the event waits.
    BLOCKED = "blocked"


#: The name of the source for `/webhook`, and for senders without a write key if none is required.
DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedEvent:
    """The ledger entry of an event without a delivery: refused, withheld or invalid, with the reason.

    Unmatched events have an entry only if they contain an order.
    """

    message_id: str
    #: `None` if the event reached no ad account, and so no preset.
    ad_account_id: str | None = None
    #: `None` if the event reached no preset.
    preset: str | None
    outcome: Outcome
    reason: str
    warnings: tuple[str, ...] = ()
    #: Pinterest's name of the event; `None` if the event was not mapped or is known not to be an order.
    event_name: str | None = None
    #: Of orders: the values of `NewDelivery`, if known.
    order_id: str | None = None
    amount: str | None = None
    currency: str | None = None
    source: str = DEFAULT_SOURCE
    #: See `NewDelivery`.
    name: str = ""
    #: Only of trusted events.
    channel: str = ""
    is_trusted: bool = False
    #: A waiting delivery that is not sent; it is counted as withdrawn.
    was_enqueued: bool = False


#: Maximum length of `CounterRow.label`. A longer reason or warning is cut.
MAX_LABEL_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRow:
    """A count by minute, for the console and the metrics."""

    #: The counted thing: an `Outcome`, `warning`, `quality`, `memory`, `memory_full`, `calls` or `refused_request`.
    name: str
    preset: str = ""
    #: A reason, kind of warning, match key, group of memory or status; for a refused request, status, cause and
    #: setting; otherwise "".
    label: str = ""
    ad_account_id: str = ""
    #: The name of the source of the events; "" for counts of sending, because several sources can share a call.
    source: str = ""
    count: int = 1


class EventKey(NamedTuple):
    """A kind of event: its source, and its type and name as received."""

    source: str
    #: `track`, `page`, `identify` and so on; "" for a kind without its own entry.
    type: str
    #: The event of a `track`, or the name of a `page` or `screen`; otherwise "".
    name: str


class Measure(StrEnum):
    """The counts of the inventory for a kind of event. The list is closed."""

    RECEIVED = "received"
    #: Received events that anyone could have sent.
    PUBLIC = "public"
    #: Outcomes of the events, for each preset and ad account that matched.
    OUTCOME = "exit"
    PRESET = "preset"
    #: Events that were examined; the following counts include only these.
    SAMPLED = "sampled"
    #: Data in examined events: `value`, `currency`, `email` and so on.
    FOUND = "found"
    #: Products by the member with their id, and by the kind of id in the product feed: `variant_id item`.
    CATALOGUE = "catalogue"
    #: Properties by path and type of value: `properties.total number`. Only counted by day.
    PROPERTY = "property"


class InventoryCount(NamedTuple):
    """A count for a kind of event."""

    key: EventKey
    counted: Measure
    #: The outcome, preset or property; "" if the measure has no parts.
    label: str
    number: int
