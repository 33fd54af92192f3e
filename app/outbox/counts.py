"""What the outbox alone can count of a request: what became of its deliveries, and their quality."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

from app.types import Enqueued, Exit, NewDelivery, Tally

_EXIT, _PRESET, _QUALITY = map(attrgetter, ("exit", "preset", "quality"))


def enqueue_tallies(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> list[Tally]:
    """Return counts by preset: enqueued and duplicate ones, and each quality component of those that were enqueued.

    A count may be told in several parts.
    """
    # of a thousand deliveries few differ in all three
    alike = Counter(zip(map(_EXIT, answers), map(_PRESET, deliveries), map(_QUALITY, deliveries), strict=True))
    return [tally for key, count in alike.items() for tally in _tallies(*key, count)]


@lru_cache(4_096)
def _tallies(exit_: Exit, preset: str, quality: tuple[str, ...], count: int) -> tuple[Tally, ...]:
    shown = quality if exit_ is Exit.ENQUEUED else ()
    return (
        Tally(name=exit_.value, preset=preset, count=count),
        *(Tally(name="quality", preset=preset, label=component, count=count) for component in shown),
    )
