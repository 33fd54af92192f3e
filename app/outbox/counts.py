"""What the outbox alone can count of a request: what became of its deliveries, and their quality."""

from collections import Counter
from collections.abc import Sequence

from app.types import Enqueued, Exit, NewDelivery, Tally


def enqueue_tallies(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> list[Tally]:
    """Count by preset: enqueued and duplicate ones, and each quality component of those that were enqueued."""
    alike = Counter(
        (answer.exit, delivery.preset, delivery.quality) for delivery, answer in zip(deliveries, answers, strict=True)
    )  # of a thousand deliveries few differ in all three
    counts: Counter[tuple[str, str, str]] = Counter()
    for (exit_, preset, quality), count in alike.items():
        counts[exit_.value, preset, ""] += count
        for component in quality if exit_ is Exit.ENQUEUED else ():
            counts["quality", preset, component] += count
    return [
        Tally(name=name, preset=preset, label=label, count=count) for (name, preset, label), count in counts.items()
    ]
