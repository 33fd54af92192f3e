"""Catalog, pipeline and ad account, joined as the settings say: once, for the server, the commands, benches and tests.

assemble.pipeline(load_settings()).preview(event, now=...)     what would become of an event; nothing is stored
assemble.pipeline(load_settings()).map_event(raw, now)         the same for one raw JSON event
assemble.pipeline(load_settings(), outbox=...).accept(...)     what the server does
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp

from app.catalog import Catalog
from app.catalog.running import RunningCatalog
from app.catalog.running_sources import RunningSources
from app.catalog.source_secrets import SourceSecrets
from app.config import MIN_SECRET_CHARACTERS, Settings
from app.destination import Complete, PersonReader, ReportConversionEvent
from app.destination.client import PinterestClient
from app.errors import SettingsError
from app.identity import IdKeys
from app.policies import consent_rules, conversion_rules, genuine_rules, identity_rules, webhook_limits
from app.receiving.encounters import EncounterReader
from app.receiving.explain import Explainer, Sees
from app.receiving.forgetting import Forgetting
from app.receiving.pipeline import Enqueues, Pipeline
from app.receiving.remembering import Remembering
from app.receiving.walk import Action, Walk, WhyOff
from app.source import consent_answer, not_genuine, withheld
from app.source_settings import SHIPPED_SOURCES
from app.types import Tally

#: Stands for the ad account where there are no credentials.
SANDBOX_AD_ACCOUNT_ID = "1000000000001"
#: Where a client that calls the sandbox in this process believes it to be.
_SANDBOX_URL = "http://sandbox/v5"


def ad_account_id(settings: Settings) -> str:
    """Return the ad account that deliveries are for."""
    return settings.pinterest_ad_account_id or SANDBOX_AD_ACCOUNT_ID


def running_catalog(settings: Settings) -> RunningCatalog:
    """Return the presets and mappings of the settings' folders, ready to be read again. Raises CatalogError."""
    return RunningCatalog(
        settings.presets_dir, settings.mappings_dir, custom_event_names=frozenset(settings.custom_event_names)
    )


def running_sources(settings: Settings, *, on_fault: Callable[[str], None]) -> RunningSources | None:
    """Return the sources of the settings' folders, ready to be read again; None where there are none.

    `on_fault` is told why changed secrets are not taken up. Raises CatalogError.
    """
    if not settings.has_sources:
        return None
    return RunningSources(
        settings.sources_dir or SHIPPED_SOURCES,
        SourceSecrets(min_characters=MIN_SECRET_CHARACTERS if settings.reachable else 1),
        webhook_limits(settings),
        names=settings.sources,
        on_fault=on_fault,
    )


def pipeline(
    settings: Settings,
    catalog: Catalog | None = None,
    *,
    outbox: Enqueues | None = None,
    why_off: WhyOff | None = None,
    on_count: Callable[[Sequence[Tally]], None] | None = None,
    action_source: str | None = None,
) -> Pipeline:
    """Return the pipeline of the settings.

    `catalog` None loads that of the settings, which may raise CatalogError. Without an outbox it only previews.
    `why_off` says why a preset is switched off, None where it is not; asked where the settings refuse such events.
    `on_count` is told what was counted. `action_source` replaces what the presets say; None keeps it.
    """
    return Pipeline(
        catalog or running_catalog(settings).catalog,
        walk(settings, why_off, action_source),
        outbox=outbox,
        on_count=on_count,
    )


def explainer(
    settings: Settings,
    *,
    outbox: Sees | None = None,
    why_off: WhyOff | None = None,
    action_source: str | None = None,
) -> Explainer:
    """Return who tells what would become of events, as the pipeline of the same settings and arguments would do it.

    Without an outbox every event is taken as new.
    """
    return Explainer(
        walk(settings, why_off, action_source),
        conversion_rules(settings),
        outbox=outbox,
        why_kept=why_off if settings.switched_off == "hold" else None,
    )


def pinterest_client(settings: Settings, sandbox: ASGIApp | None = None) -> PinterestClient:
    """Return the client of Pinterest for the ad account; of `sandbox`, which is in this process, where it is given."""
    return PinterestClient(
        api_url=_SANDBOX_URL if sandbox else settings.pinterest_api_url,
        ad_account_id=ad_account_id(settings),
        token=settings.current_token if settings.live else SecretStr("sandbox"),
        timeout_s=settings.send_timeout_s,
        transport=httpx.ASGITransport(app=sandbox) if sandbox else None,
    )


def walk(settings: Settings, why_off: WhyOff | None = None, action_source: str | None = None) -> Walk:
    """Return the way of events by the settings; the arguments are those of `pipeline`."""
    return Walk(
        action=_action(settings, action_source),
        withheld=partial(withheld, rules=consent_rules(settings)),
        why_off=why_off if settings.switched_off == "refuse" else None,
        not_genuine=partial(not_genuine, rules=genuine_rules(settings)),
        action_source_by_context=settings.action_source_by_context,
        ad_account_id=ad_account_id(settings),
        remembering=remembering(settings) if settings.remember_days else None,
    )


def remembering(settings: Settings) -> Remembering:
    """Return what identity memory does by the settings."""
    genuine = partial(not_genuine, rules=genuine_rules(settings))
    return Remembering(encounter_reader(settings), identity_rules(settings), genuine)


def forgetting(settings: Settings, outbox: Enqueues) -> Forgetting:
    """Return who erases people. Raises SettingsError where there is no secret, so that nobody can be found."""
    if settings.remember_secret is None:
        message = "REMEMBER_SECRET: without it nobody can be found by an id. Give the one that memory was made with"
        raise SettingsError(message)
    return Forgetting(outbox, _id_keys(settings))


def _id_keys(settings: Settings) -> IdKeys:
    secret = settings.remember_secret.get_secret_value() if settings.remember_secret else ""
    return IdKeys(secret.encode())


def encounter_reader(settings: Settings) -> EncounterReader:
    """Return who tells memory of events."""
    return EncounterReader(
        _id_keys(settings),
        PersonReader(conversion_rules(settings)),
        partial(consent_answer, rules=consent_rules(settings)),
    )


def _action(settings: Settings, action_source: str | None) -> Action:
    build = ReportConversionEvent(conversion_rules(settings))
    if action_source is None:
        return build

    def from_there(
        fields: dict[str, Any], *, now: float | None, complete: Complete | None = None
    ) -> tuple[dict[str, Any], list[str]]:
        fields["action_source"] = action_source  # in place: a mapping's result knows more than its members
        return build(fields, now=now, complete=complete)

    return from_there
