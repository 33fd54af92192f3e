"""Makes what keeps events that made no delivery in the quarantine, and what brings them back, of the settings."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from app.assemble.ad_accounts import Destination
from app.assemble.joining import encounter_reader, explainer, pipeline, running_sources
from app.catalog.catalog import RunningCatalog
from app.catalog.sources import RunningSources
from app.config import Settings
from app.core.events import Event
from app.core.log import log_secrets_kept
from app.errors import EventRefused, SettingsError
from app.outbox import Outbox
from app.pipeline.quarantine import Quarantine, Seals
from app.pipeline.replay import HeldBack, Replaying
from app.pipeline.router import WhyOff
from app.policies import quarantine_rules
from app.source import NamedSource, held_back


def quarantine(settings: Settings, outbox: Outbox) -> Quarantine | None:
    """Return what keeps events that made no delivery; None where it is off. Raises SettingsError without a key."""
    if not settings.quarantine_hours:
        return None
    return Quarantine(outbox.sealed_events, _sealer(settings), encounter_reader(settings), quarantine_rules(settings))


def replaying(
    settings: Settings,
    running: RunningCatalog,
    outbox: Outbox,
    *,
    why_off: WhyOff,
    clock: Callable[[], float],
    to: Sequence[Destination] | None = None,
    sources: RunningSources | None = None,
) -> Replaying | None:
    """Return who brings events back from the quarantine, by a pipeline that keeps none; None where it is off.

    `to` are the ad accounts, `sources` those with a name, as they are when it is asked; None reads those of the
    settings, the sources when the first event is judged. Raises SettingsError without a key.
    """
    if not settings.quarantine_hours:
        return None
    return Replaying(
        outbox.sealed_events,
        _sealer(settings),
        explainer(settings, outbox=outbox, why_off=why_off, to=to),
        pipeline(settings, running.catalog, outbox=outbox, why_off=why_off, to=to),
        catalog=lambda: running.catalog,
        held_back=_held_back_by(_sources_of(settings) if sources is None else lambda: sources.sources),
        clock=clock,
    )


def _sources_of(settings: Settings) -> Callable[[], Mapping[str, NamedSource]]:
    @cache
    def read() -> Mapping[str, NamedSource]:
        found = running_sources(settings, on_fault=log_secrets_kept)
        return found.sources if found else {}

    return read


def _held_back_by(sources: Callable[[], Mapping[str, NamedSource]]) -> HeldBack:
    def judged(event: Event, name: str) -> Event | EventRefused:
        source = sources().get(name)
        return event if source is None else held_back(event, source)

    return judged


def _sealer(settings: Settings) -> Seals:
    from app.outbox.sealed_events import Sealer  # noqa: PLC0415 - its library is loaded where a quarantine is kept only

    if settings.quarantine_key is None:
        message = "QUARANTINE_KEY: the quarantine needs one, of 32 characters or more: `openssl rand -hex 32` makes it"
        raise SettingsError(message)
    return Sealer(settings.quarantine_key.get_secret_value())
