"""What the console needs of the rest of Pinrelay: nothing else reaches it.

`main` makes one `ConsoleServices`; tests make one of small classes of their own.
Personal data appears in `EventReport` only, made of what a person has just pasted; nothing of it is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.access.admission import Access
from app.coordination import Coordination
from app.receiving.reports import Draft, EventReport, PinterestReply
from app.shared_values import SharedValues
from app.types import Backlog, Delivery, Event, Message, Page, Query, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetView:
    """One preset of the running catalog."""

    name: str
    #: As found, e.g. `presets/checkout.yaml`.
    file: str
    #: One sentence; "" where the file gives none.
    description: str
    #: The trigger, as written.
    subscribe: str
    action: str
    #: As written in the mapping; a directive is shown as its JSON.
    event_name: str
    action_source: str
    #: What the file says. A switch of the outbox can switch an enabled preset off, not a disabled one on.
    enabled: bool
    #: Field and where its value comes from, in the action's order; fields without a mapping are left out.
    sends: tuple[tuple[str, str], ...]
    #: A Segment event that this preset takes; None where the file gives none.
    example: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One YAML file of the running catalog, for drafts."""

    #: As found, e.g. `mappings/report_conversion_event.yaml`.
    file: str
    text: str


class ConsoleOutbox(SharedValues, Protocol):
    """The part of the outbox that people look at. Every method may raise OutboxUnavailable."""

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        """Return deliveries, newest first."""

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return one delivery with its history; None where there is none."""

    async def message(self, message_id: str) -> Message:
        """Return what became of one message id."""

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Return how much waits."""

    async def tallies(self, *, since: float, step_s: int) -> list[tuple[float, Tally]]:
        """Return the counts since then by steps: (start of the step, tally)."""

    async def redrive(self, query: Query, *, now: float) -> int:
        """Make matching dead deliveries pending again; return how many."""


class ConsoleCatalog(Protocol):
    """The running catalog."""

    def presets(self) -> Sequence[PresetView]:
        """Return all presets, switched-off ones too, in the order of their files."""

    def files(self) -> Sequence[SourceFile]:
        """Return the texts that the catalog was made of: presets, then mappings."""


# ---------------------------------------------------------------------------------------------------------------------
# The event tester.


class EventTester(Protocol):
    """Shows what would become of an event. Keeps and logs nothing of it."""

    def test_event(self, event: Event, draft: Draft | None, now: float) -> EventReport:
        """Map the event by every preset, with the draft in place of its file."""

    async def send_test(self, payload: bytes) -> PinterestReply:
        """Send one finished event with `?test=true`: Pinterest checks it and drops it."""


# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationView:
    """Where deliveries go."""

    ad_account_id: str
    #: False: to the built-in sandbox.
    live: bool
    #: What becomes of events while a switch is off: kept and sent later, or withheld for good.
    switched_off: Literal["hold", "refuse"]
    #: `Name: value` lines that a sender must add, with placeholders for secrets; shown in the first curl command.
    sender_headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    """All that the console works with."""

    outbox: ConsoleOutbox
    catalog: ConsoleCatalog
    #: Switches, reloads, and which processes run.
    coordination: Coordination
    tester: EventTester
    access: Access
    destination: DestinationView
    #: Names of Pinterest's quality components, in the order they are shown.
    quality_components: Sequence[str]
    #: Unix seconds.
    clock: Callable[[], float]
    max_presets: int = 50
