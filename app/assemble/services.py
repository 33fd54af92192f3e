"""The long-lived objects of a serving process, created and connected."""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from starlette.types import ASGIApp

from app import assemble
from app.access.admission import Access, read_gateways
from app.access.audit import Audit
from app.access.sessions import Sessions
from app.access.users import Users
from app.assemble import ad_accounts
from app.assemble.ad_accounts import Destination
from app.catalog.catalog import RunningCatalog, generation_of
from app.catalog.sources import RunningSources
from app.catalog.yaml_files import StartedFiles
from app.config import FOLLOWED, Settings
from app.config.environment import ChangedFiles, SecretWatch
from app.core.coordination import Coordination
from app.core.log import log_error, log_failing_tests, log_restart_needed, log_secrets_kept
from app.core.metrics import Metrics
from app.core.pages import AccountView
from app.destination.client import PinterestClient
from app.errors import CatalogError
from app.insights.alerts.watcher import AlertWebhook
from app.insights.inventory.counting import InventoryKeeper, NameCounts
from app.insights.inventory.view import InventoryView
from app.insights.tag_check import TagReports
from app.insights.tracing import Tracing, open_tracing
from app.operations import declaration as operations
from app.operations.acts import Acts, CatalogActs, SendTestActs, SwitchActs, TailActs
from app.operations.reconcile import OrderActs
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Listener
from app.pipeline.replay import Replaying
from app.pipeline.samples import Samples
from app.pipeline.search import Finder
from app.pipeline.shadow import ShadowRuns
from app.pipeline.tail import Tail
from app.sandbox import Account, create_sandbox
from app.source import NamedSource

#: The number of events in which the sandbox of this process recognises duplicates: some 10 MB.
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The objects of a serving process."""

    outbox: Outbox
    running: RunningCatalog
    #: `None` without named sources.
    sources: RunningSources | None
    #: Returns all sources by name: the default one, those of write keys, those with a file.
    known_sources: Callable[[], dict[str, NamedSource | None]]
    coordination: Coordination
    destinations: tuple[Destination, ...]
    #: Files that are only read at the start; `None` if the settings configure a single ad account.
    started: StartedFiles | None
    #: By ad account.
    clients: dict[str, PinterestClient]
    metrics: Metrics
    tracing: Tracing
    access: Access
    finder: Finder
    acts: Acts
    #: Used by the operations of all surfaces.
    shared: operations.Services
    secrets: SecretWatch[Settings]
    clock: Callable[[], float]
    #: `None` if no ad account uses the sandbox.
    sandbox: ASGIApp | None
    #: `None` without an address for alerts.
    alert_webhook: AlertWebhook | None
    #: Counts events by name; `None` if the inventory is off.
    names: NameCounts | None
    #: `None` if no samples are stored.
    samples: Samples | None
    #: Receives reports about calls of Pinterest's tag; `None` if they are off.
    tag_reports: TagReports | None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Return the listeners: the inventory, the live tail and the samples."""
        return tuple(filter(None, (self.names, self.acts.tail.tail, self.samples)))

    @property
    def closing(self) -> tuple[PinterestClient | AlertWebhook, ...]:
        """Return the clients with connections to other servers, to be closed at the end."""
        return (*self.clients.values(), *([self.alert_webhook] if self.alert_webhook else []))

    @property
    def inventory(self) -> InventoryView:
        """Return the view of received events and running presets."""
        return InventoryView(inventory=self.outbox.inventory, catalog=lambda: self.running.catalog, clock=self.clock)

    def keepers(self) -> tuple[InventoryKeeper, ...]:
        """Return the writer of the counts; none if the inventory is off."""
        if self.names is None:
            return ()
        return (
            InventoryKeeper(
                self.names,
                self.outbox.inventory,
                on_counts=self.metrics.count_names,
                clock=self.clock,
                on_error=log_error,
            ),
        )

    async def look_at_files(self) -> None:
        """Load changed files of secrets, and check whether other changes need a restart.

        This also ends the live tail when its time is over.
        """
        changed = [f"{name.upper()}_FILE" for name in self.secrets.look()]
        self.acts.tail.follow()
        if self.samples is not None:
            self.samples.hurried_until = self.coordination.samples_hurried_until
        if self.sources is not None:
            changed += ["secrets of sources"] if self.sources.look() else []
        if self.started is not None:
            self.started.look()
        changed += self.secrets.read_anew.look()
        if changed:
            await self.acts.catalog.note_secrets(changed)

    def test_files(self) -> None:
        """Log the failing tests of the running files; the start continues in any case."""
        sources = self.sources.to_test() if self.sources else ()
        log_failing_tests(assemble.file_tests().failing(self.running.catalog, sources))

    def restart_notice(self) -> str:
        """Return why a restart is needed; "" if none is needed."""
        return self.started.notice if self.started else ""

    @property
    def accounts(self) -> tuple[AccountView, ...]:
        """Return the ad accounts with their names."""
        return tuple(each.view for each in self.destinations)


def make_services(
    settings: Settings, role: str, *, clock: Callable[[], float] | None, environ: Mapping[str, str]
) -> Services:
    """Create the services of a process with this role. Raises ConfigurationError or OutboxError if it cannot start."""
    running = assemble.running_catalog(settings)
    sources = assemble.running_sources(settings, on_fault=log_secrets_kept)
    destinations = ad_accounts.destinations(settings, environ)
    outbox = open_outbox(settings.outbox_url, settings, clock=clock)
    clock = clock or time.time
    coordination = _coordination(settings, outbox, running, sources, destinations, role)
    audit = Audit(outbox, clock)
    access = _access(settings, outbox, audit)
    webhook = AlertWebhook.of(settings, clock)
    known = partial(_known_sources, ad_accounts.key_sources(settings), sources)
    sandbox = _sandbox(settings, destinations, clock)
    finder = assemble.event_finder(settings, outbox, catalog=lambda: running.catalog, sources=known, clock=clock)
    tail = assemble.live_tail(settings, running, outbox, coordination)
    shadow = assemble.shadow_runs(settings, running, outbox, clock=clock, to=destinations, sources=sources)
    return Services(
        outbox=outbox,
        running=running,
        sources=sources,
        known_sources=known,
        coordination=coordination,
        access=access,
        finder=finder,
        acts=make_acts(settings, running, coordination, audit, webhook, tail, outbox, shadow),
        shared=operation_services(settings, running, coordination, finder, audit, outbox, destinations, sources),
        secrets=_secrets(settings, access, destinations),
        destinations=destinations,
        started=_started_files(settings, environ, running, sources) if settings.destinations_dir else None,
        clients={each.ad_account_id: assemble.pinterest_client(each, sandbox) for each in destinations},
        metrics=Metrics({each.ad_account_id: each.name for each in destinations}),
        tracing=open_tracing(environ),
        clock=clock,
        sandbox=sandbox,
        alert_webhook=webhook,
        names=assemble.name_counts(settings, running, sources),
        samples=assemble.samples(settings, outbox, lambda: running.catalog),
        tag_reports=TagReports(outbox, clock=clock, on_error=log_error) if settings.tag_check else None,
    )


def operation_services(
    settings: Settings,
    running: RunningCatalog,
    coordination: Coordination,
    finder: Finder,
    audit: Audit,
    outbox: Outbox,
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
) -> operations.Services:
    """Return the objects that operations use."""

    @cache
    def made() -> Replaying:
        why_off, clock = coordination.why_off, audit.clock
        return assemble.replaying(settings, running, outbox, why_off=why_off, clock=clock, to=to, sources=sources)

    async def replaying() -> Replaying:
        return made()

    return operations.Services(
        settings=settings,
        outbox=outbox,
        finder=finder,
        audit=audit,
        catalog=lambda: running.catalog,
        replaying=replaying,
    )


def make_acts(
    settings: Settings,
    running: RunningCatalog,
    coordination: Coordination,
    audit: Audit,
    webhook: AlertWebhook | None,
    tail: Tail,
    outbox: Outbox,
    shadow: ShadowRuns | None,
) -> Acts:
    """Return the actions of operators."""
    watch = TailActs(tail, coordination, audit)
    return Acts(
        catalog=CatalogActs(coordination, assemble.publisher(settings, running), audit, shadow),
        orders=OrderActs(outbox, audit),
        people=assemble.forget_acts(settings, outbox, audit, watch.empty),
        sending=SwitchActs(outbox, coordination, audit),
        tail=watch,
        tests=SendTestActs(webhook, audit),
    )


def _access(settings: Settings, outbox: Outbox, audit: Audit) -> Access:
    gateways = read_gateways() if settings.published_on_loopback else frozenset[str]()
    return Access(Users.of(settings), settings, sessions=Sessions(outbox), audit=audit, gateways=gateways)


def _known_sources(keys: tuple[str, ...], sources: RunningSources | None) -> dict[str, NamedSource | None]:
    return {**dict.fromkeys(keys), **(sources.sources if sources else {})}


def _coordination(
    settings: Settings,
    outbox: Outbox,
    running: RunningCatalog,
    sources: RunningSources | None,
    destinations: Sequence[Destination],
    role: str,
) -> Coordination:
    return Coordination(
        outbox,
        partial(_reload, settings, running, sources),
        presets=running.preset_names,
        ad_account_ids=frozenset(each.ad_account_id for each in destinations),
        generation=_generation(running, sources),
        process_id=f"{os.uname().nodename}-{os.getpid()}-{secrets.token_hex(2)}",
        role=role,
    )


def _secrets(settings: Settings, access: Access, destinations: Sequence[Destination]) -> SecretWatch[Settings]:
    tokens = {each.name: each.token_file for each in destinations if each.token_file}
    read_anew = ChangedFiles(
        {f"token of {name}" if name else "PINTEREST_CONVERSION_TOKEN_FILE": file for name, file in tokens.items()}
    )
    watch = SecretWatch(settings, FOLLOWED, on_fault=log_secrets_kept, read_anew=read_anew)
    watch.tell(lambda changed: partial(access.take, Users.of(changed)))
    return watch


def _started_files(
    settings: Settings, environ: Mapping[str, str], running: RunningCatalog, sources: RunningSources | None
) -> StartedFiles:
    def check() -> None:
        ad_accounts.destinations(settings, environ)
        ad_accounts.check_presets(settings, running.preset_names())
        ad_accounts.check_sources(settings, sources.sources if sources else ())

    return StartedFiles("DESTINATIONS_DIR", settings.destinations_dir, check, on_change=log_restart_needed)


def _reload(settings: Settings, running: RunningCatalog, sources: RunningSources | None) -> str:
    """Read the files of sources and catalog again, all or none; return the new generation.

    Raises CatalogError.
    """
    loaded = sources.load() if sources else None
    if loaded:
        ad_accounts.check_sources(settings, loaded.sources)
        if faults := assemble.file_tests().failing(None, loaded.to_test()):
            raise CatalogError(faults)
    running.reload()
    if sources and loaded:
        sources.use(loaded)
    return _generation(running, sources)


def _generation(running: RunningCatalog, sources: RunningSources | None) -> str:
    generation = running.catalog.generation
    return generation_of({"catalog": generation, "sources": sources.generation}) if sources else generation


def _sandbox(settings: Settings, to: Sequence[Destination], clock: Callable[[], float]) -> ASGIApp | None:
    if not any(each.settings.sandboxed for each in to):
        return None
    account = Account(event_names=settings.custom_event_names)
    return create_sandbox(account=account, remembered=_REMEMBERED, clock=clock)
