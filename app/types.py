"""The records that pass between the rooms.

    source -> Event -> pipeline -> NewDelivery -> outbox
    outbox -> Claimed -> worker -> Outcome -> Settlement -> outbox -> Delivery (what people look at)

Times are Unix seconds (`float`, UTC) and end in `_at`; durations end in `_s`; sizes in `_bytes`.
What is made once for each event or delivery is a Struct: as frozen as a dataclass, and made in a quarter of its time or
less. What is written as JSON (notes, counts, what people look at) is a dataclass, which orjson and `asdict` know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from app.values.hidden_emails import unpersonal_id

#: One Segment event, as parsed from JSON.
Event: TypeAlias = dict[str, Any]


class Exit(StrEnum):
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


class State(StrEnum):
    """Where a delivery stands: `pending -> claimed -> delivered | dead`, `dead -> dismissed`.

    A retry is pending with a later `due_at`. What is dismissed was put away by a person, or the same event was
    delivered as another delivery: it is never sent.
    """

    PENDING = "pending"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISMISSED = "dismissed"


#: The source of what comes by the webhook, and where no write key has to be proven.
DEFAULT_SOURCE = "default"


class NewDelivery(Struct, frozen=True, kw_only=True, gc=False):
    """One event for one preset, finished and hashed: what the outbox takes."""

    ad_account_id: str
    preset: str
    message_id: str
    event_name: str
    event_id: str
    action_source: str
    #: Of a `checkout`: its order, the second key of de-duplication. None elsewhere.
    order_id: str | None
    event_time: int
    #: The name of the source that the event came from.
    source: str = DEFAULT_SOURCE
    #: Value and currency as they are sent; None where the event carries none.
    amount: str | None = None
    currency: str | None = None
    #: Of a `checkout`: what joins it with one that names its order. None elsewhere.
    checkout_id: str | None = None
    #: Of a `checkout`: the digests of its e-mail addresses, by which two buyers are told apart. Empty elsewhere.
    buyer: tuple[str, ...] = ()
    #: For how many seconds it is kept back. Its age begins when they are over.
    hold_s: float = 0
    #: The finished ConversionEvent as JSON, UTF-8; never empty.
    payload: bytes
    warnings: tuple[str, ...]
    #: Which of Pinterest's eleven quality components, and of the other match keys, the event carries.
    quality: tuple[str, ...]
    #: The trace that goes on with its delivery, as W3C writes it; None where it is not traced.
    traceparent: str | None = None
    #: Under which name the event arrived: see `received_name`.
    name: str = ""
    #: What came from memory, by group; None where nothing did.
    memory: "dict[str, Recalled] | None" = None


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A cancelled order: what one preset made of it for one ad account is not sent, if it has not left."""

    ad_account_id: str
    preset: str
    order_id: str
    #: The source that the cancellation came from.
    source: str = DEFAULT_SOURCE
    #: The message id of the cancellation.
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the ledger keeps of an event that made no delivery: refused, withheld or invalid, and why.

    Unmatched events are noted only where they name an order.
    """

    message_id: str
    #: None where the event reached no ad account, and so no preset.
    ad_account_id: str | None = None
    #: None where the event reached no preset.
    preset: str | None
    exit: Exit
    reason: str
    warnings: tuple[str, ...] = ()
    #: Pinterest's name of the event; None where it was not mapped, or is known to be no order.
    event_name: str | None = None
    #: As a NewDelivery has them, of orders, as far as they are known.
    order_id: str | None = None
    amount: str | None = None
    currency: str | None = None
    source: str = DEFAULT_SOURCE
    #: As a NewDelivery has it.
    name: str = ""


#: A reason or a warning is counted by its first characters, of which a Tally's label takes so many.
MAX_LABEL_CHARACTERS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A count of one thing that happened, kept by minute for the console and the metrics."""

    #: What is counted: an `Exit`, `warning`, `quality`, `memory`, `memory_full` or `calls`.
    name: str
    #: "" where no preset was involved.
    preset: str = ""
    #: A reason, a warning's kind, a match key, a group of memory or a status; "" where there is none.
    label: str = ""
    #: "" where no ad account was involved.
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

    #: Events.
    RECEIVED = "received"
    #: What became of them, one a preset and ad account that took them: an `Exit`.
    EXIT = "exit"
    #: Which preset took them.
    PRESET = "preset"
    #: Events that were looked into; what follows is counted of these alone.
    SAMPLED = "sampled"
    #: What was found in them: `value`, `currency`, `email` ...
    FOUND = "found"
    #: Their properties, by path and kind of value: `properties.total number`. Kept by day only.
    PROPERTY = "property"


class InventoryCount(NamedTuple):
    """How often something happened to a kind of event."""

    key: EventKey
    counted: Measure
    #: Which exit, preset or property; "" where there is nothing to tell apart.
    label: str
    number: int


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """What was last observed of one group of facts about a person (`app.identity.facts`)."""

    #: By Pinterest's name: lists of digests; of a click the id itself.
    members: Mapping[str, Any]
    #: The own time of the newest event that said it, Unix seconds.
    at: float
    #: The type of that event, such as `identify`.
    by: str


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """That an id of identity memory stands for a user."""

    #: The user's key.
    to: str
    #: The own time of the newest event that said so; of one that no longer holds: of the event that removed it.
    at: float
    #: False once it is removed. It is followed no more, but still tells the next user from the first.
    is_followed: bool = True


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered under one id."""

    #: By group.
    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)
    link: Link | None = None


class PersonRow(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What is remembered under one id, as the outbox finds it."""

    #: HMAC-SHA-256 of the id, in hex.
    key: str
    #: Grows with every write. 0 stands for what is not there.
    revision: int
    record: Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFound:
    """What is remembered of some ids, and of those that they are linked with."""

    people: Sequence[PersonRow]
    #: By key: when a no was said that still holds.
    marks: dict[str, float]
    #: There is no room for another mark.
    is_full: bool = False


class PersonChange(Struct, frozen=True, kw_only=True):
    """What is to be remembered under one id from now on."""

    key: str
    #: Of what was there when it was decided; 0 where nothing was.
    revision: int
    linked_to: str | None = None
    linked_at: float | None = None
    #: The own time of the newest event that said anything of it.
    seen_at: float = 0
    #: When the first part of it is too old.
    stale_at: float = 0
    #: None where nothing is left: the id is forgotten. With revision 0 it only has to be unknown still.
    record: str | None


class MarkChange(Struct, frozen=True, kw_only=True):
    """What becomes of the mark of one id."""

    key: str
    #: When the no was said that held when it was decided; None where none did.
    was: float | None
    #: The same from now on.
    at: float | None


class Whose(Struct, frozen=True, kw_only=True, gc=False):
    """Whose a message is: the ids under which its deliveries are found when a person is erased."""

    message_id: str
    user: str | None
    anonymous: str | None


class PeopleChanges(Struct, frozen=True, kw_only=True):
    """What the events of one call change in memory. It is done where nothing of it was changed meanwhile."""

    people: list[PersonChange]
    #: One for every key of `people`, and others; most of them change nothing.
    marks: list[MarkChange]
    #: Of the deliveries of the same call, one a message.
    whose: list[Whose] = msgspec.field(default_factory=list)


class Enqueued(Struct, frozen=True, kw_only=True):
    """The outbox's answer for one NewDelivery."""

    exit: Literal[Exit.ENQUEUED, Exit.DUPLICATE]
    #: Which key was seen before; "" where enqueued.
    reason: str = ""
    #: About an order that is like an earlier one and is enqueued nevertheless; they stand with the delivery's own.
    warnings: tuple[str, ...] = ()


class Seen(Struct, frozen=True, kw_only=True):
    """The earlier delivery that a new one would repeat, or an earlier order that it is like."""

    #: Which key was seen before, as `Enqueued.reason` says it; "" where the new one would be enqueued nevertheless.
    reason: str
    #: When the earlier one was enqueued, or redriven.
    at: float
    #: As `Enqueued.warnings` says it.
    warnings: tuple[str, ...] = ()


class Claimed(Struct, frozen=True, kw_only=True):
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
# Outcomes of a send: a closed union, each with its reason.


class Delivered(Struct, frozen=True, kw_only=True):
    """Pinterest processed the event. Final."""

    #: Pinterest's warning_message; "" where there was none.
    warning: str = ""
    status: int = 200


class Retry(Struct, frozen=True, kw_only=True):
    """The same event may succeed later."""

    reason: str
    #: The HTTP status; None where no answer came.
    status: int | None = None
    #: What Pinterest asked for; None where it said nothing.
    retry_after_s: float | None = None
    #: The request may have been processed (time-out, reset, half an answer): matters for `offline` events.
    ambiguous: bool = False
    #: False gives the attempt back: nothing was tried (shutdown, no call made).
    tried: bool = True


class Rejected(Struct, frozen=True, kw_only=True):
    """Pinterest will never take this event. It becomes a dead letter with Pinterest's words."""

    reason: str
    status: int | None = None


class Blocked(Struct, frozen=True, kw_only=True):
    """The destination is refused (401, 403): the event waits, its attempt is given back."""

    reason: str
    status: int


Outcome: TypeAlias = Delivered | Retry | Rejected | Blocked

#: As what each outcome is counted and kept in the history.
EXIT_OF: Final[Mapping[type[Outcome], Exit]] = {
    Delivered: Exit.DELIVERED,
    Retry: Exit.RETRY,
    Rejected: Exit.REJECTED,
    Blocked: Exit.BLOCKED,
}


class Settlement(Struct, frozen=True, kw_only=True):
    """What becomes of one claimed delivery."""

    claimed: Claimed
    outcome: Outcome
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
    """One try at sending one delivery."""

    #: Counted from 1.
    number: int
    at: float
    exit: Exit
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
    #: When it may be claimed (pending) or its lease ends (claimed); None when settled.
    due_at: float | None
    #: None until delivered or dead.
    settled_at: float | None
    warnings: tuple[str, ...]
    #: What came from memory, by group: `{"age_s": ..., "by": ...}` as `Recalled` says them.
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: As they were enqueued.
    source: str = "default"
    amount: str | None = None
    currency: str | None = None
    checkout_id: str | None = None
    #: "" where an older Pinrelay took it.
    name: str = ""
    #: Filled by `Outbox.delivery` and `Outbox.message`, empty in lists.
    history: tuple[Attempt, ...] = ()
    #: The finished event; None once erased.
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What became of one message id: the ledger's answer."""

    message_id: str
    notes: tuple[tuple[float, Note], ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which deliveries and notes are asked for; None means any. All given conditions must hold.

    A note is known by no delivery id, event id, state, status or person: where one of these is asked for, no note is
    meant.
    """

    delivery_id: str | None = None
    message_id: str | None = None
    event_id: str | None = None
    #: Of a checkout, as it is sent.
    order_id: str | None = None
    ad_account_id: str | None = None
    preset: str | None = None
    #: Pinterest's name of the event.
    event_name: str | None = None
    #: The name under which the event arrived, as the inventory shows it.
    name: str | None = None
    source: str | None = None
    #: ISO 4217, of an order; "": it names none.
    currency: str | None = None
    #: Whether it is an order that was received, as sums of revenue count them; what no preset takes does not count.
    is_order: bool | None = None
    #: `waiting`: pending or claimed.
    state: State | Literal["waiting"] | None = None
    #: Of a send: what any attempt came to. What was matched or enqueued is every delivery.
    exit: Exit | None = None
    #: Whether a preset had taken it.
    taken: bool | None = None
    #: The HTTP status of any attempt.
    status: int | None = None
    #: A part of the reason, ignoring case.
    reason: str | None = None
    #: The reason of a delivery, whole, but for what was added when it was not redriven: as `DeadCause` has it.
    cause: str | None = None
    #: A part of a warning, ignoring case.
    warning: str | None = None
    #: When the exit was taken, from the first to below the second, Unix seconds; without an exit: when it was received.
    since: float | None = None
    until: float | None = None
    #: Digests of a person, one of which the kept payload holds.
    person: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Replace ids by the form in which the outbox keeps them."""
        for name in ("message_id", "event_id", "order_id"):
            given = getattr(self, name)
            if given:
                object.__setattr__(self, name, unpersonal_id(given))

    @property
    def given(self) -> dict[str, Any]:
        """The conditions that are not None, by name."""
        conditions = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in conditions.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a search of deliveries, newest first."""

    deliveries: tuple[Delivery, ...]
    #: Give it to `search` for the next page; None where this was the last.
    next_cursor: str | None = None
    #: Set where the engine looked at the newest N only: N.
    scanned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePage:
    """Some notes with the time of each, newest first."""

    notes: tuple[tuple[float, Note], ...]
    #: As `Page` has them.
    next_cursor: str | None = None
    scanned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """What a redrive did to the dead deliveries that it was asked for."""

    #: They are pending again.
    redriven: int = 0
    #: The same event was delivered as another delivery meanwhile: they are dismissed.
    overtaken: int = 0
    #: The same event waits as another delivery: they stay dead, and their reasons name it.
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCause:
    """One reason for which deliveries are dead, and how many they are."""

    reason: str
    ad_account_id: str
    preset: str
    count: int
    #: When the newest of them died.
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An ad account as people know it."""

    ad_account_id: str
    #: Of its destination; "" where the settings name the only one.
    name: str = ""
    #: False: what is for it goes to the built-in sandbox.
    live: bool

    @property
    def shown(self) -> str:
        """What people are shown: the name, or the id where there is none."""
        return self.name or self.ad_account_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much waits in the outbox for one ad account, and how much room is left."""

    pending: int = 0
    claimed: int = 0
    dead: int = 0
    #: Of the payloads of what is pending or claimed.
    size_bytes: int = 0
    #: When the oldest unsettled delivery was enqueued; None where none waits.
    oldest_at: float | None = None
    #: Which limit is reached, so that nothing more is taken in; "" while there is room.
    full: str = ""
    #: How many bytes of payloads the limits still leave; None where none is set.
    room_bytes: float | None = field(default=None, compare=False)
    #: Room on the disk, without what is kept for draining; None where the store cannot ask. Others write there too.
    disk_bytes: int | None = field(default=None, compare=False)
    #: When no more fits, at the rate of the last hour; None where it does not grow, or that is not known.
    full_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What orders of one day are worth that are alike: by ad account, preset, source, currency, what they became."""

    #: On which they came, counted from 1970 (UTC).
    day: int
    #: "", as the preset, where they reached none.
    ad_account_id: str
    preset: str
    source: str
    #: ISO 4217; "" where none was named.
    currency: str
    #: `waiting`, a `State` that is settled, or the `Exit` of a note.
    became: str
    #: One a delivery or note: an order that two presets take is counted for each.
    orders: int
    #: Of these, those that name no amount.
    without_amount: int
    #: The sum of the others.
    amount: Decimal
    #: The largest amount of a delivery that was ever counted here, and the delivery; None where there was none.
    largest: Decimal | None
    largest_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many events of one name carry one quality component, as Pinterest counts."""

    #: As `conversion_eqs` names both.
    component: str
    event: str
    #: 0 to 100.
    percent: float
    #: How many the tag and the API both tell of, by their event ids; None where Pinterest does not say.
    overlap: float | None
    #: What Pinterest finds wrong, in its words.
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Pinterest's score of the events that came one way."""

    #: `WEB`, `OFFLINE` ...
    platform: str
    #: `CONVERSIONS_API`, `TAG` ...
    way: str
    #: `GOOD`, `FAIR`, `NEEDS_IMPROVEMENT`.
    status: str
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """The checkouts of one day that Pinterest attributes to its ads."""

    #: `2026-11-26`, UTC.
    date: str
    checkouts: int
    by_click: int
    by_view: int
    #: In the ad account's currency.
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Why one of Pinterest's reports could not be read."""

    #: Which report, Pinterest's words, and what helps.
    why: str
    #: It will not be well by itself.
    needs_person: bool
    #: Unix seconds.
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestView:
    """What Pinterest says of one ad account: of each report what it said last."""

    #: When each was read last, by the member that it fills; Unix seconds. What never was is missing.
    read_at: Mapping[str, float] = field(default_factory=dict)
    #: Those that could not be read the last time, likewise.
    unread: Mapping[str, Unread] = field(default_factory=dict)
    tried_at: float | None = None
    quality: tuple[Quality, ...] = ()
    attributed: tuple[Attributed, ...] = ()
    #: ISO 4217, of the values; "" where it is not known.
    currency: str = ""
    #: Advertiser-defined events: by name the standard event that each stands for, "" for none.
    their_names: Mapping[str, str] = field(default_factory=dict)
    #: CUSTOM_EVENT_NAMES.
    our_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A small JSON value that every process must know (switches, generation, the trouble with Pinterest, rate)."""

    value: Any
    #: Grows with every write; give it to `put_shared` to write only if nobody else did.
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImported:
    """How far a file is committed."""

    #: So many of its events.
    done: int
    #: When that was written, Unix seconds.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsImported:
    """How far the rows of a query are committed."""

    #: The highest value of the cursor's column, as text; None before the first.
    cursor: str | None = None
    #: The digests of the rows that have it, since others may come, are kept by number: from the first to below `end`.
    first: int = 0
    end: int = 0
    #: When that was written, Unix seconds.
    at: float


# ---------------------------------------------------------------------------------------------------------------------
# What people do.


class Quarantined(Struct, frozen=True, kw_only=True):
    """One event as received that made no delivery, sealed: nothing of it can be read without the key."""

    #: Of the store; 0 where it is not there yet.
    id: int = 0
    #: When it was received, and until when it is kept: Unix seconds.
    at: float
    ends_at: float
    source: str
    #: Whether its sender was known by a secret.
    is_proven: bool
    #: The event's name, or its type where it has none; without personal data.
    name: str
    #: `invalid` or `unmatched`, and why.
    exit: Exit
    reason: str
    message_id: str
    #: The HMACs of its ids, by which an erasure reaches it.
    keys: tuple[str, ...]
    #: The event, encrypted.
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which sealed events are meant; None: all. Texts are compared whole."""

    source: str | None = None
    name: str | None = None
    exit: Exit | None = None
    reason: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """The conditions that are not None, by name, as texts."""
        conditions = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: str(value) for name, value in conditions.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineGroup:
    """How many sealed events there are of one source, name, exit and reason."""

    source: str
    name: str
    exit: Exit
    reason: str
    count: int
    #: When the first and the last of them were received.
    first_at: float
    last_at: float


class AuditAction(StrEnum):
    """What somebody did, or tried. The list is closed; each is written into the audit log."""

    LOGIN = "logged in"
    LOGIN_FAILED = "login failed"
    LOGOUT = "logged out"
    SWITCH = "switched"
    REDRIVE = "redriven"
    DISMISS = "dismissed"
    RELOAD = "reloaded"
    TEST_SENT = "test sent"
    FORGET = "forgot a person"
    QUARANTINE = "replayed from quarantine"
    DISCARD = "discarded from quarantine"
    PUBLISH = "published"
    ALERT_TESTED = "alert tested"
    MISSING_SENT = "sent missing orders"
    COMPARED = "compared orders"
    TAIL = "live tail"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit log. No secret and no personal data of customers stands in it."""

    at: float
    #: A name of CONSOLE_USERS or of the authenticating proxy, or what stands for whoever has none.
    who: str
    #: The address that the request came from, or the machine of a command; "" where it is not known.
    place: str
    what: AuditAction
    #: What it was done to: a preset, a filter of deliveries; "" where that is plain.
    target: str = ""
    #: How it was; "" where nothing can be said.
    before: str = ""
    #: How it is since; "" likewise.
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some lines of the audit log, newest first."""

    entries: tuple[AuditEntry, ...]
    #: Leads to the older ones; None where there are none.
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A log-in to the console. The cookie is not kept, only its digest."""

    #: SHA-256 of the cookie, in hex.
    digest: str
    who: str
    #: What the cookie and the token make together: it tells that the token is still the one that was given.
    seal: str
    ends_at: float


# ---------------------------------------------------------------------------------------------------------------------
# What the sender of events is told.


class Recalled(Struct, frozen=True, kw_only=True, gc=False):
    """Where a group of `user_data` came from that memory filled."""

    #: How long before the event it was observed last, in seconds.
    age_s: float
    #: The type of the event that it was observed by, such as `identify`.
    by: str


class KnownOrder(Struct, frozen=True, kw_only=True):
    """What the ledger is told of an order that is not sent, as far as it can be read; nothing of its buyer."""

    #: Pinterest's name of the event, which is a `checkout`; None where no preset takes it.
    event_name: str | None
    #: As they would be sent.
    order_id: str | None
    amount: str | None
    currency: str | None


class Line(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one event for one preset of one ad account."""

    #: None where the event reached no preset.
    preset: str | None
    #: The name of the destination; "" where the settings name the only one, or the event reached none.
    destination: str = ""
    #: Its ad account; "" where the event reached none.
    ad_account_id: str = ""
    exit: Exit
    #: "" where there is nothing to explain.
    reason: str = ""
    warnings: tuple[str, ...] = ()
    #: The finished Pinterest event, shown by previews only.
    event: Event | None = None
    #: As the delivery will have it.
    hold_s: float = 0
    #: The order that a cancellation withdraws; None where the event is no cancellation.
    cancels: str | None = None
    #: What came from memory, by group; None where nothing did.
    memory: dict[str, Recalled] | None = None
    #: For the ledger, of an order that is not sent; None elsewhere. It is told to no sender.
    order: KnownOrder | None = None


class Given(Struct, frozen=True, kw_only=True):
    """What one event changed in identity memory, for its sender."""

    #: Groups of `user_data` that are remembered by this event from now on.
    groups: tuple[str, ...]
    #: An id stands for a user by this event from now on.
    linked: bool
    #: Ids of which something was erased, because somebody asked for it or said no.
    erased: int
    #: Ids that are marked from now on: their person said no.
    marked: int


class EventReceipt(Struct, frozen=True, kw_only=True, gc=False):
    """What became of one received event."""

    #: None where the event was refused and carried none.
    message_id: str | None
    deliveries: tuple[Line, ...]
    #: What it gave to memory; None where that is not told.
    given: Given | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of every event of one request."""

    events: tuple[EventReceipt, ...]
    #: By exit; exits that did not occur are left out.
    counts: Mapping[Exit, int] = msgspec.field(default_factory=dict)
