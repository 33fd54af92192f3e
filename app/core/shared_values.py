"""What every process must know: small typed values that the outbox keeps for all of them, each listed once.

A value is read and written as the record named here, never as bare JSON, and each has its reader and writer:

    trouble = await TROUBLE.read(outbox, ad_account_id)
    await TROUBLE.of(ad_account_id).write(outbox, trouble, revision=revision)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from app.core.deliveries import Shared
from app.core.pages import FileImported, PinterestView, RowsImported
from app.core.people import AccessRequest, Erasure
from app.errors import Fault

_Value = TypeVar("_Value")


class SharedValues(Protocol):
    """The part of the outbox that shares values. Every method may raise OutboxUnavailable."""

    async def get_shared(self, key: str) -> Shared | None:
        """Read one shared value; None where it was never written."""

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None:
        """Write a JSON value; None where `revision` was given (0: must not exist) and somebody else wrote first."""

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]:
        """Read all shared values whose key starts so."""


@dataclass(frozen=True, slots=True)
class Revised(Generic[_Value]):
    """A shared value as it was read, with its revision."""

    value: _Value | None
    #: Give it to `write` to write only if nobody else did; 0 where the value was never written.
    revision: int


@dataclass(frozen=True, slots=True)
class SharedKey(Generic[_Value]):
    """One value. JSON that does not read as its record, such as a newer Pinrelay's, counts as no value."""

    #: As the outbox stores it.
    name: str
    record: type[_Value]

    async def read(self, shared: SharedValues) -> _Value | None:
        """Return the value; None where there is none."""
        return (await self.read_revised(shared)).value

    async def read_revised(self, shared: SharedValues) -> Revised[_Value]:
        """Return the value with its revision."""
        stored = await shared.get_shared(self.name)
        return self.revised(stored) if stored else Revised(None, 0)

    def revised(self, stored: Shared) -> Revised[_Value]:
        """Return what was stored as its record; JSON null, and what does not read so, is no value."""
        try:
            return Revised(msgspec.convert(stored.value, self.record), stored.revision)
        except msgspec.ValidationError:
            return Revised(None, stored.revision)

    async def write(self, shared: SharedValues, value: _Value | None, *, revision: int | None = None) -> int | None:
        """Write the value, or None to take it away; return its new revision.

        None: nothing is written, because `revision` was given and somebody else wrote since.
        """
        written = await shared.put_shared(self.name, msgspec.to_builtins(value), revision=revision)
        return written.revision if written else None


@dataclass(frozen=True, slots=True)
class SharedKeys(Generic[_Value]):
    """The same value of each of several: ad accounts, presets, processes, files."""

    #: Ends with a slash.
    prefix: str
    record: type[_Value]

    def of(self, name: str) -> SharedKey[_Value]:
        return SharedKey(self.prefix + name, self.record)

    def under(self, name: str) -> "SharedKeys[_Value]":
        return SharedKeys(f"{self.prefix}{name}/", self.record)

    async def read(self, shared: SharedValues, name: str) -> _Value | None:
        """Return the value of one of them; None where there is none."""
        return await self.of(name).read(shared)

    async def read_all(self, shared: SharedValues) -> dict[str, _Value]:
        """Return every value by its name, in the names' order."""
        found = sorted((await shared.list_shared(self.prefix)).items())
        read = {key.removeprefix(self.prefix): self.of(key).revised(stored).value for key, stored in found}
        return {name: value for name, value in read.items() if value is not None}


# ---------------------------------------------------------------------------------------------------------------------
# The records.

#: `blocked`: the token or the account is refused (401, 403). `refusing`: every event is (400, 413). `failing`: no
#: answer judges an event. `rate limited`: the same, and the answer is 429.
TroubleState: TypeAlias = Literal["blocked", "refusing", "failing", "rate limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why nothing but a probe is sent to an ad account, and when the next is."""

    state: TroubleState
    #: Pinterest's words, or what kept its answer from coming.
    reason: str
    #: The HTTP status; None where no answer came.
    status: int | None
    since: float
    next_probe_at: float
    #: Between the last probe and the next.
    pause_s: float
    #: Tells the token that was used from others (a short digest).
    token: str
    #: The only event that is known to fail, by its delivery id: any other is tried at once. "" if others fail too.
    only: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """One step of the clock of the machine, as a process saw it: between two looks it went on by another time."""

    #: What the clock would have shown.
    before: float
    #: What it did show.
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumps:
    """The latest steps of the clock, in their order."""

    jumps: tuple[ClockJump, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTime:
    """The time by which holds end, as a process wrote it down, and what the other clocks showed then."""

    at: float
    #: That of its machine.
    machine: float
    #: That of the store: the same for SQLite, the server's for PostgreSQL.
    wall: float
    #: Seconds since its machine booted.
    steady: float
    #: Tells that boot from others.
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How many calls to Pinterest may be made to one ad account."""

    calls: float
    #: When that was so.
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Whether all, an ad account, or a preset sends."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process that shares the outbox."""

    process_id: str
    #: What it does, e.g. `all`.
    role: str
    #: Of the catalog it runs.
    generation: str
    seen_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """What is known of the product feeds."""

    #: When the ids that are kept were read; 0: none were.
    read_at: float = 0
    tried_at: float = 0
    #: Which of two places the ids are in.
    half: int = 0
    items: int = 0
    groups: int = 0
    #: Items without a usable id.
    skipped: int = 0
    #: Why the last reading was not taken up; "" where it was.
    why: str = ""
    since: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCall:
    """A call of Pinterest's tag, as a page reported it. It says nothing of the person."""

    #: As the Conversions API names it.
    event: str
    #: None where the tag was given none.
    event_id: str | None = None
    order_id: str | None = None
    #: Ids of events that the same page sent to Pinrelay.
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCalls:
    """The calls that were reported in a few minutes."""

    #: When they begin, Unix seconds.
    at: int
    calls: tuple[TagCall, ...] = ()
    #: How many more were reported, and not kept.
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCounts:
    """What became of the tag's calls of one event name."""

    calls: int = 0
    #: We sent the event too: under the same id, and under another, which Pinterest counts twice.
    one_id: int = 0
    two_ids: int = 0
    #: The tag was given no id.
    without_id: int = 0
    #: The tag's id was the id of our message; and, of those with two ids, where we sent another one.
    by_message: int = 0
    two_by_message: int = 0
    #: By currency, what the events with two ids are worth.
    worth: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFigures:
    """What became of the tag's calls, by day and event name."""

    #: `TagCalls.at` of the last that are in it.
    until: int = 0
    #: By day, counted from 1970 (UTC).
    days: Mapping[str, Mapping[str, TagCounts]] = field(default_factory=dict)
    #: By day, how many calls were not looked at.
    more: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedToken:
    """The newest tokens of a chain that renews itself."""

    #: Tells the refresh token of the settings that it goes back to (a short digest).
    origin: str
    #: Encrypted; the key is not here.
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinterestDeletion:
    """One request to Pinterest to delete what one ad account has of a person."""

    #: Of the erasure that asked.
    certificate: str
    ad_account_id: str
    asked_at: float
    #: Address and click ids, encrypted; the key is not here. "" once it is destroyed.
    sealed: str
    #: Pinterest's; "" until it has answered.
    request_id: str = ""
    #: Pinterest's, or why it waits.
    status: str = "waits to be sent"
    #: Somebody wants it back.
    is_cancelled: bool = False
    #: Nothing more comes.
    is_over: bool = False
    #: When the next step is taken.
    next_at: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """What the store refuses to change. It is left out until it is tried again."""

    #: `claim` and `settle` are of one delivery, `retain` of rows that are to be deleted, `count` of one counter.
    doing: Literal["claim", "settle", "retain", "count"]
    ad_account_id: str = ""
    #: How many rows of a table.
    rows: int = 1
    #: As the store says it.
    why: str
    since: float
    again_at: float
    #: Of `settle` and `count`: what is recorded as soon as the store takes it.
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStep:
    """What was done to a draft, in words, and its text after that."""

    done: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetDraft:
    """A preset's file as an operator is changing it, with the way back and forth."""

    file: str
    #: The first is the text that ran when the draft was begun.
    steps: list[DraftStep]
    #: The place of the step that is shown.
    at: int

    @property
    def now(self) -> DraftStep:
        """The step that is shown."""
        return self.steps[self.at]

    @property
    def redo(self) -> str:
        """What is done again when one goes forth; "" where there is nothing."""
        return self.steps[self.at + 1].done if self.at + 1 < len(self.steps) else ""


# ---------------------------------------------------------------------------------------------------------------------
# The values. No other key is written.
#: By ad account, while Pinterest takes nothing. `sender.circuit_breaker` writes; health, console, alerts and `status`
#: read.
TROUBLE = SharedKeys("trouble/", Trouble)
#: What waits is not given up for them. `sender.clocks` writes and reads; health, console, alerts and `status` read.
CLOCK_JUMPS = SharedKey("clock/jumps", ClockJumps)
#: By kind and name: `delivery/17`, `rows/retain_notes`, `count/6f2c`. `outbox` writes, `sender.status` reads.
SET_ASIDE = SharedKeys("set-aside/", SetAside)
#: Since when retention does not keep up, Unix seconds. `sender.retention` writes and reads, alerts read.
RETENTION_BEHIND = SharedKey("retention/behind", float)
#: By ad account, side and shop: when it sent an order, about a day exactly. `pipeline.waiting` writes and reads.
ORDERS_HEARD = SharedKeys("orders-heard/", float)
#: By source: when the clock of its shop was last ahead, Unix seconds. `pipeline.shop_clocks` writes and reads.
SHOP_CLOCKS = SharedKeys("shop-clock/", float)
#: Keys the ids of people where no setting does. `secret_of_store` writes and reads.
STORE_SECRET = SharedKey("secret", str)

#: What operators make of presets in the visual editor, by a digest of who and which file.
PRESET_DRAFTS = SharedKeys("preset-draft/", PresetDraft)
#: By number: every erasure, as long as the audit log is kept. `operations.forget` writes; console and commands read.
ERASURES = SharedKeys("erasure/", Erasure)
#: By number: who asked a shop what is kept of them, for RETENTION_DAYS (other). `operations.forget` writes and reads.
ACCESS_REQUESTS = SharedKeys("access/", AccessRequest)
#: By certificate and ad account. `operations.forget` writes; `insights.reports` writes and reads.
DELETIONS = SharedKeys("deletion/", PinterestDeletion)
#: By it holds end, whatever clocks are set to. `outbox.hold_clock` writes and reads.
HOLD_TIME = SharedKey("clock/holds", HoldTime)
#: By ad account: what may be sent now. `sender.rate_limit` writes and reads.
RATE = SharedKeys("rate/", Bucket)
#: By ad account: its switch. `coordination` writes and reads.
ACCOUNT_SWITCH = SharedKeys("switch/account/", Switch)
#: The switch of all sending; one that was never used is on. `coordination` writes and reads.
DESTINATION_SWITCH = SharedKey("switch/destination", Switch)
#: By preset: its switch. `coordination` writes and reads.
PRESET_SWITCH = SharedKeys("switch/preset/", Switch)
#: The generation that all should run, by the process that loaded the files last. `coordination` writes and reads.
WANTED_CATALOG = SharedKey("catalog/generation", str)
#: Why the last reload did not take up the files. `coordination` writes and reads.
CATALOG_FAULTS = SharedKey("catalog/faults", tuple[Fault, ...])
#: By process: each writes its own. `coordination` writes and reads.
PROCESSES = SharedKeys("process/", Process)
#: Until when every process shows operators what it receives, Unix seconds. `coordination` writes and reads.
TAIL = SharedKey("tail", float)
#: Until when every process keeps more samples, Unix seconds. `pinrelay shadow --live` writes, `coordination` reads.
SAMPLES_HURRIED = SharedKey("samples-hurried", float)
#: When somebody was erased last, Unix seconds: at each new revision live tails let go of all that they hold.
#: `coordination`, `pinrelay forget` and `pinrelay import` write, `coordination` reads.
ERASED_AT = SharedKey("erased-at", float)
#: The alerts that were told and not yet cleared: text by condition. `insights.alerts` writes and reads.
OPEN_ALERTS = SharedKey("alerts", dict[str, str])
#: By digest of a file. `pinrelay import` writes and reads; retention deletes what was not gone on with for long.
IMPORTED = SharedKeys("import/", FileImported)
#: By digest of an address, a query, a cursor and a source; under it, by number, digests of rows. Likewise.
ROWS_IMPORTED = SharedKeys("import-rows/", RowsImported)
ROW_DIGESTS = SharedKeys("import-digests/", tuple[str, ...])
#: By ad account: what Pinterest says of it. `insights.reports` writes and reads; console and alerts read.
PINTEREST_VIEWS = SharedKeys("reports/account/", PinterestView)
#: When that is read next, by whichever process takes it up first. `insights.reports` writes and reads.
REPORTS_TURN = SharedKey("reports/turn", float)
#: By which token. `insights.reports` writes and reads.
ADS_TOKEN = SharedKey("reports/token", SealedToken)
#: The product feeds. `product_feed` writes and reads, alerts and `pinrelay feed` read.
FEED = SharedKey("feed/state", FeedState)
#: By place and number: digests of ids, in base64. `product_feed` writes and reads.
FEED_PIECES = SharedKeys("feed/ids/", str)
#: When they are read next, likewise. `product_feed` writes and reads.
FEED_TURN = SharedKey("feed/turn", float)
#: By source and name of events: the product ids that no feed has, and how often. `insights.inventory` writes and reads.
FEED_UNKNOWN = SharedKey("feed/unknown", dict[str, dict[str, int]])
#: By place in a ring: calls of Pinterest's tag that pages reported. `insights.tag_check` writes and reads.
TAG_CALLS = SharedKeys("tag/calls/", TagCalls)
#: What became of them. `insights.tag_check` writes and reads; console, alerts and `pinrelay tag-check` read.
TAG_FIGURES = SharedKey("tag/figures", TagFigures)

#: How the keys begin whose values receiving, sending and switches need: a damaged one makes a process not ready.
NEEDED = [
    *(each.prefix for each in (TROUBLE, SET_ASIDE, ORDERS_HEARD, RATE, ACCOUNT_SWITCH, PRESET_SWITCH)),
    *(each.name for each in (CLOCK_JUMPS, RETENTION_BEHIND, STORE_SECRET, HOLD_TIME, DESTINATION_SWITCH)),
    *(each.name for each in (WANTED_CATALOG, CATALOG_FAULTS, TAIL, SAMPLES_HURRIED, ERASED_AT)),
]
