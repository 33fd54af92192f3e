"""Counts of the outbox for a request: results of its deliveries, their quality, warnings; and sums of counts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from math import ceil
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeAlias

from app.core.deliveries import Enqueued, NewDelivery
from app.core.events import MAX_LABEL_CHARACTERS, CounterRow, Outcome
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.search import END

#: The time after which counts by minute become counts by hour.
MINUTES_KEPT_S: Final = 26 * HOUR_S
#: Part of the warning about a phone number without a country code, and the label of such warnings in counts.
NO_COUNTRY: Final = "sent without a country code"
#: The same for an amount of a tag that includes tax or shipping.
WITH_TAX: Final = "includes tax or shipping"
#: The columns of a count; the start of its minute or hour precedes them, the number follows.
_COUNTER_COLUMNS = attrgetter("name", "preset", "label", "ad_account_id", "source")
_OF_ANSWER = attrgetter("outcome", "warnings")
_OF_DELIVERY = attrgetter("preset", "ad_account_id", "source", "quality")


def enqueue_counters(deliveries: Sequence[NewDelivery], answers: Sequence[Enqueued]) -> list[CounterRow]:
    """Return counts by preset, ad account and source.

    These are enqueued and duplicate deliveries, warnings, and the quality of enqueued deliveries by component. A count
    may be split into several rows.
    """
    # a thousand deliveries have few different combinations
    alike = Counter(zip(map(_OF_ANSWER, answers), map(_OF_DELIVERY, deliveries), strict=True))
    return [counter for (answer, delivery), count in alike.items() for counter in _counters(*answer, *delivery, count)]


@lru_cache(4_096)
def _counters(
    outcome: Outcome,
    warnings: tuple[str, ...],
    preset: str,
    ad_account_id: str,
    source: str,
    quality: tuple[str, ...],
    count: int,
) -> tuple[CounterRow, ...]:
    counter = partial(CounterRow, preset=preset, ad_account_id=ad_account_id, source=source, count=count)
    shown = quality if outcome is Outcome.ENQUEUED else ()
    return (
        counter(name=outcome.value),
        *(counter(name="quality", label=component) for component in shown),
        *(counter(name="warning", label=warning_label(warning)) for warning in warnings),
    )


def summed(counters: Iterable[tuple[float, CounterRow]], *, span_s: int) -> list[tuple[Any, ...]]:
    """Sum counts by minute or hour.

    Returns rows of: its start, name, preset, label, ad account, source, count; the earliest first.
    """
    counts: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for at, counter in counters:
        counts[int(at // span_s) * span_s, *_COUNTER_COLUMNS(counter)] += counter.count
    return sorted(((*key, count) for key, count in counts.items()), key=itemgetter(0))


def warning_label(warning: str) -> str:
    """Return the label of a warning in counts: its first words, a field or a kind; a fixed text for phones and amounts.

    A warning contains its label, so that a search for the label finds the warning, and no label of another kind:
    warnings about members of `user_data` do not contain `user_data:`.
    """
    if NO_COUNTRY in warning:
        return NO_COUNTRY
    if WITH_TAX in warning:
        return WITH_TAX
    head, colon, _ = warning.partition(":")
    return (head if " " in head else head + colon)[:MAX_LABEL_CHARACTERS]


# Sums of counts by finished steps are stored with the counts. A step is summed some time after its end. If a later
# count belongs to a summed step, the sums from this step on are dropped and computed again. So sums are only copies,
# and can be dropped without loss.

#: The lengths of summed steps. Sums of hours cover only the time of counts by minute: older counts are by hour.
SUMMED_S: Final = (HOUR_S, 6 * HOUR_S, DAY_S)
#: The delay after the end of a step before its sum: its counts are committed by then.
STEP_SETTLED_S: Final = 300

#: By length of step: the start of the first summed step and the end of the last. Unix seconds.
SummedSpans: TypeAlias = Mapping[int, tuple[int, int]]


def summed_spans(rows: Any) -> SummedSpans:
    """Read the rows of an engine's query `summed_spans`; lengths without sums are omitted."""
    return {span_s: (first, last + span_s) for span_s, first, last in rows if first is not None}


def sum_parameters(since: float, step_s: int, spans: SummedSpans, until: float | None = None) -> dict[str, int]:
    """Return the parameters of an engine's query `counters`: the periods and the sums to read for them.

    From `sums_from` to below `sums_until` the sums of `span_s` are used, then to below `later_from` those of hours.
    Before and after, until below `end`, single counts are added.
    """
    span_s = step_s or HOUR_S
    if span_s not in SUMMED_S:
        span_s, begin, spans = HOUR_S, ceil(since), {}
    else:
        begin = ceil(since / span_s) * span_s
    first, last = spans.get(span_s, (begin, begin))
    hours_from, hours_until = spans.get(HOUR_S, (begin, begin))
    sums_from, sums_until = max(first, begin), last
    if sums_from >= sums_until:
        sums_from = sums_until = max(begin, hours_from) if hours_until > begin else begin
    later_from = hours_until if hours_from <= sums_until < hours_until else sums_until
    end = END if until is None else ceil(until)
    bounds = {"sums_from": sums_from, "sums_until": sums_until, "later_from": later_from, "end": end}
    return {"span_s": span_s, **{name: min(at, end) for name, at in bounds.items()}}


def sum_step_parameters(start: int, end: int, spans: SummedSpans) -> dict[str, int]:
    """Return the parameters of an engine's statement `sum_step`, which sums the counts of one step."""
    return {"length_s": end - start, "since": start, **sum_parameters(start, 0, spans, until=end)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """A step to sum if it has counts."""

    span_s: int
    #: The minimum start of the step.
    since: int
    #: The maximum end of the step.
    until: float

    def step_of(self, first_at: int | None) -> tuple[int, int] | None:
        """Return start and end of the step with the first count; `None` without a count, or for an unfinished step."""
        if first_at is None:
            return None
        start = first_at // self.span_s * self.span_s
        return (start, start + self.span_s) if start + self.span_s <= self.until else None


def due_steps(spans: SummedSpans, *, now: float, ledger_start: float) -> list[DueStep]:
    """Return the next steps, hours first: longer steps are sums of hours."""
    found = []
    for span_s in SUMMED_S:
        kept_from = now - MINUTES_KEPT_S if span_s == HOUR_S else ledger_start
        since = max(spans.get(span_s, (0, 0))[1], ceil(kept_from / span_s) * span_s)
        found.append(DueStep(span_s=span_s, since=since, until=now - STEP_SETTLED_S))
    return found
