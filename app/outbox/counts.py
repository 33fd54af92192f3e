"""What the outbox alone can count of a request: what became of its deliveries, their quality, and what it warns of."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter

from app.types import MAX_LABEL_CHARACTERS, Enqueued, Exit, NewDelivery, Tally

_EXIT, _WARNINGS, _PRESET, _QUALITY = map(attrgetter, ("exit", "warnings", "preset", "quality"))


def enqueue_tallies(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> list[Tally]:
    """Return counts by preset: enqueued and duplicate ones, what the answers warn of, quality of what was enqueued.

    Quality is counted by component. A count may be told in several parts.
    """
    # of a thousand deliveries few differ in all of these
    of_answers = map(_EXIT, answers), map(_WARNINGS, answers)
    alike = Counter(zip(*of_answers, map(_PRESET, deliveries), map(_QUALITY, deliveries), strict=True))
    return [tally for key, count in alike.items() for tally in _tallies(*key, count)]


@lru_cache(4_096)
def _tallies(
    exit_: Exit, warnings: tuple[str, ...], preset: str, quality: tuple[str, ...], count: int
) -> tuple[Tally, ...]:
    shown = quality if exit_ is Exit.ENQUEUED else ()
    return (
        Tally(name=exit_.value, preset=preset, count=count),
        *(Tally(name="quality", preset=preset, label=component, count=count) for component in shown),
        *(Tally(name="warning", preset=preset, label=warning_label(warning), count=count) for warning in warnings),
    )


def warning_label(warning: str) -> str:
    """Return by what a warning is counted: the field, or the kind, that it begins with."""
    return warning.partition(":")[0][:MAX_LABEL_CHARACTERS]
