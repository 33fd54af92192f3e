"""What people and programs read: pages of deliveries, revenue, quality, audit, quarantine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct

from app.core.deliveries import Delivery, State
from app.core.events import DroppedEvent, Outcome
from app.core.values.hidden_emails import unpersonal_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What became of one message id: the ledger's answer."""

    message_id: str
    #: Dropped events with the time of each, under the name that programs read.
    dropped_events: tuple[tuple[float, DroppedEvent], ...]
    deliveries: tuple[Delivery, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether somebody who is known by a secret sent it; a delivery that holds several messages says it of all."""
        own = [each.is_trusted for each in self.deliveries if each.message_id == self.message_id]
        return any(own) or any(event.is_trusted for _, event in self.dropped_events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which deliveries and dropped events are asked for; None means any. All given conditions must hold.

    A dropped event has no delivery id, event id, state, status or person: a query for one of these means none.
    """

    delivery_id: str | None = None
    message_id: str | None = None
    event_id: str | None = None
    order_id: str | None = None
    ad_account_id: str | None = None
    preset: str | None = None
    #: Pinterest's name of the event.
    event_name: str | None = None
    #: The name under which the event arrived, as the inventory shows it.
    name: str | None = None
    source: str | None = None
    #: The channel of an order; "": it states none.
    channel: str | None = None
    #: ISO 4217, of an order; "": it names none.
    currency: str | None = None
    #: Whether it is an order that was received, as sums of revenue count them; what no preset takes does not count.
    is_order: bool | None = None
    #: `waiting`: pending or claimed.
    state: State | Literal["waiting"] | None = None
    #: Of a send: what any attempt came to. What was matched or enqueued is every delivery.
    outcome: Outcome | None = None
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
    #: When the outcome was recorded, from `since` to before `until`, Unix seconds; for an event without an outcome,
    #: when the event was received.
    since: float | None = None
    until: float | None = None
    #: Unix seconds: only what happened since then.
    happened_since: float | None = None
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
    """One page of a search of deliveries, in the order that was asked for."""

    deliveries: tuple[Delivery, ...]
    #: Give it to `search` for the next page; None where this was the last.
    next_cursor: str | None = None
    #: The same for the page before; None where this was the first.
    prev_cursor: str | None = None
    #: Set where the engine looked at N deliveries only: N.
    scanned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedPage:
    """Some dropped events with the time of each, in the order that was asked for."""

    events: tuple[tuple[float, DroppedEvent], ...]
    #: As `Page` has them.
    next_cursor: str | None = None
    prev_cursor: str | None = None
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
class DeadLoss:
    """What deliveries of one ad account that are dead for one reason are worth, in one currency."""

    reason: str
    ad_account_id: str
    #: ISO 4217; "" where none is named.
    currency: str
    count: int
    #: When the oldest and the newest of them died.
    first_at: float
    last_at: float
    #: Of checkouts.
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """How many deliveries that were received in one step of time are not delivered."""

    #: When the step began, Unix seconds.
    at: int
    ad_account_id: str
    #: "" unless it is asked for.
    source: str
    state: Literal["waiting", "dead", "dismissed"]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An ad account as people know it."""

    ad_account_id: str
    #: Of its destination; "" where the settings name the only one.
    name: str = ""
    #: False: what is for it goes to the built-in sandbox.
    live: bool
    #: The age at which its deliveries become dead letters; `None`: that of the process' settings.
    retry_max_age_s: float | None = None

    @property
    def shown(self) -> str:
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
    #: When the oldest delivery becomes a dead letter, unless it is sent before; `None` if no delivery waits.
    safe_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What orders of one day are worth that are alike: by ad account, preset, source, currency, what they became."""

    #: On which they came, counted from 1970 (UTC).
    day: int
    #: "", as the preset, where they reached none.
    ad_account_id: str
    preset: str
    source: str
    #: The channel of the orders; "" if no trusted event stated one.
    channel: str
    #: ISO 4217; "" where none was named.
    currency: str
    #: `waiting`, a `State` that is settled, or the `Outcome` of a dropped event; `public` and `unconfirmed` count again
    #: those of the delivered ones that anyone could have sent, and that the shop did not confirm.
    became: str
    #: One for each delivery or dropped event: an order that two presets take is counted for each.
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

    #: `2026-11-26`, in `PinterestView.day_zone`.
    date: str
    checkouts: int
    by_click: int
    by_view: int
    #: In the ad account's currency.
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDay:
    """The checkouts of one day that were delivered, by the moment at which each was made."""

    date: str
    orders: int
    #: In the ad account's currency, and of orders that name none.
    worth: str


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
    #: The time zone of the ad account, such as `America/Los_Angeles`; "" where Pinterest names none.
    time_zone: str = ""
    #: The time zone of the days of `attributed`; "" is UTC. Else `sent` has what was sent on the same days.
    day_zone: str = ""
    sent: tuple[SentDay, ...] = ()
    #: ISO 4217, of the values; "" where it is not known.
    currency: str = ""
    #: Advertiser-defined events: by name the standard event that each stands for, "" for none.
    their_names: Mapping[str, str] = field(default_factory=dict)
    #: CUSTOM_EVENT_NAMES.
    our_names: tuple[str, ...] = ()
    #: Events that ads can be optimized for, as Pinterest names them.
    optimal: tuple[str, ...] = ()


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
    #: Whether its author was known by a secret.
    is_trusted: bool
    #: The event's name, or its type where it has none; without personal data.
    name: str
    #: `invalid` or `unmatched`, and why; `accepted` of a sample.
    outcome: Outcome
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
    outcome: Outcome | None = None
    reason: str | None = None
    #: Samples (`app.pipeline.samples`) and none of the quarantine.
    samples: bool = False

    @property
    def given(self) -> dict[str, str]:
        """The conditions that are not None, by name, as texts."""
        conditions = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "samples"}
        return {name: str(value) for name, value in conditions.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineGroup:
    """How many sealed events there are of one source, name, outcome and reason."""

    source: str
    name: str
    outcome: Outcome
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
    CANCEL = "took back a deletion at Pinterest"
    ACCESS = "told what is kept of a person"
    ACCESS_ASKED = "asked what is kept of a person"
    SUPPRESS = "kept a person's no"
    LIFTED = "lifted a no"
    QUARANTINE = "replayed from quarantine"
    DISCARD = "discarded from quarantine"
    PUBLISH = "published"
    ALERT_TESTED = "alert tested"
    IMPORTED = "imported events"
    MISSING_SENT = "sent missing orders"
    COMPARED = "compared orders"
    TAIL = "live tail"
    SECRET = "took up a secret"  # noqa: S105 - what was done

    @property
    def changes_sending(self) -> bool:
        """Whether more or fewer events may be sent since: charts mark it."""
        return self in (AuditAction.PUBLISH, AuditAction.SWITCH, AuditAction.RELOAD, AuditAction.REDRIVE)


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
    #: The state before the action; "" if unknown.
    before: str = ""
    #: The state after the action; "" if unknown.
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
