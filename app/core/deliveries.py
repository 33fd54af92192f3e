"""Deliveries: from enqueue to the result of a send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import orjson
from msgspec import Struct

from app.core.events import DEFAULT_SOURCE, Outcome
from app.core.values.event_names import CHECKOUT

if TYPE_CHECKING:
    from app.core.people import Recalled


class State(StrEnum):
    """Where a delivery stands: `pending -> claimed -> delivered | dead`, `dead -> dismissed`.

    A retry is pending with a later `due_at`. A delivery is dismissed by a person, or because the same event was
    delivered as another delivery: it is never sent.
    """

    PENDING = "pending"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISMISSED = "dismissed"


class Match(StrEnum):
    """How a page order matches the shop order that has its id or its token, and an equal amount."""

    #: The tokens are equal, or an e-mail address, a phone number or the IP address is.
    STRONG = "strong"
    WEAK = "weak"
    #: A weak match that arrived before the shop created the order.
    EARLY = "early"


class OrderSide(Struct, frozen=True, kw_only=True, gc=False):
    """What one side, the page or the shop, says of an order: by it two sides are bound (`app.outbox.pairing`)."""

    #: Digest of the token that only one browser and the shop know; None where the event names none.
    token: str | None = None
    #: Such as `USD 249.00`. A public side has its one total, or none; a trusted side has every amount that it names.
    totals: tuple[str, ...] = ()
    #: Its `event_id` is not its `messageId`, or it named both alike.
    names_event_id: bool = False
    #: False: no other side comes, as a trusted source's own field says (till, draft, renewal, offline).
    waits: bool = True
    #: The other name of the order at its shop, its number or its id, where `order_id` is the one of the two.
    number: str | None = None
    #: Keys of the browsers whose page's event it is, or is in it: what they answer is about it.
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
    """Return a side as a list for JSON, without the names of its members."""
    known = [side.token, side.totals, side.names_event_id, side.waits]
    more = {name: value for name in _NAMED if (value := getattr(side, name))}
    if side.number or side.browsers or more:
        known += [side.number, *side.browsers]
    return [*known, more] if more else known


def read_side(given: Sequence[Any]) -> OrderSide:
    """Return the side that a stored list is."""
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
    #: The name of the source that the event came from.
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
    #: The author is authenticated by a secret that no page contains; of a merged order, the author of one of both.
    is_trusted: bool = False
    #: Of a trusted `checkout`: the channel by which the order was placed, as `order_channel` reads it. Otherwise "".
    channel: str = ""


class NewDelivery(DeliveryColumns, frozen=True, kw_only=True, gc=False):
    """One event for one preset, finished and hashed: what the outbox takes."""

    #: Of a `checkout`: the digests of its e-mail addresses, by which two buyers are told apart. Empty elsewhere.
    buyer: tuple[str, ...] = ()
    #: For how many seconds it is kept back. Its age begins when they are over.
    hold_s: float = 0
    #: The finished ConversionEvent as JSON, UTF-8; never empty.
    payload: bytes
    warnings: tuple[str, ...]
    #: Which of Pinterest's eleven quality components, and of the other match keys, the event carries.
    quality: tuple[str, ...]
    #: What came from memory, by group; None where nothing did.
    memory: "dict[str, Recalled] | None" = None
    #: Of a `checkout`: what binds it to the same order from the other side. None elsewhere.
    side: OrderSide | None = None
    #: For how many seconds an order waits for the same order from the other side; 0: it does not wait.
    wait_s: float = 0
    #: Where the other side does not come, it is not sent.
    is_withheld_alone: bool = False
    #: It is public, and its ad account gets trusted events too: it takes none of the room that is kept for them.
    leaves_room: bool = False

    @property
    def placed_order(self) -> str | None:
        """The id of the order that it places; None of an event that is none, or only names one."""
        return self.order_id if self.event_name == CHECKOUT else None

    @property
    def token(self) -> str | None:
        """The digest of the token of its order; None where there is none."""
        return self.side.token if self.side else None

    @property
    def number(self) -> str | None:
        """The other name of its order; None where there is none."""
        return self.side.number if self.side else None


class StoredDelivery(DeliveryColumns, frozen=True, kw_only=True, gc=False, array_like=True):
    """A delivery in the store: a row of the statement `deliveries`, whose columns are these fields in this order."""

    #: A JSON array of digests, as `NewDelivery.buyer`.
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
    #: An attempt was made, so Pinterest may have the event.
    was_tried: bool
    settled_at: float | None
    #: Pending: the delivery whose result this delivery waits for, or `WAITS` or `WAITS_TO_BE_WITHHELD`.
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
    """A cancelled order: what one preset made of it for one ad account is not sent, if it has not left."""

    ad_account_id: str
    preset: str
    order_id: str
    #: The source that the cancellation came from.
    source: str = DEFAULT_SOURCE
    #: The message id of the cancellation.
    message_id: str
    #: Its author is known by a secret.
    is_trusted: bool = False
    #: The name of the shop that its source belongs to; "" where its file names none.
    shop: str = ""
    #: What a refund says that it pays back; None: the order as a whole.
    amount: str | None = None
    currency: str | None = None


class Enqueued(Struct, frozen=True, kw_only=True):
    """The outbox's answer for one NewDelivery."""

    outcome: Literal[Outcome.ENQUEUED, Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD]
    #: Which key was seen before; "" where enqueued.
    reason: str = ""
    #: About an order that is like an earlier one and is enqueued nevertheless; they stand with the delivery's own.
    warnings: tuple[str, ...] = ()
    #: [preset, source] of the same ad account's deliveries that waited, and are not sent since this one came.
    superseded: tuple[tuple[str, str], ...] = ()


class Seen(Struct, frozen=True, kw_only=True):
    """What a new delivery would be told that repeats an earlier one, is merged into it, or is like an earlier order."""

    #: As `Enqueued.reason` says it; "" where the new one would be enqueued nevertheless.
    reason: str
    #: When the earlier one was enqueued, or redriven.
    at: float
    #: As `Enqueued.warnings` says it.
    warnings: tuple[str, ...] = ()
    #: As what it would be told; withheld where the person of the earlier one was erased.
    outcome: Literal[Outcome.ENQUEUED, Outcome.MERGED, Outcome.DUPLICATE, Outcome.WITHHELD] = Outcome.DUPLICATE


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that this process may send until its lease ends."""

    #: Unique in the outbox; opaque.
    delivery_id: str
    #: Proves that the claim is still ours; changes with every claim.
    claim: str
    ad_account_id: str
    preset: str
    message_id: str
    event_name: str
    event_id: str
    action_source: str
    payload: bytes
    #: Of this claim, counted from 1.
    attempt: int
    enqueued_at: float
    #: As it was enqueued.
    traceparent: str | None = None
    #: The claim before ended with its lease, without a word: the delivery may have been sent.
    lease_was_lost: bool


#: What the history says of an attempt whose lease was lost.
LEASE_LOST = "the sender stopped before it recorded an answer"
#: Why a delivery waits whose preset is switched off.
HELD = "its preset is switched off"


# ---------------------------------------------------------------------------------------------------------------------
# Results of a send: a closed union, each with its reason.


class Delivered(Struct, frozen=True, kw_only=True, gc=False):
    """Pinterest processed the event. Final."""

    #: Pinterest's warning_message; "" where there was none.
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
    #: False gives the attempt back: nothing was tried (shutdown, no call made).
    tried: bool = True
    #: False gives the attempt back although other events of the call were judged: only age ends the retries.
    uses_attempt: bool = True


class Rejected(Struct, frozen=True, kw_only=True, gc=False):
    """Pinterest will never take this event. It becomes a dead letter with Pinterest's words."""

    reason: str
    status: int | None = None


class Blocked(Struct, frozen=True, kw_only=True, gc=False):
    """The destination is refused (401, 403): the event waits, its attempt is given back."""

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
    """What becomes of one claimed delivery."""

    claimed: Claimed
    result: CallResult
    #: `pending` again (then `due_at` is set), `delivered` or `dead`.
    state: Literal[State.PENDING, State.DELIVERED, State.DEAD]
    #: When it may be claimed again; None where settled.
    due_at: float | None = None
    #: The attempt is given back: it does not count towards the limit.
    give_back: bool = False


# ---------------------------------------------------------------------------------------------------------------------
# What the outbox shows.


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt to send a delivery."""

    number: int
    at: float
    #: What the call returned: `delivered`, `retry`, `rejected` or `blocked`.
    result: Outcome
    status: int | None
    #: Pinterest's words or ours; "" where delivered without a warning.
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
    #: Why it is dead, or waits; "" where there is nothing to say.
    reason: str
    #: Attempts that count towards the limit.
    attempts: int
    enqueued_at: float
    #: When it may be claimed (pending; about when, while it is held) or its lease ends (claimed); None when settled.
    due_at: float | None
    #: None until delivered or dead.
    settled_at: float | None
    warnings: tuple[str, ...]
    #: As they were enqueued.
    source: str = "default"
    amount: str | None = None
    currency: str | None = None
    checkout_id: str | None = None
    #: "" where an older Pinrelay took it.
    name: str = ""
    #: As in `DeliveryColumns`.
    channel: str = ""
    #: By `hold` of its preset: an order that is cancelled before `due_at` is withdrawn.
    is_held: bool = False
    #: Its author is known by a secret that no page shows; of a merged order, the author of one side.
    is_trusted: bool = False
    #: What came from memory, by group: `{"age_s": ..., "by": ...}` as `Recalled` says them.
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Filled by `Outbox.delivery` and `Outbox.message`, empty in lists.
    history: tuple[Attempt, ...] = ()
    #: The finished event; None once erased.
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A small JSON value that every process must know (switches, generation, the trouble with Pinterest, rate)."""

    value: Any
    #: Grows with every write; give it to `put_shared` to write only if nobody else did.
    revision: int


class KnownOrder(Struct, frozen=True, kw_only=True):
    """What the ledger is told of an order that is not sent, as far as it can be read; nothing of its buyer."""

    #: Pinterest's name of the event; None where no preset takes it.
    event_name: str | None
    #: As they would be sent.
    order_id: str | None
    amount: str | None
    currency: str | None
    #: As `order_channel` reads it.
    channel: str = ""

    @property
    def placed_order(self) -> str | None:
        """The id of the order that its event may place; None where it only names one."""
        return self.order_id if self.event_name in {None, CHECKOUT} else None
