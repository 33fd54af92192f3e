"""Deliveries: from enqueue to the result of a send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import orjson
from msgspec import Struct

from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.values.event_names import CHECKOUT

if TYPE_CHECKING:
    from app.core.people import Recalled


class State(StrEnum):
    """The state of a delivery: `pending -> claimed -> delivered | dead`, `dead -> dismissed`.

    A retry is pending with a later `due_at`. A delivery is dismissed by a person, or because the same event was
    delivered as another delivery. A dismissed delivery is never sent.
    """

    PENDING = "pending"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISMISSED = "dismissed"


class Match(StrEnum):
    """How a page order matches the shop order that has its id or its token, and an equal amount."""

    #: The token, an e-mail address, a phone number or the IP address is equal.
    STRONG = "strong"
    WEAK = "weak"
    #: A weak match that arrived before the shop created the order.
    EARLY = "early"


class OrderSide(Struct, frozen=True, kw_only=True, gc=False):
    """The part of an order that is compared to match a page order with a shop order (`app.outbox.pairing`)."""

    #: Digest of the token that only the buyer's browser and the shop have; `None` if the event has no token.
    token: str | None = None
    #: Amounts such as `USD 249.00`. A public order has at most its total; a trusted order has every amount in the
    #: event.
    totals: tuple[str, ...] = ()
    #: The `event_id` differs from the `messageId`, or the sender set both to the same value.
    names_event_id: bool = False
    #: False: no page order is expected, because a trusted source set the channel (till, draft, renewal, offline).
    waits: bool = True
    #: The second name of the order at its shop: the number if `order_id` is the id, and vice versa.
    number: str | None = None
    #: Keys of the browsers of the page orders in this order. Their answers apply to the order.
    browsers: tuple[str, ...] = ()
    #: Short digests of the buyer's e-mail addresses, phone numbers and IP address.
    facts: tuple[str, ...] = ()
    #: Of a page order: when the event arrived. Of a shop order: when the shop created the order. Unix seconds.
    at: int | None = None
    #: Of a shop order: the best match among the page orders that were merged into the delivery.
    match: Match | None = None
    #: Of a shop order: the event without the parts of weak page orders, as `SideEvent.text` writes it.
    own: str | None = None


#: Members of an order side that are stored by name.
_NAMED: Final = ("facts", "at", "match", "own")


def side_of(side: OrderSide) -> list[Any]:
    """Return an order side as a list for JSON, without member names."""
    known = [side.token, side.totals, side.names_event_id, side.waits]
    more = {name: value for name in _NAMED if (value := getattr(side, name))}
    if side.number or side.browsers or more:
        known += [side.number, *side.browsers]
    return [*known, more] if more else known


def read_side(given: Sequence[Any]) -> OrderSide:
    """Return the order side from a stored list."""
    token, totals, names_event_id, waits, *rest = given
    more = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    number, *browsers = rest or (None,)
    return OrderSide(
        token=token,
        totals=tuple(totals),
        names_event_id=names_event_id,
        waits=waits,
        number=number,
        browsers=tuple(browsers),
        facts=tuple(more.get("facts", ())),
        at=more.get("at"),
        match=Match(more["match"]) if "match" in more else None,
        own=more.get("own"),
    )


class DeliveryColumns(Struct, frozen=True, kw_only=True, gc=False):
    """The columns that a delivery has before it is stored and after."""

    ad_account_id: str
    preset: str
    message_id: str
    event_name: str
    event_id: str
    action_source: str
    #: The order id in the event. If the event is a `checkout`, a key of de-duplication too.
    order_id: str | None
    event_time: int
    #: The name of the event's source.
    source: str = DEFAULT_SOURCE
    #: Value and currency as sent; `None` if the event has none.
    amount: str | None = None
    currency: str | None = None
    #: Of a `checkout`: joins the event with a `checkout` that has an order id. Otherwise `None`.
    checkout_id: str | None = None
    #: The name of the shop that the source belongs to; "" if the file of the source has none.
    shop: str = ""
    #: The name of the event as received: see `received_name`. "" if an older Pinrelay stored the delivery.
    name: str = ""
    #: The trace of the delivery in W3C format; `None` if the delivery is not traced.
    traceparent: str | None = None
    #: The author is authenticated by a secret that no page contains; of a merged order, at least one author is.
    is_trusted: bool = False
    #: Of a trusted `checkout`: the channel by which the order was placed, as `order_channel` reads it. Otherwise "".
    channel: str = ""


def columns_of(event: Event) -> dict[str, Any]:
    """Return the columns of a delivery that follow from its finished event, by name."""
    custom_data = event.get("custom_data", {})
    return {
        "event_id": event["event_id"],
        "event_time": event["event_time"],
        "order_id": custom_data.get("order_id"),
        "amount": custom_data.get("value"),
        "currency": custom_data.get("currency"),
        "buyer": tuple(event["user_data"].get("em", ())) if event["event_name"] == CHECKOUT else (),
    }


class NewDelivery(DeliveryColumns, frozen=True, kw_only=True, gc=False):
    """An event for a preset, finished and hashed: the input of the outbox."""

    #: Of a `checkout`: digests of the e-mail addresses, to distinguish buyers. Otherwise empty.
    buyer: tuple[str, ...] = ()
    #: How long the delivery is delayed, in seconds. The age of the delivery starts after the delay.
    hold_s: float = 0
    #: The finished ConversionEvent as JSON, UTF-8; never empty.
    payload: bytes
    warnings: tuple[str, ...]
    #: Which of Pinterest's eleven quality components, and of the other match keys, the event carries.
    quality: tuple[str, ...]
    #: Data from identity memory, by group; `None` without such data.
    memory: "dict[str, Recalled] | None" = None
    #: Of a `checkout`: the data for order matching. Otherwise `None`.
    side: OrderSide | None = None
    #: How long an order waits for its counterpart, in seconds; 0: no wait.
    wait_s: float = 0
    #: The delivery is withheld if its counterpart does not arrive.
    is_withheld_alone: bool = False
    #: A public delivery for an ad account that also has trusted events: the reserved part of the queue stays free.
    leaves_room: bool = False

    @property
    def placed_order(self) -> str | None:
        """Return the id of the order that the event places; `None` for other events."""
        return self.order_id if self.event_name == CHECKOUT else None

    @property
    def token(self) -> str | None:
        """Return the digest of the order token; `None` without a token."""
        return self.side.token if self.side else None

    @property
    def number(self) -> str | None:
        """Return the second name of the order; `None` if the order has only an id."""
        return self.side.number if self.side else None


class StoredDelivery(DeliveryColumns, frozen=True, kw_only=True, gc=False, array_like=True):
    """A delivery in the store: a row of the statement `deliveries`, with these fields as columns in this order."""

    #: A JSON array of digests; see `NewDelivery.buyer`.
    stored_buyer: str
    #: A JSON array: the warnings, and last an object if memory completed the event.
    stored_warnings: str
    #: The order side as JSON; `None` if the delivery has none, or PostgreSQL stores the delivery as delivered.
    stored_side: str | None
    delivery_id: int
    state: State
    reason: str
    #: The number of other messages that were merged into the delivery.
    merged: int
    #: A request with the delivery was sent, so Pinterest may have the event.
    was_tried: bool
    settled_at: float | None
    #: Of a pending delivery: the delivery whose result it waits for, or `WAITS` or `WAITS_TO_BE_WITHHELD`.
    follows: int | None
    #: The finished event of a pending delivery; otherwise `None`.
    payload: bytes | None

    @property
    def is_open(self) -> bool:
        """Whether another event may still be merged into the delivery: it is pending and no attempt was made."""
        return self.state == State.PENDING and not self.was_tried

    @property
    def waits(self) -> bool:
        return self.is_open and self.follows is not None

    @property
    def has_left(self) -> bool:
        return not self.is_open and self.state in {State.PENDING, State.CLAIMED, State.DELIVERED}

    @property
    def buyer(self) -> tuple[str, ...]:
        """The digests of the buyer's e-mail addresses."""
        return tuple(orjson.loads(self.stored_buyer))

    @property
    def side(self) -> OrderSide | None:
        return read_side(orjson.loads(self.stored_side)) if self.stored_side else None

    @property
    def token(self) -> str | None:
        side = self.side
        return side.token if side else None

    @property
    def number(self) -> str | None:
        side = self.side
        return side.number if side else None


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A cancelled order: the preset's delivery to the ad account is withdrawn unless the delivery was sent."""

    ad_account_id: str
    preset: str
    order_id: str
    #: The source of the cancellation.
    source: str = DEFAULT_SOURCE
    #: The message id of the cancellation.
    message_id: str
    #: The author is authenticated by a secret.
    is_trusted: bool = False
    #: The name of the source's shop; "" if the file of the source has none.
    shop: str = ""
    #: The amount of a partial refund; `None`: the whole order is cancelled.
    amount: str | None = None
    currency: str | None = None


class Enqueued(Struct, frozen=True, kw_only=True):
    """How the outbox handled a NewDelivery."""

    outcome: Literal[Outcome.ENQUEUED, Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD]
    #: The duplicate key; "" if the delivery was enqueued.
    reason: str = ""
    #: Warnings about an enqueued order that resembles an earlier order; added to those of the delivery.
    warnings: tuple[str, ...] = ()
    #: [preset, source] of waiting deliveries of the same ad account that this delivery replaces.
    superseded: tuple[tuple[str, str], ...] = ()


class Seen(Struct, frozen=True, kw_only=True):
    """The predicted result for a new delivery that is a duplicate, would be merged, or resembles an earlier order."""

    #: The value of `Enqueued.reason`; "" if the new delivery would be enqueued.
    reason: str
    #: When the earlier delivery was enqueued or redriven.
    at: float
    #: The value of `Enqueued.warnings`.
    warnings: tuple[str, ...] = ()
    #: The predicted outcome; `withheld` if the person of the earlier delivery was erased.
    outcome: Literal[Outcome.ENQUEUED, Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD] = Outcome.DUPLICATE


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that this process may send until its lease ends."""

    #: Unique in the outbox; opaque.
    delivery_id: str
    #: Proves that this process still owns the claim; changes with each claim.
    claim: str
    ad_account_id: str
    preset: str
    message_id: str
    event_name: str
    event_id: str
    action_source: str
    payload: bytes
    #: The number of the attempt, from 1.
    attempt: int
    enqueued_at: float
    #: The value at enqueue time.
    traceparent: str | None = None
    #: The lease of the previous claim expired without a result: the delivery may have been sent.
    lease_was_lost: bool


#: The text of an attempt with an expired lease in the history.
LEASE_LOST = "the sender stopped before it recorded an answer"
#: The reason of a delivery with a preset that is switched off.
HELD = "its preset is switched off"


# ---------------------------------------------------------------------------------------------------------------------
# Results of a send: a closed union, each with its reason.


class Delivered(Struct, frozen=True, kw_only=True, gc=False):
    """Pinterest processed the event. Final."""

    #: Pinterest's `warning_message`; "" if the response has none.
    warning: str = ""
    status: int = 200


class Retry(Struct, frozen=True, kw_only=True, gc=False):
    """The same event may succeed later."""

    reason: str
    #: The HTTP status; `None` without a response.
    status: int | None = None
    #: The pause that Pinterest requests, in seconds; `None` if the response has no Retry-After.
    retry_after_s: float | None = None
    #: The request may have been processed (time-out, reset, half an answer): matters for `offline` events.
    ambiguous: bool = False
    #: False if no request was made (shutdown): the attempt does not count.
    tried: bool = True
    #: False: the attempt does not count, although Pinterest judged other events of the call. Only age ends the retries.
    uses_attempt: bool = True


class Rejected(Struct, frozen=True, kw_only=True, gc=False):
    """Pinterest will never accept this event. The delivery becomes a dead letter with Pinterest's message."""

    reason: str
    status: int | None = None


class Blocked(Struct, frozen=True, kw_only=True, gc=False):
    """Pinterest refuses the ad account or token (401, 403): the event waits, and the attempt does not count."""

    reason: str
    status: int


CallResult: TypeAlias = Delivered | Retry | Rejected | Blocked

#: The name of each result in counts and in the history of attempts.
RESULT_NAMES: Final[Mapping[type[CallResult], Outcome]] = {
    Delivered: Outcome.DELIVERED,
    Retry: Outcome.RETRY,
    Rejected: Outcome.REJECTED,
    Blocked: Outcome.BLOCKED,
}


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """The new state of a claimed delivery."""

    claimed: Claimed
    result: CallResult
    #: `pending` again (then `due_at` is set), `delivered` or `dead`.
    state: Literal[State.PENDING, State.DELIVERED, State.DEAD]
    #: When the delivery may be claimed again; `None` if the delivery is settled.
    due_at: float | None = None
    #: The attempt does not count towards the limit.
    give_back: bool = False


# ---------------------------------------------------------------------------------------------------------------------
# Records that the outbox returns for display.


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to send a delivery."""

    number: int
    at: float
    #: What the call returned: `delivered`, `retry`, `rejected` or `blocked`.
    result: Outcome
    status: int | None
    #: The message of Pinterest or Pinrelay; "" if the event was delivered without a warning.
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as people see it: its state and its history."""

    delivery_id: str
    ad_account_id: str
    preset: str
    message_id: str
    event_name: str
    event_id: str
    action_source: str
    order_id: str | None
    event_time: int
    state: State
    #: The reason of a dead or waiting delivery; otherwise "".
    reason: str
    #: Attempts that count towards the limit.
    attempts: int
    enqueued_at: float
    #: Pending: when the delivery may be claimed (approximate while it is delayed). Claimed: the end of the lease.
    #: Settled: `None`.
    due_at: float | None
    #: `None` until the delivery is delivered or dead.
    settled_at: float | None
    warnings: tuple[str, ...]
    #: The values at enqueue time.
    source: str = "default"
    amount: str | None = None
    currency: str | None = None
    checkout_id: str | None = None
    #: "" if an older Pinrelay stored the delivery.
    name: str = ""
    #: See `DeliveryColumns`.
    channel: str = ""
    #: The preset's `hold` delays the delivery: a cancellation before `due_at` withdraws the order.
    is_held: bool = False
    #: The author is authenticated by a secret that no page contains; of a merged order, at least one author is.
    is_trusted: bool = False
    #: Data from memory, by group: `{"age_s": ..., "by": ...}` as in `Recalled`.
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Set by `Outbox.delivery` and `Outbox.message`; empty in lists.
    history: tuple[Attempt, ...] = ()
    #: The finished event; `None` after its erasure.
    payload: bytes | None = None


class KnownOrder(Struct, frozen=True, kw_only=True):
    """Data about an order that is not sent, as far as it is readable, for the ledger.

    Contains no data about the buyer.
    """

    #: Pinterest's name of the event; `None` if no preset matches the event.
    event_name: str | None
    #: The values that would be sent.
    order_id: str | None
    amount: str | None
    currency: str | None
    #: See `order_channel`.
    channel: str = ""

    @property
    def placed_order(self) -> str | None:
        """Return the id of the order that the event may place; `None` if the event only mentions an order."""
        return self.order_id if self.event_name in {None, CHECKOUT} else None
