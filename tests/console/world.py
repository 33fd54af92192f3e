"""A console over a real SQLite outbox, real presets in a folder of the test, and a Pinterest that records its calls."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import orjson
from fastapi import FastAPI
from pydantic import SecretStr

from app import assemble
from app.access.admission import Access
from app.access.audit import Audit
from app.access.sessions import Sessions
from app.access.users import Users
from app.assemble.services import make_acts, operation_services
from app.catalog.catalog import RunningCatalog
from app.config.settings import AccessSettings
from app.console import ConsoleServices, create_console
from app.core.coordination import Coordination
from app.core.deliveries import CallResult, NewDelivery, Settlement, State
from app.core.events import DEFAULT_SOURCE, CounterRow, DroppedEvent
from app.core.pages import AccountView
from app.core.trust import SourceTraits
from app.destination.client import PinterestClient
from app.insights.alerts.watcher import AlertWebhook
from app.insights.inventory.view import InventoryView
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Pipeline
from app.pipeline.tail import Tail
from app.source import NamedSource
from tests import assembled
from tests.outbox.build import DAY_S
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store

NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
ACCOUNT = "549755885175"
PASSWORD = "correct horse"
RULES = outbox_rules(remember_s=90 * DAY_S, remember_max_people=1_000)

#: Small, so that it compiles in no time.
MAPPING = """
name: Report
description: Reports a conversion.
fields:
  event_name: {label: Name, description: What happened., type: string, required: true}
  action_source: {label: Source, description: Where., type: string, required: true, default: web}
  event_time: {label: Time, description: When., type: string, required: true, default: {"@path": $.timestamp}}
  event_id: {label: Id, description: Which., type: string, required: true, default: {"@path": $.messageId}}
  user_data:
    label: Person
    description: Who.
    type: object
    properties:
      email:
        label: Email
        description: The address.
        type: string
        default:
          "@if":
            exists: {"@path": $.properties.email}
            then: {"@path": $.properties.email}
            else: {"@path": $.context.traits.email}
      phone: {label: Phone, description: The number., type: string, default: {"@path": $.properties.phone}}
  custom_data:
    label: Purchase
    description: What.
    type: object
    properties:
      order_id: {label: Order, description: The order., type: string, default: {"@path": $.properties.order_id}}
"""
CHECKOUT = """
name: Checkout
description: A customer completes an order.
subscribe: type = "track" AND event = "Checkout"
action: report_conversion_event
mapping: {event_name: checkout}
example: {type: track, event: Checkout, messageId: example-1, properties: {email: ada@example.com, note: it's <b>}}
"""
LEAD = """
name: Lead
subscribe: event = "Generate Lead"
action: report_conversion_event
mapping: {event_name: lead}
enabled: false
example: {type: track, event: Generate Lead, properties: {email: ada@example.com}}
"""
PAGE_VISIT = """
name: Page Visit
subscribe: type = "page" AND NOT (context.bot = "yes")
action: report_conversion_event
mapping: {event_name: page_visit}
"""

FILES = {
    "presets/checkout.yaml": CHECKOUT,
    "presets/lead.yaml": LEAD,
    "presets/page_visit.yaml": PAGE_VISIT,
    "mappings/report_conversion_event.yaml": MAPPING,
}
LIVE: dict[str, Any] = {"pinterest_ad_account_id": ACCOUNT, "pinterest_conversion_token": "token"}


@dataclass
class Pinterest:
    """Stands where Pinterest is: answers what a test tells it to, and remembers the calls."""

    answer: httpx.Response | None = field(default_factory=lambda: httpx.Response(200, json={"num_events_received": 1}))
    calls: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if self.answer is None:
            raise httpx.ConnectError("connection refused", request=request)
        return self.answer


@dataclass(kw_only=True)
class World:
    """The console, what it stands on, and a browser without scripts."""

    outbox: Outbox
    #: Of the presets.
    folder: Path
    running: RunningCatalog
    coordination: Coordination
    pipeline: Pipeline
    #: What the live tail shows.
    tail: Tail
    pinterest: Pinterest
    app: FastAPI
    #: Of the console; set when the console exists.
    services: ConsoleServices = field(init=False)
    browser: httpx.AsyncClient
    #: What the console's clock says.
    now: float = NOW

    def without_examples(self) -> None:
        """Take the examples out of the presets, as if their files had none."""
        for name in ("checkout", "lead"):
            self.write(name, self.running.texts[self.file(name)].partition("example:")[0])
        self.running.reload()

    def write(self, name: str, text: str) -> None:
        """Write a preset's file, which is taken up by the next reload."""
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def file(self, name: str) -> str:
        """Return a preset's file as the console names it."""
        return str(self.folder / f"{name}.yaml")

    async def enqueue(
        self, *deliveries: NewDelivery, notes: Sequence[DroppedEvent] = (), counters: Sequence[CounterRow] = ()
    ) -> None:
        await self.outbox.enqueue(deliveries, notes, counters, now=self.now)

    async def settle(
        self, result: CallResult, state: State, *counters: CounterRow, due_at: float | None = None
    ) -> None:
        """Claim one delivery and settle it so."""
        (claimed,) = await self.outbox.claim(
            ACCOUNT, limit=1, max_bytes=1_000_000, max_wait_s=0, lease_s=60, now=self.now
        )
        assert state not in {State.CLAIMED, State.DISMISSED}
        settlement = Settlement(claimed=claimed, result=result, state=state, due_at=due_at)
        await self.outbox.settle([settlement], counters, now=self.now)

    async def html(self, path: str, status: int = 200) -> str:
        """Return a page as it is sent."""
        return (await self._get(path, status)).text

    async def page(self, path: str, status: int = 200) -> str:
        """Return a page as `legible` has it."""
        return legible(await self._get(path, status))

    async def _get(self, path: str, status: int) -> httpx.Response:
        answer = await self.browser.get(path)
        assert answer.status_code == status, answer.text
        return answer

    def from_elsewhere(self, peer: str, **headers: str) -> httpx.AsyncClient:
        """Return the browser of another machine."""
        transport = httpx.ASGITransport(app=self.app, client=(peer, 40_000))
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers)


def legible(answer: httpx.Response) -> str:
    """Return a page with its entities undone, and a blank for white space."""
    return unescape(re.sub(r"\s+", " ", answer.text))


@asynccontextmanager
async def open_world(
    folder: Path,
    *,
    password: str | None = None,
    users: tuple[str, ...] = (),
    trusted: tuple[str, ...] = (),
    user_header: str | None = None,
    role_header: str | None = None,
    gateways: frozenset[str] = frozenset(),
    live: bool = True,
    accounts: tuple[AccountView, ...] = (),
    sources: Mapping[str, NamedSource | None] = MappingProxyType({}),
    events_while_off: str = "delay",
    alert_webhook: AlertWebhook | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    """Build everything over an outbox in this folder. Without `accounts` there is ACCOUNT, which has no name."""
    presets, mappings = folder / "presets", folder / "mappings"
    for file, text in FILES.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    settings = assembled.settings(
        **{"presets_dir": (presets,), "mappings_dir": (mappings,), "events_while_off": events_while_off}
        | LIVE
        | changes
    )
    running = assemble.running_catalog(settings)
    url = changes.get("outbox_url") or new_store(folder, "pinrelay.db")
    outbox = open_outbox(url, RULES, clock=lambda: NOW)
    coordination = Coordination(
        outbox,
        running.reload,
        presets=running.preset_names,
        ad_account_ids={each.ad_account_id for each in accounts} or {ACCOUNT},
        generation=running.catalog.generation,
        process_id="console",
        role="all",
    )
    accounts = accounts or (AccountView(ad_account_id=ACCOUNT, live=live),)
    pinterest = Pinterest()
    client = PinterestClient(
        api_url="https://api.pinterest.example/v5",
        ad_account_id=ACCOUNT,
        token=SecretStr("token"),
        timeout_s=5,
        transport=httpx.MockTransport(pinterest),
    )
    app = FastAPI()
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40_000))
    headers = {"Origin": "http://localhost:8080"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", headers=headers) as browser:
        pipeline = assemble.pipeline(
            settings,
            running.catalog,
            outbox=outbox,
            why_off=coordination.why_off,
            quarantine=assemble.quarantine(settings, outbox),
        )
        tail = assemble.live_tail(settings, running, outbox, coordination)
        samples = assemble.samples(settings, outbox, lambda: running.catalog)
        pipeline.listeners = tuple(filter(None, (tail, samples)))
        world = World(
            outbox=outbox,
            folder=presets,
            running=running,
            coordination=coordination,
            pipeline=pipeline,
            tail=tail,
            pinterest=pinterest,
            app=app,
            browser=browser,
        )
        running.on_change = world.pipeline.use
        audit = Audit(outbox, lambda: world.now)
        access = Access(
            Users.read(users, SecretStr(password) if password else None),
            AccessSettings.model_construct(
                trusted_proxies=trusted,
                console_user_header=user_header,
                console_role_header=role_header,
            ),
            sessions=Sessions(outbox),
            audit=audit,
            gateways=gateways,
        )
        finder = assemble.event_finder(settings, outbox)
        services = ConsoleServices(
            outbox=outbox,
            running=running,
            coordination=coordination,
            finder=finder,
            explainer=assemble.explainer(settings, outbox=outbox, why_off=coordination.why_off),
            explainer_of_test=assemble.explainer_of_test,
            sources=lambda: {DEFAULT_SOURCE: None, **sources},
            traits_of=lambda name: SourceTraits(
                is_trusted=name == DEFAULT_SOURCE,
                shop="" if name == DEFAULT_SOURCE else "Berlin",
                has_page_key=name == "shopify_pixel",
            ),
            clients={ACCOUNT: client},
            access=access,
            acts=make_acts(
                settings,
                running,
                coordination,
                audit,
                alert_webhook,
                tail,
                outbox,
                assemble.shadow_runs(settings, running, outbox, clock=lambda: world.now),
            ),
            shared=operation_services(settings, running, coordination, finder, audit, outbox),
            inventory=InventoryView(
                inventory=outbox.inventory, catalog=lambda: running.catalog, clock=lambda: world.now
            ),
            accounts=accounts,
            settings=settings,
            alerts=assemble.alert_conditions(settings, outbox, accounts, lambda: world.now).holding,
            people=assemble.people_search(settings, outbox) if settings.remember_secret else None,
            clock=lambda: world.now,
        )
        world.services = services
        app.include_router(create_console(services))
        yield world
    await client.close()
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
