"""Records for readers: pages of deliveries, revenue, quality, audit and quarantine."""

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
    """The ledger's data about a message id."""

    message_id: str
    #: Dropped events with the time of each, under their public name.
    dropped_events: tuple[tuple[float, DroppedEvent], ...]
    deliveries: tuple[Delivery, ...]

    @property
    def is_trusted(self) -> bool:
        """Return whether the author is authenticated by a secret.

        A merged delivery counts for its own message id only.
        """
        own = [each.is_trusted for each in self.deliveries if each.message_id == self.message_id]
        return any(own) or any(event.is_trusted for _, event in self.dropped_events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Conditions for deliveries and dropped events; `None` means any. All conditions must be true.

    A dropped event has no delivery id, event id, state, status or person. A query for any of these finds no dropped
    events.
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
    #: The channel of an order; "": the order has none.
    channel: str | None = None
    #: ISO 4217, of an order; "": the order has none.
    currency: str | None = None
    #: Whether the event is a received order that revenue counts. Orders that no preset matches do not count.
    is_order: bool | None = None
    #: `waiting`: pending or claimed.
    state: State | Literal["waiting"] | None = None
    #: The outcome of any attempt. Every delivery is matched and enqueued.
    outcome: Outcome | None = None
    #: Whether a preset matched the event.
    taken: bool | None = None
    #: The HTTP status of any attempt.
    status: int | None = None
    #: A part of the reason, ignoring case.
    reason: str | None = None
    #: The whole reason of a delivery as in `DeadCause`, without the text that a refused redrive added.
    cause: str | None = None
    #: A part of a warning, ignoring case.
    warning: str | None = None
    #: When the outcome was recorded, from `since` to before `until`, Unix seconds; for an event without an outcome,
    #: when the event was received.
    since: float | None = None
    until: float | None = None
    #: Unix seconds: only later events.
    happened_since: float | None = None
    #: Digests of a person. The stored payload contains at least one of them.
    person: tuple[str, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Convert ids to the form that the outbox stores."""
        for name in ("message_id", "event_id", "order_id"):
            given = getattr(self, name)
            if given:
                object.__setattr__(self, name, unpersonal_id(given))

    @property
    def given(self) -> dict[str, Any]:
        """Return the conditions that are not `None`, by name."""
        conditions = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in conditions.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of search results, in the requested order."""

    deliveries: tuple[Delivery, ...]
    #: Pass the cursor to `search` for the next page; `None` on the last page.
    next_cursor: str | None = None
    #: The cursor of the previous page; `None` on the first page.
    prev_cursor: str | None = None
    #: The number of examined deliveries if the engine stopped at a limit; otherwise `None`.
    scanned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedPage:
    """A page of dropped events, each with its time, in the requested order."""

    events: tuple[tuple[float, DroppedEvent], ...]
    #: See `Page`.
    next_cursor: str | None = None
    prev_cursor: str | None = None
    scanned: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrive:
    """The result of a redrive of dead deliveries."""

    #: Pending again.
    redriven: int = 0
    #: Dismissed, because the same event was delivered as another delivery.
    overtaken: int = 0
    #: Still dead, because the same event waits as another delivery; their reasons contain its id.
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadCause:
    """A reason for dead deliveries, with their number."""

    reason: str
    ad_account_id: str
    preset: str
    count: int
    #: When the newest of the deliveries became dead.
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLoss:
    """The value of dead deliveries of an ad account with the same reason and currency."""

    reason: str
    ad_account_id: str
    #: ISO 4217; "" if the deliveries have none.
    currency: str
    count: int
    #: When the oldest and the newest of the deliveries became dead.
    first_at: float
    last_at: float
    #: The total of checkouts.
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """The number of undelivered events from one interval of time."""

    #: The start of the interval, Unix seconds.
    at: int
    ad_account_id: str
    #: "" unless counts by source were requested.
    source: str
    state: Literal["waiting", "dead", "dismissed"]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An ad account with its public name."""

    ad_account_id: str
    #: The destination's name; "" if the settings configure a single ad account.
    name: str = ""
    #: False: deliveries go to the built-in sandbox.
    live: bool
    #: The age at which deliveries become dead letters; `None`: the process-wide setting applies.
    retry_max_age_s: float | None = None

    @property
    def shown(self) -> str:
        return self.name or self.ad_account_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The size of the outbox for an ad account, and the free room."""

    pending: int = 0
    claimed: int = 0
    dead: int = 0
    #: Payloads of pending and claimed deliveries.
    size_bytes: int = 0
    #: When the oldest unsettled delivery was enqueued; `None` if no delivery waits.
    oldest_at: float | None = None
    #: The limit that is reached, so that new events are refused; "" if there is room.
    full: str = ""
    #: Bytes of payloads below the limits; `None` without a limit.
    room_bytes: float | None = field(default=None, compare=False)
    #: Free disk space without the reserve for draining; `None` if the store cannot measure it. Other programs use the
    #: disk too.
    disk_bytes: int | None = field(default=None, compare=False)
    #: Seconds until the limit at the rate of the last hour; `None` if the outbox does not grow or the rate is unknown.
    full_in_s: float | None = None
    #: When the oldest delivery becomes a dead letter, unless it is sent before; `None` if no delivery waits.
    safe_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """The value of orders of a day with equal ad account, preset, source, currency and state."""

    #: The day of receipt, as days since 1970 (UTC).
    day: int
    #: "", as the preset, if the orders reached no ad account.
    ad_account_id: str
    preset: str
    source: str
    #: The channel of the orders; "" if no trusted event stated one.
    channel: str
    #: ISO 4217; "" if the orders have none.
    currency: str
    #: `waiting`, a settled `State`, or the `Outcome` of a dropped event. `public` and `unconfirmed` count delivered
    #: orders a second time: those that anyone could have sent, and those that the shop did not confirm.
    became: str
    #: Deliveries and dropped events: an order that two presets match is counted for each.
    orders: int
    #: Orders without an amount.
    without_amount: int
    #: The sum of all other orders.
    amount: Decimal
    #: The largest amount ever counted here, and its delivery; `None` without a delivery.
    largest: Decimal | None
    largest_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The share of events of a name that have a quality component, as counted by Pinterest."""

    #: Both names as in `conversion_eqs`.
    component: str
    event: str
    #: 0 to 100.
    percent: float
    #: Percentage of events with the same event id from both tag and API; `None` if Pinterest does not report it.
    overlap: float | None
    #: The problems that Pinterest reports, in Pinterest's words.
    issues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Pinterest's score of the events from one channel."""

    #: `WEB`, `OFFLINE` ...
    platform: str
    #: `CONVERSIONS_API`, `TAG` ...
    way: str
    #: `GOOD`, `FAIR`, `NEEDS_IMPROVEMENT`.
    status: str
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """The checkouts of a day that Pinterest attributes to its ads."""

    #: A date such as `2026-11-26`, in `PinterestView.day_zone`.
    date: str
    checkouts: int
    by_click: int
    by_view: int
    #: In the ad account's currency.
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDay:
    """The delivered checkouts of a day, by the time of the order."""

    date: str
    orders: int
    #: In the currency of the ad account, with orders that have no currency.
    worth: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Why a report of Pinterest could not be read."""

    #: The report, Pinterest's message, and the remedy.
    why: str
    #: The problem does not end without an operator.
    needs_person: bool
    #: Unix seconds.
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestView:
    """Pinterest's data about an ad account: the last result of each report."""

    #: The time of the last successful read, by member; Unix seconds. A report that was never read has no entry.
    read_at: Mapping[str, float] = field(default_factory=dict)
    #: Reports with an error at the last read, by member.
    unread: Mapping[str, Unread] = field(default_factory=dict)
    tried_at: float | None = None
    quality: tuple[Quality, ...] = ()
    attributed: tuple[Attributed, ...] = ()
    #: The time zone of the ad account, such as `America/Los_Angeles`; "" if Pinterest reports none.
    time_zone: str = ""
    #: The time zone of the days in `attributed`; "" is UTC. For other zones `sent` has the deliveries by the same days.
    day_zone: str = ""
    sent: tuple[SentDay, ...] = ()
    #: ISO 4217, of the values; "" if unknown.
    currency: str = ""
    #: Advertiser-defined events: by name the standard event that each represents, or "".
    their_names: Mapping[str, str] = field(default_factory=dict)
    #: CUSTOM_EVENT_NAMES.
    our_names: tuple[str, ...] = ()
    #: Events that ads can be optimized for, as Pinterest names them.
    optimal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileImported:
    """The progress of a file import."""

    #: The number of committed events.
    done: int
    #: The time of this entry, Unix seconds.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsImported:
    """The progress of the import of a query's rows."""

    #: The highest value of the cursor's column, as text; `None` before the first row.
    cursor: str | None = None
    #: Digests of rows with this value are stored by number, from `first` to below `end`, because more such rows may
    #: follow.
    first: int = 0
    end: int = 0
    #: The time of this entry, Unix seconds.
    at: float


# ---------------------------------------------------------------------------------------------------------------------
# Actions of people.


class Quarantined(Struct, frozen=True, kw_only=True):
    """A received event without a delivery, encrypted: unreadable without the key."""

    #: The id in the store; 0 before the event is stored.
    id: int = 0
    #: The time of receipt, and the end of retention: Unix seconds.
    at: float
    ends_at: float
    source: str
    #: Whether the author was authenticated by a secret.
    is_trusted: bool
    #: The event's name, or its type if the event has no name; without personal data.
    name: str
    #: `invalid` or `unmatched`, with the reason; `accepted` for a sample.
    outcome: Outcome
    reason: str
    message_id: str
    #: HMACs of the event's ids, so that an erasure finds the event.
    keys: tuple[str, ...]
    #: The event, encrypted.
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Conditions for encrypted events; `None`: all. Texts must be equal."""

    source: str | None = None
    name: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    #: Select samples (`app.pipeline.samples`) instead of the quarantine.
    samples: bool = False

    @property
    def given(self) -> dict[str, str]:
        """Return the conditions that are not `None`, by name, as texts."""
        conditions = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "samples"}
        return {name: str(value) for name, value in conditions.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineGroup:
    """The number of encrypted events with the same source, name, outcome and reason."""

    source: str
    name: str
    outcome: Outcome
    reason: str
    count: int
    #: The time of receipt of the first and the last event.
    first_at: float
    last_at: float


class AuditAction(StrEnum):
    """An action of a person, or an attempt. The list is closed, and each action is written to the audit log."""

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
    LIFTED = "lifted an opt-out"
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
        """Return whether the action can change the number of sent events, so that charts mark it."""
        return self in (AuditAction.PUBLISH, AuditAction.SWITCH, AuditAction.RELOAD, AuditAction.REDRIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An entry of the audit log. Contains no secret and no personal data of customers."""

    at: float
    #: A user of CONSOLE_USERS or of the authenticating proxy, or a placeholder for an unnamed user.
    who: str
    #: The address of the request, or the machine of a command; "" if unknown.
    place: str
    what: AuditAction
    #: The object of the action, such as a preset or a filter of deliveries; "" if the action needs none.
    target: str = ""
    #: The state before the action; "" if unknown.
    before: str = ""
    #: The state after the action; "" if unknown.
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A page of audit entries, newest first."""

    entries: tuple[AuditEntry, ...]
    #: The cursor of older entries; `None` on the last page.
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of the console. The cookie is stored only as a digest."""

    #: SHA-256 of the cookie, in hex.
    digest: str
    who: str
    #: A digest of cookie and token, to detect that the token has changed since the login.
    seal: str
    ends_at: float
