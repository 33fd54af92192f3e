"""A console over a real SQLite outbox, with a catalog and a tester that say what a test tells them to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson
from fastapi import FastAPI
from pydantic import SecretStr

from app.console import (
    Access,
    ConsoleServices,
    DestinationView,
    PresetView,
    SourceFile,
    create_console,
)
from app.console.labels import COMPONENT_LABELS
from app.coordination import Coordination
from app.errors import CatalogError, Fault
from app.outbox import Outbox, OutboxRules, open_outbox
from app.receiving.reports import ConditionReport, Draft, EventReport, FieldReport, PinterestReply, PresetReport
from app.types import Event, Exit, NewDelivery, Note, Outcome, Settlement, State, Tally

NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
ACCOUNT = "549755885175"
PASSWORD = "correct horse"
RULES = OutboxRules(dedup_window_s=86_400, dedup_orders=True, ledger_s=2_592_000, payload_s=0, max_backlog=1_000)

CHECKOUT = PresetView(
    name="Checkout",
    file="presets/checkout.yaml",
    description="A customer completes an order.",
    subscribe='type = "track" AND event = "Checkout"',
    action="report_conversion_event",
    event_name="checkout",
    action_source="web",
    enabled=True,
    sends=(("event_time", "$.timestamp"), ("user_data/email", "$.properties.email")),
    example={"type": "track", "event": "Checkout", "messageId": "example-1", "properties": {"note": "it's <b>"}},
)
PAGE_VISIT = PresetView(
    name="Page Visit",
    file="presets/page_visit.yaml",
    description="",
    subscribe='type = "page"',
    action="report_conversion_event",
    event_name="page_visit",
    action_source="web",
    enabled=True,
    sends=(("event_time", "$.timestamp"),),
    example=None,
)
LEAD = PresetView(
    name="Lead",
    file="presets/lead.yaml",
    description="",
    subscribe='event = "Generate Lead"',
    action="report_conversion_event",
    event_name="lead",
    action_source="web",
    enabled=False,
    sends=(),
    example={"type": "track", "event": "Generate Lead"},
)
ENQUEUED = PresetReport(
    preset="Checkout",
    enabled=True,
    matched=True,
    conditions=(ConditionReport(text='event = "Checkout"', held=True, found='"Checkout"'),),
    exit=Exit.ENQUEUED,
    fields=(
        FieldReport(field="event_name", paths=(), value='"checkout"', normalised="", sent='"checkout"'),
        FieldReport(
            field="user_data/email",
            paths=("$.properties.email", "$.context.traits.email"),
            value='" Ada@Example.com"',
            normalised="ada@example.com",
            sent='["b7e9a4"]',
        ),
        FieldReport(field="user_data/phone", paths=("$.properties.phone",), value=None, normalised="", sent=None),
    ),
    warnings=("currency: taken from the first product",),
    payload=orjson.dumps({"event_name": "checkout", "user_data": {"em": ["b7e9a4"]}}),
)
UNMATCHED = PresetReport(
    preset="Page Visit",
    enabled=True,
    matched=False,
    conditions=(
        ConditionReport(text='type = "page"', held=False, found='"track"'),
        ConditionReport(text="userId != null", held=False, found=None),
    ),
    exit=Exit.UNMATCHED,
)


@dataclass
class Catalog:
    """Shows what it was given, and reloads to the faults it was given."""

    shown: list[PresetView] = field(default_factory=lambda: [CHECKOUT, PAGE_VISIT, LEAD])
    found: list[Fault] = field(default_factory=list)
    reloads: int = 0

    def presets(self) -> Sequence[PresetView]:
        return self.shown

    def files(self) -> Sequence[SourceFile]:
        return [SourceFile(file=preset.file, text=f"name: {preset.name}\n") for preset in self.shown]

    def names(self) -> list[str]:
        return [preset.name for preset in self.shown]

    def reload(self) -> str:
        self.reloads += 1
        if self.found:
            raise CatalogError(self.found)
        return "generation-now"


@dataclass
class Tester:
    """Reports what it was given, and remembers what it was asked."""

    report: EventReport = field(default_factory=lambda: EventReport(presets=(UNMATCHED, ENQUEUED)))
    answer: PinterestReply = field(
        default_factory=lambda: PinterestReply(status=200, body='{"num_events_received": 1}')
    )
    asked: list[tuple[Event, Draft | None]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def test_event(self, event: Event, draft: Draft | None, now: float) -> EventReport:
        self.asked.append((event, draft))
        return self.report

    async def send_test(self, payload: bytes) -> PinterestReply:
        self.sent.append(payload)
        return self.answer


@dataclass(kw_only=True)
class World:
    """The console, what it stands on, and a browser without scripts."""

    outbox: Outbox
    catalog: Catalog
    coordination: Coordination
    tester: Tester
    app: FastAPI
    browser: httpx.AsyncClient
    #: What the console's clock says.
    now: float = NOW

    async def enqueue(
        self, *deliveries: NewDelivery, notes: Sequence[Note] = (), tallies: Sequence[Tally] = ()
    ) -> None:
        await self.outbox.enqueue(deliveries, notes, tallies, now=self.now)

    async def settle(self, outcome: Outcome, state: State, *tallies: Tally, due_at: float | None = None) -> None:
        """Claim one delivery and settle it so."""
        (claimed,) = await self.outbox.claim(
            ACCOUNT, limit=1, max_bytes=1_000_000, max_wait_s=0, lease_s=60, now=self.now
        )
        assert state is not State.CLAIMED
        settlement = Settlement(claimed=claimed, outcome=outcome, state=state, due_at=due_at)
        await self.outbox.settle([settlement], tallies, now=self.now)

    def from_elsewhere(self, peer: str, **headers: str) -> httpx.AsyncClient:
        """Return the browser of another machine."""
        transport = httpx.ASGITransport(app=self.app, client=(peer, 40_000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers)


@asynccontextmanager
async def open_world(
    folder: Path,
    *,
    password: str | None = None,
    published_on_loopback: bool = False,
    live: bool = True,
    switched_off: str = "hold",
    sender_headers: tuple[str, ...] = (),
) -> AsyncIterator[World]:
    """Build everything over an outbox in this folder."""
    outbox = open_outbox(f"sqlite:///{folder}/pinrelay.db", RULES, clock=lambda: NOW)
    catalog, tester = Catalog(), Tester()
    coordination = Coordination(
        outbox,
        catalog.reload,
        presets=catalog.names,
        generation="generation-now",
        process_id="console",
        role="all",
    )
    app = FastAPI()
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40_000))
    headers = {"Origin": "http://localhost:8080"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers) as browser:
        world = World(
            outbox=outbox, catalog=catalog, coordination=coordination, tester=tester, app=app, browser=browser
        )
        access = Access(password=SecretStr(password) if password else None, published_on_loopback=published_on_loopback)
        services = ConsoleServices(
            outbox=outbox,
            catalog=catalog,
            coordination=coordination,
            tester=tester,
            access=access,
            destination=DestinationView(
                ad_account_id=ACCOUNT,
                live=live,
                switched_off="hold" if switched_off == "hold" else "refuse",
                sender_headers=sender_headers,
            ),
            quality_components=tuple(COMPONENT_LABELS),
            clock=lambda: world.now,
        )
        app.include_router(create_console(services))
        yield world
    await outbox.close()


def new_delivery(message_id: str = "m-1", **different: object) -> NewDelivery:
    """Make a complete delivery; say only what differs."""
    facts = {
        "ad_account_id": ACCOUNT,
        "preset": "Checkout",
        "message_id": message_id,
        "event_name": "checkout",
        "event_id": f"event-{message_id}",
        "action_source": "web",
        "order_id": f"order-{message_id}",
        "event_time": int(NOW) - 60,
        "payload": orjson.dumps(
            {"event_name": "checkout", "user_data": {"em": ["b7e9"], "client_ip_address": "203.0.113.7"}}
        ),
        "warnings": (),
        "quality": ("hashed_email", "ip_address"),
    }
    return NewDelivery(**(facts | different))  # type: ignore[arg-type] # the builder is typed by its use
