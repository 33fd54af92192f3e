"""Build the server: create and connect the parts of a serving process."""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from threading import Thread

from fastapi import FastAPI

from app import assemble
from app.api.router import Operations, api_routers
from app.assemble.ad_accounts import Destination
from app.assemble.services import Services, make_services
from app.config import Settings
from app.console import ConsoleServices, create_console
from app.core.deliveries import Settlement
from app.core.events import CounterRow
from app.core.log import log_attempts, log_error
from app.core.values.addresses import read_networks
from app.destination import load_place_names, redact
from app.insights.refused_requests import RefusalKeeper
from app.insights.tracing import export_figures, export_lines
from app.pipeline.batcher import RequestBatcher
from app.pipeline.pipeline import Pipeline
from app.sender.clocks import Clocks
from app.sender.consent import consent_check
from app.sender.context import CallReport, Dependencies
from app.sender.retention import Retention
from app.sender.status import log_jump, log_trouble
from app.sender.worker import Worker
from app.source import AcceptsIntake
from app.source.auth import WriteKeys
from app.source.body import Limits, MemoryBudget
from app.source.browser import TagReporting, analytics_js_router, browser_helper_router, read_library
from app.source.named_sources import (
    NamedSources,
    Webhook,
    is_for_pages,
    named_sources_router,
    webhook_router,
    webhook_source,
)
from app.source.request_handler import RequestHandler
from app.source.sdk_settings import sdk_settings_router
from app.source.tracking_api import tracking_router
from app.web.access_gate import access_middleware
from app.web.application import Application, answer_unrouted
from app.web.health import Status, status_router
from app.web.lifespan import BackgroundTask, lifespan


class Role(StrEnum):
    """The role of this process."""

    RECEIVE = "receive"
    SEND = "send"
    ALL = "all"


def create_app(
    settings: Settings,
    *,
    role: Role = Role.ALL,
    clock: Callable[[], float] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> FastAPI:
    """Build the application with these settings; `environ` configures tracing.

    `clock` replaces all clocks in tests; `None` is this machine's, and the store's own. Raises ConfigurationError or
    OutboxError if it cannot start.
    """
    services = make_services(settings, role.value, clock=clock, environ=environ)
    clock = services.clock
    status = _status(settings, services, role)
    app = Application(
        services.metrics,
        services.tracing,
        around=access_middleware(
            settings,
            services.access,
            clock=clock,
            is_for_any_page=lambda path: is_for_pages(path, services.sources.sources if services.sources else {}),
        ),
        settings=settings,
        lifespan=lifespan(
            services.acts.catalog,
            services.coordination,
            (*_beside(settings, services, role), *export_figures(environ, status.families, clock=clock)),
            begin=partial(services.outbox.start_disk_checks, settings),
            closing=(*services.closing, services.outbox, services.tracing, *export_lines(environ, clock=clock)),
            look_at_files=services.look_at_files,
            test_files=services.test_files,
            clock=clock,
        ),
    )
    _include_routes(app, settings, services, status)
    return app


def _include_routes(app: Application, settings: Settings, services: Services, status: Status) -> None:
    if status.role != Role.SEND:
        _include_senders_routes(app, settings, services)
    app.include_router(status_router(status))
    app.include_router(create_console(_console(settings, services)))
    operations = Operations(
        outbox=services.outbox,
        finder=services.finder,
        acts=services.acts,
        services=services.shared,
        access=services.access,
        status=status.delivery,
        clock=services.clock,
    )
    for router in api_routers(operations):
        app.include_router(router)
    if services.sandbox is not None:
        app.mount("/sandbox", services.sandbox)
    answer_unrouted(app)


def _include_senders_routes(app: Application, settings: Settings, services: Services) -> None:
    is_open, keys = not settings.authenticated, WriteKeys.of(settings)
    sources = NamedSources(
        services.sources.sources if services.sources else {}, webhook_source(settings, is_open=is_open)
    )
    services.secrets.tell(lambda changed: partial(sources.take_default, webhook_source(changed, is_open=is_open)))
    services.secrets.tell(lambda changed: partial(keys.take, WriteKeys.of(changed)))
    handler = RequestHandler(
        accepts=_accepts(settings, services),
        clock=services.clock,
        budget=MemoryBudget(settings.max_decompressed_in_flight),
    )
    webhook = Webhook(
        handler=handler,
        sources=sources,
        on_count=services.metrics.count_source,
        trusted_proxies=read_networks(settings.trusted_proxies),
        remembers=settings.remember_days > 0,
    )
    app.include_busy_router(webhook_router(webhook))
    app.include_busy_router(tracking_router(handler, settings, keys))
    if services.sources is not None:
        services.sources.on_change = sources.take
        app.include_busy_router(named_sources_router(webhook))
    app.include_router(sdk_settings_router(keys, is_open=is_open, public_hosts=settings.public_hosts))
    app.include_router(analytics_js_router(keys, is_open=is_open, library=read_library()))
    app.include_router(
        browser_helper_router(
            Limits.of_tracking(settings),
            cookie_domain=settings.epik_cookie_domain,
            reporting=TagReporting(
                write_keys=keys,
                is_open=is_open,
                event_names=settings.custom_event_names,
                take=services.tag_reports.take,
            )
            if services.tag_reports
            else None,
        )
    )


def _pipeline(settings: Settings, services: Services) -> Pipeline:
    # Takes a fifth of a second, for which neither the first event nor the start should wait.
    Thread(target=load_place_names, name="place-names", daemon=True).start()
    pipeline = assemble.pipeline(
        settings,
        services.running.catalog,
        outbox=services.outbox,
        spans=services.tracing,
        why_off=services.coordination.why_off,
        on_count=services.metrics.count,
        quarantine=assemble.quarantine(settings, services.outbox),
        to=services.destinations,
        sources=services.sources,
        shared=services.outbox,
        erasing=services.acts.people,
    )
    pipeline.listeners = services.listeners
    services.running.on_change = pipeline.use
    return pipeline


def _accepts(settings: Settings, services: Services) -> AcceptsIntake:
    """Return the pipeline, with batching of small requests unless each request is traced."""
    pipeline = _pipeline(settings, services)
    return pipeline if services.tracing.is_on else RequestBatcher(pipeline)


def _worker(services: Services, destination: Destination) -> Worker:
    """Return the sender of an ad account: senders only share the outbox."""

    def on_call(report: CallReport) -> None:
        services.metrics.observe_call(report.duration_s)
        services.metrics.count(report.counters)
        log_attempts(report.settlements, duration_s=report.duration_s)
        services.tracing.on_call(report)

    def on_settled_unsent(settlements: Sequence[Settlement], counters: Sequence[CounterRow]) -> None:
        services.metrics.count(counters)
        log_attempts(settlements, duration_s=0)

    return Worker(
        services.outbox,
        services.clients[destination.ad_account_id],
        destination.settings,
        ad_account_id=destination.ad_account_id,
        surroundings=Dependencies(
            clocks=Clocks(services.clock, time.monotonic),
            rng=random.Random(),  # noqa: S311 - jitter, no secret
            consents=consent_check(services.outbox, destination.settings, time.monotonic),
            switches=lambda: services.coordination.switches.of(destination.ad_account_id),
            redact=redact,
            on_call=on_call,
            on_settled_unsent=on_settled_unsent,
            on_trouble=partial(log_trouble, destination.name),
            on_jump=log_jump,
            on_error=log_error,
        ),
    )


def _beside(settings: Settings, services: Services, role: Role) -> tuple[BackgroundTask, ...]:
    """Return the background tasks of a process with this role."""
    feeds = assemble.feed_keeper(settings, services.names, services.outbox, services.clock)
    reports = (services.tag_reports,) if services.tag_reports else ()
    keepers: tuple[BackgroundTask, ...] = (
        RefusalKeeper(services.metrics, services.outbox, clock=services.clock, on_error=log_error),
    )
    if role is not Role.SEND:
        keepers = (*keepers, *services.keepers(), *feeds, *reports)
    if role is Role.RECEIVE:
        return keepers
    workers = [_worker(services, destination) for destination in services.destinations]
    retention = Retention(services.outbox, clocks=Clocks(services.clock, time.monotonic), on_error=log_error)
    alerts = assemble.alerts_to(services.alert_webhook, settings, services.outbox, services.accounts, services.clock)
    reading = assemble.hourly_reading(
        settings, services.destinations, services.outbox, services.sandbox, services.clock
    )
    deletions = assemble.deletion_requests(
        settings, services.destinations, services.outbox, services.sandbox, services.clock
    )
    return *workers, retention, alerts, *keepers, *reading, *deletions


def _status(settings: Settings, services: Services, role: Role) -> Status:
    return Status(
        outbox=services.outbox,
        coordination=services.coordination,
        metrics=services.metrics,
        accounts=services.accounts,
        role=role.value,
        settings=settings,
        restart_notice=services.restart_notice,
        clock=services.clock,
    )


def _console(settings: Settings, services: Services) -> ConsoleServices:
    why_off = services.coordination.why_off
    return ConsoleServices(
        outbox=services.outbox,
        running=services.running,
        coordination=services.coordination,
        finder=services.finder,
        explainer=assemble.explainer(
            settings, outbox=services.outbox, why_off=why_off, to=services.destinations, sources=services.sources
        ),
        explainer_of_test=assemble.explainer_of_test,
        sources=services.known_sources,
        traits_of=assemble.source_traits(settings, services.sources),
        clients=services.clients,
        access=services.access,
        acts=services.acts,
        shared=services.shared,
        inventory=services.inventory,
        accounts=services.accounts,
        settings=settings,
        alerts=assemble.alert_conditions(settings, services.outbox, services.accounts, services.clock).holding,
        restart_notice=services.restart_notice,
        people=assemble.people_search(settings, services.outbox) if settings.remember_secret else None,
        clock=services.clock,
    )
