"""What the outbox counts of a request: what became of its deliveries, their quality, warnings; and sums of counts."""

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

#: Counts are kept by the minute for so long, then by the hour.
MINUTES_KEPT_S: Final = 26 * HOUR_S
#: In the warning of a phone number that is sent as it stands, and by what such warnings are counted.
NO_COUNTRY: Final = "sent without a country code"
#: The same for an amount of a tag that adds tax and shipping to it.
WITH_TAX: Final = "includes tax or shipping"
#: Of a count; the start of its minute or hour comes before, how often it happened behind.
_COUNTER_COLUMNS = attrgetter("name", "preset", "label", "ad_account_id", "source")
_OF_ANSWER = attrgetter("outcome", "warnings")
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
    """Sum counts by the minute or hour in which they happened.

    Returns rows of: its start, name, preset, label, ad account, source, count; of the earliest first.
    """
    counts: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for at, counter in counters:
        counts[int(at // span_s) * span_s, *_COUNTER_COLUMNS(counter)] += counter.count
    return sorted(((*key, count) for key, count in counts.items()), key=itemgetter(0))


def warning_label(warning: str) -> str:
    """Return by what a warning is counted: its first words, a field or a kind; of phones and amounts what is usual.

    A warning holds its label, so that a search for the one finds the other, and no label of another kind: `user_data:`
    is no part of what is told of its members.
    """
    if NO_COUNTRY in warning:
        return NO_COUNTRY
    if WITH_TAX in warning:
        return WITH_TAX
    head, colon, _ = warning.partition(":")
    return (head if " " in head else head + colon)[:MAX_LABEL_CHARACTERS]


# Sums of counts by steps that are over are kept beside the counts. A step is summed when it has been over for a while;
# where something is counted in it later nevertheless, its sums and all that follow are dropped, and made again. So sums
# are never more than a copy: nothing is lost with them.

#: The lengths of steps that are summed. Of hours while minutes are kept: what is older is counted by the hour anyhow.
SUMMED_S: Final = (HOUR_S, 6 * HOUR_S, DAY_S)
#: So long after its end a step is summed: what was counted in it is committed by then.
STEP_SETTLED_S: Final = 300

#: By length of step: when the first summed one begins, and when the last one ends. Unix seconds.
SummedSpans: TypeAlias = Mapping[int, tuple[int, int]]


def summed_spans(rows: Any) -> SummedSpans:
    """Read the rows of an engine's query `summed_spans`; what is not summed has none."""
    return {span_s: (first, last + span_s) for span_s, first, last in rows if first is not None}


def sum_parameters(since: float, step_s: int, spans: SummedSpans, until: float | None = None) -> dict[str, int]:
    """Return the parameters of an engine's query `counters`: which stretches of time are read from which sums.

    From `sums_from` to below `sums_until` the sums of `span_s` answer, from there to below `later_from` those of hours.
    Before and behind it, until below `end`, counts are added up as they are.
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
    """Return the parameters of an engine's statement `sum_step`, which sums all that was counted in one step."""
    return {"length_s": end - start, "since": start, **sum_parameters(start, 0, spans, until=end)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueStep:
    """A step that may be summed, if anything was counted in it."""

    span_s: int
    #: The first moment from which on one may begin.
    since: int
    #: The last one has to be over by then.
    until: float

    def step_of(self, first_at: int | None) -> tuple[int, int] | None:
        """Return begin and end of the step of the first count since then; None where there is none, or it goes on."""
        if first_at is None:
            return None
        start = first_at // self.span_s * self.span_s
        return (start, start + self.span_s) if start + self.span_s <= self.until else None


def due_steps(spans: SummedSpans, *, now: float, ledger_start: float) -> list[DueStep]:
    """Return which steps come next, hours first: those that are longer are made of them."""
    found = []
    for span_s in SUMMED_S:
        kept_from = now - MINUTES_KEPT_S if span_s == HOUR_S else ledger_start
        since = max(spans.get(span_s, (0, 0))[1], ceil(kept_from / span_s) * span_s)
        found.append(DueStep(span_s=span_s, since=since, until=now - STEP_SETTLED_S))
    return found
