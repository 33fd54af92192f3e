"""Sums of counts by steps that are over, kept beside the counts: which of them answer a question, and which are due.

A step is summed when it has been over for a while; where something is counted in it later nevertheless, its sums and
all that follow are dropped, and made again. So sums are never more than a copy: nothing is lost with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, TypeAlias

from app.core.values.times import DAY_S, HOUR_S
from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.search import END

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
