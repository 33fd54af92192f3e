"""Makes what stands before the pipeline: what counts events by name, and what shows operators those that arrive."""

import random

from app.assemble.joining import encounter_reader
from app.catalog.catalog import RunningCatalog
from app.config import Settings
from app.core.coordination import Coordination
from app.insights.inventory.counting import Arrivals, NamesMet
from app.insights.inventory.sampling import Sampler
from app.outbox import Outbox
from app.pipeline.tail import Tail, Tailed
from app.source import AcceptsWhole


def names_met(settings: Settings, running: RunningCatalog) -> NamesMet | None:
    """Return what counts by name what arrives; None where there is no inventory."""
    if not settings.inventory_names:
        return None
    rng = random.Random()  # noqa: S311 - which events are looked into, no secret
    return NamesMet(Sampler(lambda: running.catalog), rng, max_names=settings.inventory_names)


def live_tail(settings: Settings, running: RunningCatalog, outbox: Outbox, coordination: Coordination) -> Tail:
    """Return what holds events that arrive while an operator wants to see them."""
    return Tail(
        encounter_reader(settings),
        lambda: running.catalog,
        outbox if settings.remember_days else None,
        on_erased=lambda now: coordination.empty_tails(now=now),
    )


def watched(accepts: AcceptsWhole, names: NamesMet | None, tail: Tail) -> AcceptsWhole:
    """Return what accepts the same, counts it by name where there are names, and shows it while the tail is on."""
    return Tailed(Arrivals(accepts, names) if names else accepts, tail)
