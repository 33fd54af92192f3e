"""Create and connect catalog, pipeline and ad accounts according to the settings.

The server, the commands, benches and tests use these functions:

    assemble.pipeline(load_settings()).preview(event, now=...)     the result for an event; stores nothing
    assemble.pipeline(load_settings()).map_event(raw, now)         the same for a raw JSON event
    assemble.pipeline(load_settings()).preview_request(...)        the same for each event in a named source's request
    assemble.pipeline(load_settings(), outbox=...).accept(...)     the server's work
"""

import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp

from app.access.admission import UserHeaders
from app.access.audit import Audit
from app.access.users import Users
from app.assemble.ad_accounts import (
    SANDBOX_AD_ACCOUNT_ID,
    Destination,
    account_names,
    check_presets,
    check_sources,
    destinations,
    key_sources,
)
from app.catalog import Catalog
from app.catalog.catalog import RunningCatalog
from app.catalog.presets import parse_files
from app.catalog.publishing import Publisher
from app.catalog.source_files import SourceFile
from app.catalog.sources import RunningSources, SourceSecrets, load_source, read_source
from app.catalog.yaml_files import read_texts
from app.config import MIN_SECRET_CHARACTERS, Settings
from app.config.environment import shipped
from app.config.settings import (
    AccountEventSettings,
    MemorySettings,
    read_settings,
    settings_of_test,
    without_follow_ups,
)
from app.config.validators import currencies
from app.core.coordination import Coordination
from app.core.events import DEFAULT_SOURCE, CounterRow, Event
from app.core.log import log_error, log_reports, log_secrets_kept
from app.core.pages import AccountView
from app.core.shared_values import ERASED_AT, SharedValues
from app.core.spans import NO_SPANS, Spans
from app.core.trust import SourceTraits
from app.core.values.event_names import EVENT_NAMES
from app.destination import PersonReader, ReportConversionEvent, TypedPerson
from app.destination.client import PinterestClient
from app.destination.privacy_flags import StateOf
from app.errors import ConfigurationError, EventRefused, FeatureOff, MappingError, SettingsError
from app.identity import IdKeys
from app.insights.alerts.watcher import Alerts, AlertWebhook, Conditions
from app.insights.inventory.counting import NameCounts, Sampler
from app.insights.inventory.figures import read_figures
from app.insights.product_feed import FeedKeeper, ProductCheck
from app.insights.reports.ads_client import AdsClient, AdsToken, FixedToken, RotatingToken
from app.insights.reports.deletion_requests import DeletionRequests
from app.insights.reports.hourly_reading import HourlyReading
from app.insights.tracing import SIGNALS, exports
from app.mapping import check_content_id
from app.operations.forget import ForgetActs, Forgetting
from app.outbox import ConsentBook, Outbox
from app.outbox import check_settings as check_outbox_settings
from app.outbox.sealed_events import Sealer
from app.pipeline.consent import Consents
from app.pipeline.enrichment import Enrichment
from app.pipeline.explain import Explainer
from app.pipeline.file_tests import FileTests, GivenSettings
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.pipeline import ErasesPeople, Pipeline
from app.pipeline.quarantine import Quarantine
from app.pipeline.replay import HeldBack, Replaying
from app.pipeline.router import AdAccount, BuildProfile, Router, WhyOff
from app.pipeline.samples import Samples
from app.pipeline.search import Finder, PeopleSearch
from app.pipeline.shadow import Shadow, ShadowRuns, broken_limits
from app.pipeline.tail import Tail
from app.pipeline.waiting import OrderWaits
from app.source.auth import WriteKeys, proves_authors
from app.source.body import Limits
from app.source.named_sources import NamedSource, held_back, webhook_source
from app.source.tracking_api import quotas_of
from app.source.withholding import bot_filter, consent_answer, withheld


def alerts_to(
    webhook: AlertWebhook | None,
    settings: Settings,
    outbox: Outbox,
    accounts: Sequence[AccountView],
    clock: Callable[[], float],
) -> Alerts:
    """Return the background task that records incidents, and posts them to `webhook` if there is one."""
    return Alerts(outbox, webhook, alert_conditions(settings, outbox, accounts, clock))


def alert_conditions(
    settings: Settings, outbox: Outbox, accounts: Sequence[AccountView], clock: Callable[[], float]
) -> Conditions:
    """Return the evaluation of alert conditions, for people."""
    return Conditions(outbox, accounts=accounts, settings=settings, clock=clock)


#: Why the console cannot publish if other machines may use the store.
_FILES_OF_MANY_MACHINES = (
    "Several machines may share this store, and what is written here would be on one of them only. "
    "Put the file where each of them reads it (an image, a volume, a config map), then press Reload; "
    "the page Presets shows which process runs what."
)
#: Names that have not arrived for this number of days are not suggested.
_ARRIVED_DAYS: Final = 30
#: The base URL for clients that call the sandbox in this process.
SANDBOX_URL = "http://sandbox/v5"


def running_catalog(settings: Settings) -> RunningCatalog:
    """Return the presets and mappings of the settings' folders, ready for reloads. Raises CatalogError."""
    running = RunningCatalog(
        settings.presets_dir,
        settings.mappings_dir,
        custom_event_names=frozenset(settings.custom_event_names),
        check=partial(check_presets, settings),
    )
    running.failing = file_tests().failing
    return running


@cache
def file_tests() -> FileTests:
    """Return the runner of file tests: it only uses the settings in the tests, and the shipped sources."""
    return FileTests(router_of_test, cache(partial(read_source, (shipped("sources"),))))


def router_of_test(given: GivenSettings) -> Router:
    """Return the router under the settings of a test; equal settings share it. Raises SettingsError."""
    return _router_of_test(tuple(sorted(given.items())))


def explainer_of_test(given: GivenSettings) -> Explainer:
    """Return the explainer under the settings of a test. Raises SettingsError."""
    return Explainer(router_of_test(given))


@cache
def _router_of_test(given: tuple[tuple[str, str | bool | int | float], ...]) -> Router:
    return event_router(settings_of_test(dict(given)))


def publisher(settings: Settings, running: RunningCatalog) -> Publisher:
    """Return the publisher of presets and mappings for the console, possibly disabled with a reason."""
    is_of_one_machine = settings.outbox_url.startswith("sqlite:")
    return Publisher(running, why_never="" if is_of_one_machine else _FILES_OF_MANY_MACHINES)


def running_sources(settings: Settings, *, on_fault: Callable[[str], None]) -> RunningSources | None:
    """Return the sources of the settings' folders, ready for reloads; `None` if there are none.

    `on_fault` gets the reason if changed secrets are not loaded. Raises CatalogError.
    """
    if not settings.has_sources:
        check_sources(settings, ())
        return None
    sources = RunningSources(
        settings.source_folders,
        SourceSecrets(min_characters=MIN_SECRET_CHARACTERS if settings.reachable else 1),
        Limits.of_webhook(settings),
        names=settings.sources,
        taken=key_sources(settings),
        on_fault=on_fault,
    )
    check_sources(settings, sources.sources)
    return sources


def pipeline(  # noqa: PLR0913 - all that a pipeline can be made with
    settings: Settings,
    catalog: Catalog | None = None,
    *,
    outbox: Outbox | None = None,
    why_off: WhyOff | None = None,
    on_count: Callable[[Sequence[CounterRow]], None] | None = None,
    action_source: str | None = None,
    quarantine: Quarantine | None = None,
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
    shared: SharedValues | None = None,
    erasing: ErasesPeople | None = None,
    spans: Spans = NO_SPANS,
) -> Pipeline:
    """Return the pipeline of the settings.

    `catalog`: `None` loads that of the settings, which may raise CatalogError. Without an outbox the pipeline only
    previews. `why_off` returns why a preset does not send to an ad account, or `None`; it is called if the settings
    refuse such events. `on_count` gets the counts. `action_source` overrides the presets. `quarantine` stores events
    without a delivery. `to` are the ad accounts, `None` reads those of the settings. `sources` are the running sources,
    `None`: those of the settings' folders. `shared` stores the sources that send orders, for all processes. `erasing`
    erases people named in events; `None` creates it, if there is an outbox. `spans` traces the steps.
    """
    if erasing is None and outbox is not None:
        erasing = forget_acts(settings, outbox)
    return Pipeline(
        catalog or running_catalog(settings).catalog,
        event_router(settings, why_off, action_source, to, sources, shared=shared),
        outbox=outbox,
        on_count=on_count,
        quarantine=quarantine,
        source=cache(partial(load_source, settings.source_folders)),
        erasing=erasing,
        spans=spans,
    )


def explainer(
    settings: Settings,
    *,
    outbox: Outbox | None = None,
    why_off: WhyOff | None = None,
    action_source: str | None = None,
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
) -> Explainer:
    """Return the explainer of events, with the behaviour of a pipeline with the same settings and arguments.

    Without an outbox every event counts as new.
    """
    return Explainer(
        event_router(settings, why_off, action_source, to, sources, shared=outbox, is_asked=True),
        outbox=outbox,
        why_kept=why_off if settings.keeps_while_off else None,
        secret=None if outbox is None else forget_acts(settings, outbox).secret,
    )


def pinterest_client(destination: Destination, sandbox: ASGIApp | None = None) -> PinterestClient:
    """Return the client of an ad account; for a sandboxed one, the client calls `sandbox` in this process."""
    here = sandbox if destination.settings.sandboxed else None
    return PinterestClient(
        api_url=SANDBOX_URL if here else destination.settings.pinterest_api_url,
        ad_account_id=destination.ad_account_id,
        token=destination.token,
        timeout_s=destination.settings.limits.send_timeout_s,
        transport=httpx.ASGITransport(app=here) if here else None,
    )


def event_router(
    settings: Settings,
    why_off: WhyOff | None = None,
    action_source: str | None = None,
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
    *,
    shared: SharedValues | None = None,
    is_asked: bool = False,
) -> Router:
    """Return the router of events according to the settings; the arguments are those of `pipeline`.

    `is_asked`: the router only previews events. Raises CatalogError, and SettingsError if CONTENT_ID is invalid.
    """
    found = destinations(settings) if to is None else to
    traits_of, names = source_traits(settings, sources), _sending_sources(settings, sources)
    reader = identity_event_reader(settings)
    return Router(
        _accounts(found, action_source),
        withheld=lambda event: withheld(event, settings),
        why_off=None if settings.keeps_while_off else why_off,
        enrichment=enrichment(settings, found, traits_of, names) if settings.remember_days else None,
        reader=reader,
        consents=consents(settings, reader, time.monotonic),
        content_id_of=_content_ids(settings, sources),
        traits_of=traits_of,
        waits=OrderWaits(
            settings,
            accounts={each.ad_account_id: each.sources for each in found},
            sources=names,
            traits_of=traits_of,
            shared=shared,
            is_asked=is_asked,
        ),
        public_order_limits=settings.public_order_limits,
    )


def consents(settings: Settings, reader: IdentityEventReader, monotonic: Callable[[], float]) -> Consents | None:
    """Return the store of consent answers for the pipeline; `None` if answers have no effect."""
    if not settings.keeps_answers:
        return None
    return Consents(settings, reader, ConsentBook(monotonic), order_wait_s=settings.order_wait_s)


def _sending_sources(settings: Settings, sources: RunningSources | None) -> Callable[[], Iterable[str]]:
    """Return a function that returns the sources that may send.

    They are those of write keys and files, and `/webhook` if configured.
    """
    of_webhook = settings.webhook_shared_secrets or settings.webhook_header or not settings.authenticated
    keys = [name for name in key_sources(settings) if of_webhook or name != DEFAULT_SOURCE]
    of_files = _sources_of_files(settings, sources)
    return lambda: (*keys, *of_files())


def _sources_of_files(
    settings: Settings, sources: RunningSources | None
) -> Callable[[], Mapping[str, NamedSource | SourceFile]]:
    """Return a function that returns the sources with a file, by name.

    They are the running ones, or those of the settings' folders.
    """
    of_files = cache(partial(_source_files, settings))
    return lambda: sources.sources if sources else of_files()


def _source_files(settings: Settings) -> Mapping[str, SourceFile]:
    """Return the source files of the settings' folders, by name."""
    (texts,) = read_texts(SOURCES_DIR=settings.source_folders) if settings.has_sources else ({},)
    return {spec.name: spec for spec in parse_files(SourceFile, texts, []).values()}


def source_traits(settings: Settings, sources: RunningSources | None) -> Callable[[str], SourceTraits]:
    """Return a function from the name of a source to its traits, such as trust and shop."""
    of_files = _sources_of_files(settings, sources)

    def traits(name: str) -> SourceTraits:
        named = of_files().get(name)
        if named is None:
            return SourceTraits(is_trusted=proves_authors(settings, name))
        return SourceTraits(
            is_trusted=named.is_trusted,
            shop=named.shop,
            has_page_key=named.has_page_key,
            waits_for_page=named.wait_for_page,
        )

    return traits


def _content_ids(settings: Settings, sources: RunningSources | None) -> Callable[[str], str | None]:
    """Return a function from the name of a source to CONTENT_ID in the file of the source; `None` without one."""
    of_files = _sources_of_files(settings, sources)

    def content_id(name: str) -> str | None:
        named = of_files().get(name)
        return None if named is None else named.content_id

    return content_id


@lru_cache(maxsize=2)  # as large as its file: all share it; tests of files have none
def _addresses(path: Path | None) -> StateOf | None:
    """Return the look-up of US states by IP address, with the database of GEOIP_DB.

    Raises SettingsError if it is unreadable.
    """
    if path is None:
        return None
    from app.destination.geoip import AddressDatabase  # noqa: PLC0415 - its library is loaded where it is used only

    return AddressDatabase(path)


def _accounts(found: Sequence[Destination], action_source: str | None) -> list[AdAccount]:
    """Return the ad accounts for the router; those with equal settings share their action."""
    makings: dict[tuple[Any, ...], BuildProfile] = {}
    accounts = []
    for each in found:
        own = each.settings
        key = (own.sandboxed, *(getattr(own, name) for name in AccountEventSettings.model_fields))
        if key not in makings:
            _check_content_id(each)
            makings[key] = BuildProfile(
                action=ReportConversionEvent(own, action_source=action_source, state_of=_addresses(own.geoip_db)),
                rules=own,
                why_filtered=bot_filter(own, is_live=not own.sandboxed),
                action_source_by_context=own.action_source_by_context,
                content_id=own.content_id,
            )
        accounts.append(
            AdAccount(
                ad_account_id=each.ad_account_id,
                name=each.name,
                sources=each.sources,
                presets=each.presets,
                making=makings[key],
                owns_content_id=each.owns_content_id,
            )
        )
    return accounts


def _check_content_id(destination: Destination) -> None:
    try:
        check_content_id(destination.settings.content_id)
    except MappingError as exc:
        place = f"content_id of the destination {destination.name}" if destination.name else "CONTENT_ID"
        raise SettingsError(f"{place}: {exc.faults[0].message}") from exc


def enrichment(
    settings: Settings,
    to: Sequence[Destination],
    traits_of: Callable[[str], SourceTraits],
    sources: Callable[[], Iterable[str]],
) -> Enrichment:
    """Return the completion by identity memory for these ad accounts.

    If there is a trusted source, a `userId` from a public key is not trusted, unless the settings allow it.
    """
    rules: MemorySettings = settings
    if settings.remember_users_from is None and any(traits_of(name).is_trusted for name in sources()):
        rules = settings.model_copy(update={"remember_users_from": "authenticated"})
    live = next((each.settings for each in to if not each.settings.sandboxed), settings)
    filtered = bot_filter(live, is_live=not live.sandboxed)
    return Enrichment(identity_event_reader(settings), rules, filtered)


def forgetting(settings: Settings, outbox: Outbox) -> Forgetting:
    """Return the eraser of people."""
    secrets = [each.get_secret_value() for each in (settings.remember_secret, settings.quarantine_key) if each]
    return Forgetting(outbox, secrets, TypedPerson(settings), new_secret=partial(token_hex, 32))


def forget_acts(
    settings: Settings,
    outbox: Outbox,
    audit: Audit | None = None,
    empty_tails: Callable[[], Awaitable[object]] | None = None,
) -> ForgetActs:
    """Return the erasures for operators and events.

    `empty_tails` empties the live tails of all processes; `None`: the readers of the store do so.
    """
    sealer = _deletion_sealer(settings)
    return ForgetActs(
        forgetting(settings, outbox),
        audit or Audit(outbox, time.time),
        outbox,
        empty_tails=empty_tails or (lambda: ERASED_AT.write(outbox, time.time())),
        new_number=partial(token_hex, 3),
        seal=sealer.seal if sealer else None,
    )


def _deletion_sealer(settings: Settings) -> Sealer | None:
    """Return the encryption of addresses for Pinterest's deletion requests; `None` if no token permits them."""
    if not settings.reads_reports:
        return None
    keys = (settings.quarantine_key, settings.pinterest_reports_key, settings.pinterest_ads_token)
    key = next((each for each in keys if each), None)
    return Sealer(key.get_secret_value(), about="deletion") if key else None


def people_search(settings: Settings, outbox: Outbox) -> PeopleSearch:
    """Return the search for people, which needs a secret."""
    return PeopleSearch(outbox, _id_keys(settings), PersonReader(settings))


def event_finder(
    settings: Settings,
    outbox: Outbox,
    *,
    catalog: Callable[[], Catalog] | None = None,
    sources: Callable[[], Iterable[str]] | None = None,
    clock: Callable[[], float] = time.time,
) -> Finder:
    """Return the finder of events by any text.

    `catalog` and `sources` return the running ones; `None` reads the files if a name must be looked up.
    """

    async def known(part: str) -> Collection[str]:
        if part == "preset":
            return {preset.name for preset in (catalog() if catalog else running_catalog(settings).catalog).presets}
        if part == "ad_account_id":
            return account_names(settings) or {settings.pinterest_ad_account_id or SANDBOX_AD_ACCOUNT_ID}
        if part == "event_name":
            return {*EVENT_NAMES, *settings.custom_event_names}
        if part == "currency":
            return currencies()
        arrived = [one.key for one in await read_figures(outbox.inventory, now=clock(), days=_ARRIVED_DAYS)]
        if part == "name":
            return {key.name for key in arrived}
        named = sources() if sources else (*key_sources(settings), *_source_files(settings))
        return {*named, *(key.source for key in arrived)}

    return Finder(outbox, TypedPerson(settings), known)


def _id_keys(settings: Settings) -> IdKeys:
    secret = settings.id_secret
    return IdKeys(secret.get_secret_value().encode() if secret else b"")


def identity_event_reader(settings: Settings) -> IdentityEventReader:
    """Return the reader of events for identity memory: it finds ids and people according to the settings."""
    return IdentityEventReader(
        _id_keys(settings),
        PersonReader(settings, _addresses(settings.geoip_db)),
        partial(consent_answer, settings=settings),
    )


def name_counts(
    settings: Settings, running: RunningCatalog, sources: RunningSources | None = None
) -> NameCounts | None:
    """Return the counter of events by name; `None` if the inventory is off."""
    if not settings.inventory_names:
        return None
    rng = random.Random()  # noqa: S311 - which events are looked into, no secret
    products = ProductCheck(lambda: running.catalog, content_id_of(settings, sources))
    return NameCounts(Sampler(lambda: running.catalog), rng, max_names=settings.inventory_names, products=products)


def content_id_of(settings: Settings, sources: RunningSources | None = None) -> Callable[[str], str]:
    """Return a function from a source to its product id, for destinations without a setting."""
    of_source = _content_ids(settings, sources)
    return lambda source: of_source(source) or settings.content_id


def feed_keeper(
    settings: Settings, names: NameCounts | None, outbox: Outbox, clock: Callable[[], float]
) -> tuple[FeedKeeper, ...]:
    """Return the background reader of product feeds; none if the inventory is off."""
    if names is None or names.products is None:
        return ()
    addresses = [each.get_secret_value() for each in settings.feed_url]
    return (FeedKeeper(outbox, names.products, addresses, clock=clock, on_error=log_error),)


def live_tail(settings: Settings, running: RunningCatalog, outbox: Outbox, coordination: Coordination) -> Tail:
    """Return the live tail, which stores events while an operator watches."""
    return Tail(
        identity_event_reader(settings),
        lambda: running.catalog,
        outbox if settings.remember_days else None,
        on_erased=lambda now: coordination.empty_tails(now=now),
    )


def quarantine(settings: Settings, outbox: Outbox) -> Quarantine | None:
    """Return the quarantine for events without a delivery; `None` if it is off. Raises SettingsError without a key."""
    if not settings.quarantine_hours:
        return None
    return Quarantine(outbox.sealed_events, sealer(settings), identity_event_reader(settings), settings)


def samples(settings: Settings, outbox: Outbox, catalog: Callable[[], Catalog]) -> Samples | None:
    """Return the store of samples by event name; `None` if it is off. Raises SettingsError without a key."""
    if not settings.samples_per_name:
        return None
    reader = identity_event_reader(settings)
    return Samples(
        outbox.sealed_events,
        sealer(settings),
        reader,
        catalog,
        per_name=settings.samples_per_name,
        cpu_clock=time.process_time,
    )


def shadow_runs(
    settings: Settings,
    running: RunningCatalog,
    outbox: Outbox,
    *,
    clock: Callable[[], float],
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
) -> ShadowRuns | None:
    """Return the runner of drafts on stored events; `None` if no events are stored.

    The arguments are those of `replaying`.

    Raises SettingsError without a key, or if PUBLISH_FAIL_IF is invalid.
    """
    if not (settings.quarantine_hours or settings.samples_per_name):
        return None
    return ShadowRuns(
        outbox.sealed_events,
        sealer(settings),
        event_router(settings, to=to, sources=sources),
        lambda: running.catalog,
        clock=clock,
        has_samples=settings.samples_per_name > 0,
        limits=settings.publish_fail_if,
    )


def replaying(
    settings: Settings,
    running: RunningCatalog,
    outbox: Outbox,
    *,
    why_off: WhyOff,
    clock: Callable[[], float],
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
) -> Replaying:
    """Return the access to the quarantine, with a pipeline that does not quarantine. Raises FeatureOff.

    `to` are the ad accounts and `sources` the named sources, in their current state; `None` reads those of the
    settings, the sources with the first event. Raises SettingsError without a key.
    """
    if not settings.quarantine_hours:
        raise FeatureOff("QUARANTINE_HOURS is not set, so nothing is quarantined: set it, see docs/quarantine.md")
    return Replaying(
        outbox.sealed_events,
        sealer(settings),
        explainer(settings, outbox=outbox, why_off=why_off, to=to, sources=sources),
        pipeline(settings, running.catalog, outbox=outbox, why_off=why_off, to=to, sources=sources),
        catalog=lambda: running.catalog,
        held_back=_held_back_by(settings, sources),
        clock=clock,
    )


def _held_back_by(settings: Settings, sources: RunningSources | None) -> HeldBack:
    of_files = cache(partial(running_sources, settings, on_fault=log_secrets_kept))

    def judged(event: Event, name: str) -> Event | EventRefused:
        known = of_files() if sources is None else sources
        source = known.sources.get(name) if known else None
        return event if source is None else held_back(event, source)

    return judged


def sealer(settings: Settings) -> Sealer:
    """Return the encryption of events. Raises SettingsError without a key."""
    if settings.quarantine_key is None:
        message = "QUARANTINE_KEY: the quarantine needs one, of 32 characters or more: `openssl rand -hex 32` makes it"
        raise SettingsError(message)
    return Sealer(settings.quarantine_key.get_secret_value())


def hourly_reading(
    settings: Settings,
    destinations: Sequence[Destination],
    outbox: Outbox,
    sandbox: ASGIApp | None,
    clock: Callable[[], float],
) -> tuple[HourlyReading, ...]:
    """Return the background reader of Pinterest's reports; none without a token.

    The reader covers the live ad accounts, or without any those of the sandbox. Raises SettingsError if a part of a
    renewable token is missing.
    """
    if not settings.reads_reports:
        return ()
    live = [each for each in destinations if not each.settings.sandboxed]
    client = _ads_client(settings, destinations, sandbox)
    reading = HourlyReading(
        outbox,
        client,
        _token(settings, outbox, client),
        ad_account_ids=[each.ad_account_id for each in live or destinations],
        event_names=settings.custom_event_names,
        clock=clock,
        on_error=log_error,
        on_trouble=log_reports,
    )
    return (reading,)


def deletion_requests(
    settings: Settings,
    destinations: Sequence[Destination],
    outbox: Outbox,
    sandbox: ASGIApp | None,
    clock: Callable[[], float],
) -> tuple[DeletionRequests, ...]:
    """Return the background task for deletion requests to Pinterest; none without a token."""
    sealer = _deletion_sealer(settings)
    if sealer is None:
        return ()
    client = _ads_client(settings, destinations, sandbox)
    token = _token(settings, outbox, client)
    requests = DeletionRequests(
        outbox, client, token, sealer, scrub=outbox.scrub, clock=clock, on_error=log_error, on_trouble=log_reports
    )
    return (requests,)


def _ads_client(settings: Settings, destinations: Sequence[Destination], sandbox: ASGIApp | None) -> AdsClient:
    live = [each for each in destinations if not each.settings.sandboxed]
    here = None if live else sandbox
    return AdsClient(
        api_url=SANDBOX_URL if here else (live or destinations)[0].settings.pinterest_api_url,
        timeout_s=settings.limits.send_timeout_s,
        transport=httpx.ASGITransport(app=here) if here else None,
    )


def checked_settings(environ: Mapping[str, str], **overrides: Any) -> Settings:
    """Return the settings if a server can start with them and with their files; no store or port is opened.

    Raises ConfigurationError with all faults, one per line.
    """
    settings, faults, wrong = read_settings(**overrides)
    for check in _checks(settings, environ):
        try:
            check()
        except ConfigurationError as exc:
            faults += without_follow_ups(str(exc).splitlines(), wrong)
    if faults:
        raise ConfigurationError("\n".join(dict.fromkeys(faults)))
    return settings


def _checks(settings: Settings, environ: Mapping[str, str]) -> Iterator[Callable[[], object]]:
    """Yield the checks of a start; each of them raises ConfigurationError."""
    yield partial(check_outbox_settings, settings.outbox_url, settings)
    yield partial(webhook_source, settings, is_open=not settings.authenticated)
    yield lambda: quotas_of(settings, WriteKeys.of(settings))
    yield partial(Users.of, settings)
    yield partial(UserHeaders.of, settings)
    if settings.quarantine_hours or settings.samples_per_name:
        yield partial(sealer, settings)
    yield partial(broken_limits, settings.publish_fail_if, Shadow())
    if settings.reads_reports:
        yield partial(_token_settings, settings)
    yield from (partial(exports, environ, signal) for signal in SIGNALS)
    yield lambda: _accounts(destinations(settings, environ), None)
    yield partial(running_catalog, settings)
    yield partial(running_sources, settings, on_fault=log_secrets_kept)


def _token_settings(settings: Settings) -> SecretStr | tuple[SecretStr, SecretStr]:
    """Return the token that reads reports, or an app and the key of its renewed token. Raises SettingsError."""
    fixed, app, key = settings.pinterest_ads_token, settings.pinterest_app, settings.pinterest_reports_key
    if fixed and not (app or key):
        return fixed
    if fixed or not (app and key):
        raise SettingsError(
            "PINTEREST_APP and PINTEREST_REPORTS_KEY go together: set both, or PINTEREST_ADS_TOKEN alone"
        )
    return app, key


def _token(settings: Settings, outbox: Outbox, client: AdsClient) -> AdsToken:
    given = _token_settings(settings)
    if isinstance(given, SecretStr):
        return FixedToken(given)
    app, key = given
    client_id, secret, first = app.get_secret_value().split(":")
    sealer = Sealer(key.get_secret_value(), about="reports")
    return RotatingToken(
        outbox, client, sealer, client_id=client_id, client_secret=SecretStr(secret), first=SecretStr(first)
    )
