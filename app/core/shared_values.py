"""Small typed values that all processes share through the outbox. This module lists each value.

Each value is read and written as a record, never as bare JSON:

    trouble = await TROUBLE.read(outbox, ad_account_id)
    await TROUBLE.of(ad_account_id).write(outbox, trouble, revision=revision)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from app.core.pages import FileImported, PinterestView, RowsImported
from app.core.people import AccessRequest, Erasure
from app.errors import Fault

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Shared(Generic[_Value]):
    """A small JSON value shared by all processes, such as a switch or the send rate, or the record made of it."""

    value: _Value
    #: Increases with every write. Pass the revision to `put_shared` to write only if no other process has written; 0 if
    #: the value was never written.
    revision: int


class SharedValues(Protocol):
    """The part of the outbox that shares values. Every method may raise OutboxUnavailable."""

    async def get_shared(self, key: str) -> Shared[Any] | None:
        """Read a shared value; `None` if it was never written."""

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared[Any] | None:
        """Write a JSON value. Return `None` if `revision` is outdated (0: the value must not exist)."""

    async def list_shared(self, prefix: str) -> Mapping[str, Shared[Any]]:
        """Read all shared values with this prefix."""


@dataclass(frozen=True, slots=True)
class SharedKey(Generic[_Value]):
    """The key of a shared value.

    JSON that does not match the record, such as that of a newer Pinrelay, counts as no value.
    """

    #: The key in the outbox.
    name: str
    record: type[_Value]

    async def read(self, shared: SharedValues) -> _Value | None:
        """Return the value, or `None`."""
        return (await self.read_revised(shared)).value

    async def read_revised(self, shared: SharedValues) -> Shared[_Value | None]:
        """Return the value with its revision."""
        stored = await shared.get_shared(self.name)
        return self.revised(stored) if stored else Shared(None, 0)

    def revised(self, stored: Shared[Any]) -> Shared[_Value | None]:
        """Convert a stored value to its record. JSON null and invalid JSON count as no value."""
        try:
            return Shared(msgspec.convert(stored.value, self.record), stored.revision)
        except msgspec.ValidationError:
            return Shared(None, stored.revision)

    async def write(self, shared: SharedValues, value: _Value | None, *, revision: int | None = None) -> int | None:
        """Write the value (`None` deletes it) and return the new revision.

        Return `None` without writing if `revision` is outdated.
        """
        written = await shared.put_shared(self.name, msgspec.to_builtins(value), revision=revision)
        return written.revision if written else None


@dataclass(frozen=True, slots=True)
class SharedKeys(Generic[_Value]):
    """Keys of a value for each ad account, preset, process or file."""

    #: Ends with a slash.
    prefix: str
    record: type[_Value]

    def of(self, name: str) -> SharedKey[_Value]:
        return SharedKey(self.prefix + name, self.record)

    def under(self, name: str) -> "SharedKeys[_Value]":
        return SharedKeys(f"{self.prefix}{name}/", self.record)

    async def read(self, shared: SharedValues, name: str) -> _Value | None:
        """Return the value of `name`, or `None`."""
        return await self.of(name).read(shared)

    async def read_all(self, shared: SharedValues) -> dict[str, _Value]:
        """Return all values by name, sorted by name."""
        found = sorted((await shared.list_shared(self.prefix)).items())
        read = {key.removeprefix(self.prefix): self.of(key).revised(stored).value for key, stored in found}
        return {name: value for name, value in read.items() if value is not None}


# ---------------------------------------------------------------------------------------------------------------------
# The records.

#: `blocked`: Pinterest refuses the token or the account (401, 403). `refusing`: Pinterest refuses every event (400,
#: 413). `failing`: no response judges an event. `rate limited`: the same, with status 429.
TroubleState: TypeAlias = Literal["blocked", "refusing", "failing", "rate limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why only probes are sent to an ad account, and the time of the next probe."""

    state: TroubleState
    #: Pinterest's message, or the error of the connection.
    reason: str
    #: The HTTP status; `None` without a response.
    status: int | None
    since: float
    next_probe_at: float
    #: Seconds between the last probe and the next.
    pause_s: float
    #: A short digest of the token that was used, to detect a new token.
    token: str
    #: The delivery id of the only event that is known to fail: every other event is tried immediately. "" if others
    #: fail too.
    only: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """A step of the machine's clock between two readings of a process."""

    #: The expected time.
    before: float
    #: The actual time.
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumps:
    """The latest steps of the clock, in order."""

    jumps: tuple[ClockJump, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTime:
    """The monotonic time by which delays end, and the readings of other clocks at the same moment."""

    at: float
    #: The clock of the machine.
    machine: float
    #: The clock of the store: of the machine for SQLite, of the server for PostgreSQL.
    wall: float
    #: Seconds since the boot of the machine.
    steady: float
    #: Identifies the boot.
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The rate limit of calls to Pinterest for an ad account."""

    calls: float
    #: The time of the reading.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether all sending, an ad account, or a preset is on."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that shares the outbox."""

    process_id: str
    #: The role of the process, such as `all`.
    role: str
    #: The generation of its catalog.
    generation: str
    seen_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """The state of the product feeds."""

    #: When the stored ids were read; 0: never.
    read_at: float = 0
    tried_at: float = 0
    #: Which of two places has the ids.
    half: int = 0
    items: int = 0
    groups: int = 0
    #: Items without a usable id.
    skipped: int = 0
    #: Why the last reading failed; "" if it succeeded.
    why: str = ""
    since: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCall:
    """A call of Pinterest's tag that a page reported. Contains no personal data."""

    #: The name in the Conversions API.
    event: str
    #: `None` if the tag had no event id.
    event_id: str | None = None
    order_id: str | None = None
    #: Ids of events that the same page sent to Pinrelay.
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCalls:
    """The calls that pages reported in an interval of a few minutes."""

    #: The start of the interval, Unix seconds.
    at: int
    calls: tuple[TagCall, ...] = ()
    #: The number of further calls, which are not stored.
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCounts:
    """The results for the tag's calls of an event name."""

    calls: int = 0
    #: Calls with an event that Pinrelay sent too: under the same id, and under another id, so that Pinterest counts it
    #: twice.
    one_id: int = 0
    two_ids: int = 0
    #: Calls without an event id.
    without_id: int = 0
    #: Calls with our message id as the event id; of these, those with another id in our event.
    by_message: int = 0
    two_by_message: int = 0
    #: The value of events with two ids, by currency.
    worth: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFigures:
    """The results for the tag's calls, by day and event name."""

    #: `TagCalls.at` of the last included interval.
    until: int = 0
    #: By day, as days since 1970 (UTC).
    days: Mapping[str, Mapping[str, TagCounts]] = field(default_factory=dict)
    #: By day: the number of calls that were not examined.
    more: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedToken:
    """The newest tokens of a renewable chain."""

    #: A short digest of the refresh token in the settings that started the chain.
    origin: str
    #: Encrypted; the key is stored elsewhere.
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestDeletion:
    """A request to Pinterest to delete a person's data of an ad account."""

    #: The certificate of the erasure.
    certificate: str
    ad_account_id: str
    asked_at: float
    #: Address and click ids, encrypted; the key is stored elsewhere. "" after their destruction.
    sealed: str
    #: Pinterest's id of the request; "" until Pinterest responds.
    request_id: str = ""
    #: Pinterest's status, or the reason for waiting.
    status: str = "waits to be sent"
    #: An operator cancelled the request.
    is_cancelled: bool = False
    #: The request is complete; no further step follows.
    is_over: bool = False
    #: The time of the next step.
    next_at: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Rows that the store refuses to change. They are skipped until the next attempt."""

    #: `claim` and `settle` concern a delivery, `retain` rows that must be deleted, `count` a counter.
    doing: Literal["claim", "settle", "retain", "count"]
    ad_account_id: str = ""
    #: The number of rows in the table.
    rows: int = 1
    #: The error of the store.
    why: str
    since: float
    again_at: float
    #: For `settle` and `count`: the data to write as soon as the store accepts it.
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A condition of the alerts, from its begin to its end."""

    id: str
    #: The key of the alert; equal for incidents of the same condition.
    key: str
    #: Such as `blocked`, `silence` or `outbox`.
    kind: str
    severity: Literal["critical", "warning"]
    text: str
    ad_account_id: str = ""
    source: str = ""
    #: Unix seconds; `until` is `None` while the condition holds.
    since: float
    until: float | None = None
    #: The largest number of events that waited, were lost or were missing; `None` if unknown.
    events: int | None = None
    #: Their value by currency, as decimal numbers.
    money: Mapping[str, str] = field(default_factory=dict)
    #: The last state that the receiver of alerts has got; "" if it has got none.
    told: Literal["", "firing", "resolved"] = ""

    @property
    def state(self) -> Literal["firing", "resolved"]:
        """Return whether the condition holds."""
        return "firing" if self.until is None else "resolved"

    @property
    def value(self) -> str:
        """The money as text, such as `37.50 EUR, 12 USD`."""
        return ", ".join(f"{amount} {currency}".strip() for currency, amount in self.money.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """A change of a draft, in words, and the text after the change."""

    done: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetDraft:
    """A preset's file that an operator edits, with the steps for undo and redo."""

    file: str
    #: The first step is the live text on which the draft is based.
    steps: list[DraftStep]
    #: The index of the current step.
    at: int
    #: The first text before the first publish by somebody else; "" if nobody published since the draft began.
    begun_from: str = ""

    @property
    def now(self) -> DraftStep:
        """Return the current step."""
        return self.steps[self.at]

    @property
    def redo(self) -> str:
        """Return the change that a redo repeats; "" if there is none."""
        return self.steps[self.at + 1].done if self.at + 1 < len(self.steps) else ""


# ---------------------------------------------------------------------------------------------------------------------
# The values. No other key is written.
#: By ad account, while Pinterest refuses events. `sender.circuit_breaker` writes; health, console, alerts and `status`
#: read.
TROUBLE = SharedKeys("trouble/", Trouble)
#: Deliveries do not expire because of these steps. `sender.clocks` writes and reads; health, console, alerts and
#: `status` read.
CLOCK_JUMPS = SharedKey("clock/jumps", ClockJumps)
#: By kind and name: `delivery/17`, `rows/retain_notes`, `count/6f2c`. `outbox` writes, `sender.status` reads.
SET_ASIDE = SharedKeys("set-aside/", SetAside)
#: The start of a retention backlog, Unix seconds. `sender.retention` writes and reads, alerts read.
RETENTION_BEHIND = SharedKey("retention/behind", float)
#: By ad account, kind of order and shop: the time of the last order, within about a day. `pipeline.waiting` writes and
#: reads.
ORDERS_HEARD = SharedKeys("orders-heard/", float)
#: By source: when the shop's clock was last ahead, Unix seconds. `pipeline.shop_clocks` writes and reads.
SHOP_CLOCKS = SharedKeys("shop-clock/", float)
#: The key of people's ids if the settings have none. `secret_of_store` writes and reads.
STORE_SECRET = SharedKey("secret", str)

#: Drafts of operators in the visual editor, by a digest of operator and file.
PRESET_DRAFTS = SharedKeys("preset-draft/", PresetDraft)
#: By number: all erasures, with the retention of the audit log. `operations.forget` writes; console and commands read.
ERASURES = SharedKeys("erasure/", Erasure)
#: By number: requests of people for access, for RETENTION_DAYS (other). `operations.forget` writes and reads.
ACCESS_REQUESTS = SharedKeys("access/", AccessRequest)
#: By certificate and ad account. `operations.forget` writes; `insights.reports` writes and reads.
DELETIONS = SharedKeys("deletion/", PinterestDeletion)
#: The monotonic time by which delays end, independent of clock changes. `outbox.hold_clock` writes and reads.
HOLD_TIME = SharedKey("clock/holds", HoldTime)
#: By ad account: the rate limit. `sender.rate_limit` writes and reads.
RATE = SharedKeys("rate/", Bucket)
#: By ad account: its switch. `coordination` writes and reads.
ACCOUNT_SWITCH = SharedKeys("switch/account/", Switch)
#: The switch of all sending; on by default. `coordination` writes and reads.
DESTINATION_SWITCH = SharedKey("switch/destination", Switch)
#: By preset: its switch. `coordination` writes and reads.
PRESET_SWITCH = SharedKeys("switch/preset/", Switch)
#: The generation that all processes should run, from the latest reload. `coordination` writes and reads.
WANTED_CATALOG = SharedKey("catalog/generation", str)
#: Why the last reload failed. `coordination` writes and reads.
CATALOG_FAULTS = SharedKey("catalog/faults", tuple[Fault, ...])
#: By process: each writes its own. `coordination` writes and reads.
PROCESSES = SharedKeys("process/", Process)
#: The end of the live tail, Unix seconds. `coordination` writes and reads.
TAIL = SharedKey("tail", float)
#: The end of faster sampling, Unix seconds. `pinrelay shadow --live` writes, `coordination` reads.
SAMPLES_HURRIED = SharedKey("samples-hurried", float)
#: The time of the last erasure, Unix seconds: at each new revision live tails discard their contents. `coordination`,
#: `pinrelay forget` and `pinrelay import` write, `coordination` reads.
ERASED_AT = SharedKey("erased-at", float)
#: By id: the incidents that are open, and those with an end that the receiver of alerts has not got.
#: `insights.alerts` writes and reads; console, API and command read.
OPEN_INCIDENTS = SharedKey("incidents", dict[str, Incident])
#: By id: the incidents that are over, for RETENTION_DAYS (other). Likewise.
INCIDENTS = SharedKeys("incident/", Incident)
#: By digest of a file. `pinrelay import` writes and reads; retention deletes abandoned imports.
IMPORTED = SharedKeys("import/", FileImported)
#: By digest of an address, a query, a cursor and a source; below it, by number, digests of rows. Written and deleted
#: likewise.
ROWS_IMPORTED = SharedKeys("import-rows/", RowsImported)
ROW_DIGESTS = SharedKeys("import-digests/", tuple[str, ...])
#: By ad account: Pinterest's reports. `insights.reports` writes and reads; console and alerts read.
PINTEREST_VIEWS = SharedKeys("reports/account/", PinterestView)
#: When the reports are read next, by the first process that claims the turn. `insights.reports` writes and reads.
REPORTS_TURN = SharedKey("reports/turn", float)
#: The token of the ads API. `insights.reports` writes and reads.
ADS_TOKEN = SharedKey("reports/token", SealedToken)
#: The product feeds. `product_feed` writes and reads, alerts and `pinrelay feed` read.
FEED = SharedKey("feed/state", FeedState)
#: By place and number: digests of ids, in base64. `product_feed` writes and reads.
FEED_PIECES = SharedKeys("feed/ids/", str)
#: When the feeds are read next, by the first process that claims the turn. `product_feed` writes and reads.
FEED_TURN = SharedKey("feed/turn", float)
#: By source and event name: product ids that no feed has, with their counts. `insights.inventory` writes and reads.
FEED_UNKNOWN = SharedKey("feed/unknown", dict[str, dict[str, int]])
#: By place in a ring: calls of Pinterest's tag that pages reported. `insights.tag_check` writes and reads.
TAG_CALLS = SharedKeys("tag/calls/", TagCalls)
#: The results for the tag's calls. `insights.tag_check` writes and reads; console, alerts and `pinrelay tag-check`
#: read.
TAG_FIGURES = SharedKey("tag/figures", TagFigures)

#: Prefixes of keys that receiving, sending and switches need: a damaged value makes a process not ready.
NEEDED = [
    *(each.prefix for each in (TROUBLE, SET_ASIDE, ORDERS_HEARD, RATE, ACCOUNT_SWITCH, PRESET_SWITCH)),
    *(each.name for each in (CLOCK_JUMPS, RETENTION_BEHIND, STORE_SECRET, HOLD_TIME, DESTINATION_SWITCH)),
    *(each.name for each in (WANTED_CATALOG, CATALOG_FAULTS, TAIL, SAMPLES_HURRIED, ERASED_AT)),
]
