"""How the quarantine is joined: what keeps events that made no delivery, and what brings them back."""

from collections.abc import Callable, Sequence

from app.assemble.ad_accounts import Destination
from app.assemble.joining import encounter_reader, explainer, pipeline
from app.catalog.running import RunningCatalog
from app.config import Settings
from app.errors import SettingsError
from app.outbox import Outbox
from app.policies import quarantine_rules
from app.receiving.quarantining import Quarantine, Seals
from app.receiving.replaying import Replaying
from app.receiving.walk import WhyOff


def quarantine(settings: Settings, outbox: Outbox) -> Quarantine | None:
    """Return what keeps events that made no delivery; None where it is off. Raises SettingsError without a key."""
    if not settings.quarantine_hours:
        return None
    return Quarantine(outbox.shelf, _sealer(settings), encounter_reader(settings), quarantine_rules(settings))


def replaying(
    settings: Settings,
    running: RunningCatalog,
    outbox: Outbox,
    *,
    why_off: WhyOff,
    clock: Callable[[], float],
    to: Sequence[Destination] | None = None,
) -> Replaying | None:
    """Return who brings events back from the quarantine, by a pipeline that keeps none; None where it is off.

    `to` are the ad accounts, None reads those of the settings. Raises SettingsError without a key.
    """
    if not settings.quarantine_hours:
        return None
    return Replaying(
        outbox.shelf,
        _sealer(settings),
        explainer(settings, outbox=outbox, why_off=why_off, to=to),
        pipeline(settings, running.catalog, outbox=outbox, why_off=why_off, to=to),
        catalog=lambda: running.catalog,
        clock=clock,
    )


def _sealer(settings: Settings) -> Seals:
    from app.outbox.sealing import Sealer  # noqa: PLC0415 - its library is loaded where a quarantine is kept only

    if settings.quarantine_key is None:
        message = "QUARANTINE_KEY: the quarantine needs one, of 32 characters or more: `openssl rand -hex 32` makes it"
        raise SettingsError(message)
    return Sealer(settings.quarantine_key.get_secret_value())
