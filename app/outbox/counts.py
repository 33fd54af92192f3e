"""What the outbox alone can count of a request: what became of its deliveries, their quality, and what it warns of."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from operator import attrgetter, itemgetter
from typing import Any, Final

from app.core.deliveries import Enqueued, NewDelivery
from app.core.events import MAX_LABEL_CHARACTERS, CounterRow, Exit
from app.core.values.times import HOUR_S

#: Counts are kept by the minute for so long, then by the hour.
MINUTES_KEPT_S: Final = 26 * HOUR_S
#: In the warning of a phone number that is sent as it stands, and by what such warnings are counted.
NO_COUNTRY: Final = "sent without a country code"
#: Of a count; the start of its minute or hour comes before, how often it happened behind.
_COUNTER_COLUMNS = attrgetter("name", "preset", "label", "ad_account_id", "source")
_OF_ANSWER = attrgetter("exit", "warnings")
_OF_DELIVERY = attrgetter("preset", "ad_account_id", "source", "quality")


def enqueue_counters(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> list[CounterRow]:
    """Return counts by preset, ad account and source.

    Counted are enqueued and duplicate ones, what the answers warn of, and the quality of what was enqueued, by
    component. A count may be told in several parts.
    """
    # of a thousand deliveries few differ in all of these
    alike = Counter(zip(map(_OF_ANSWER, answers), map(_OF_DELIVERY, deliveries), strict=True))
    return [counter for (answer, delivery), count in alike.items() for counter in _counters(*answer, *delivery, count)]


@lru_cache(4_096)
def _counters(
    exit_: Exit,
    warnings: tuple[str, ...],
    preset: str,
    ad_account_id: str,
    source: str,
    quality: tuple[str, ...],
    count: int,
) -> tuple[CounterRow, ...]:
    counter = partial(CounterRow, preset=preset, ad_account_id=ad_account_id, source=source, count=count)
    shown = quality if exit_ is Exit.ENQUEUED else ()
    return (
        counter(name=exit_.value),
        *(counter(name="quality", label=component) for component in shown),
        *(counter(name="warning", label=warning_label(warning)) for warning in warnings),
    )


def summed(counters: Iterable[tuple[float, CounterRow]], *, span_s: int) -> list[tuple[Any, ...]]:
    """Sum counts by the minute or hour in which they happened.

    Returns rows of: its start, name, preset, label, ad account, source, count; of the earliest first.
    """
    counts: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for at, counter in counters:
        counts[int(at // span_s) * span_s, *_COUNTER_COLUMNS(counter)] += counter.count
    return sorted(((*key, count) for key, count in counts.items()), key=itemgetter(0))


def warning_label(warning: str) -> str:
    """Return by what a warning is counted: the field, or the kind, that it begins with; of phones what is usual.

    A warning holds its label, so that a search for the one finds the other, and no label of another kind: `user_data:`
    is no part of what is told of its members.
    """
    if NO_COUNTRY in warning:
        return NO_COUNTRY
    head, colon, _ = warning.partition(":")
    return (head if " " in head else head + colon)[:MAX_LABEL_CHARACTERS]
