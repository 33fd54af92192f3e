"""Counts for pages: by step, against an earlier period, summed up."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from app.console.charts import WindowCounts
from app.console.filter import COMPARISONS, Period
from app.console.labels import COMPONENT_OF_GROUP, WARNING_ADVICE, changed
from app.core.events import CounterRow, Outcome
from app.core.pages import Undelivered
from app.core.values.times import HOUR_S, MINUTE_S
from app.outbox import Outbox

#: Names that are counted over time, in the order of the chart.
_IN_ORDER: Final = (
    Outcome.DELIVERED,
    Outcome.ENQUEUED,
    Outcome.MERGED,
    Outcome.DUPLICATE,
    Outcome.WITHHELD,
    Outcome.INVALID,
    Outcome.REJECTED,
    Outcome.REFUSED,
    Outcome.UNMATCHED,
    Outcome.WITHDRAWN,
)
#: Names that are counted over time, with their counters.
SERIES: Mapping[str, frozenset[str]] = {
    "received": frozenset({Outcome.ACCEPTED, Outcome.REFUSED}),
    **{name.value: frozenset({name.value}) for name in _IN_ORDER},
}
#: Counters whose label is a reason for not sending; for sent events, Pinterest's status.
REASONED = frozenset(
    {Outcome.REFUSED, Outcome.WITHHELD, Outcome.INVALID, Outcome.RETRY, Outcome.REJECTED, Outcome.BLOCKED}
)
_Key = TypeVar("_Key")
#: Maximum number of listed reasons and warnings.
TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A reason or a warning and its number of occurrences."""

    #: The counter's name, such as `invalid`.
    name: str
    label: str
    #: Over all presets.
    count: int
    #: The presets with occurrences, the most frequent first; empty without a preset.
    presets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCounts:
    """The outcomes of a preset's events, and the numbers with each quality component."""

    name: str
    #: By counter name; a name that did not occur counts 0.
    counts: Counter[str]
    #: The same by ad account, sorted by id.
    accounts: Mapping[str, Counter[str]]
    #: By component; of `counts["enqueued"]`.
    quality: Counter[str]
    #: The same for components that memory added; an upper bound.
    recalled: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The overview's figures of a period."""

    starts: tuple[int, ...]
    #: By name of `SERIES`, a count for each start.
    series: Mapping[str, tuple[int, ...]]
    #: By counter name.
    totals: Counter[str]
    presets: tuple[PresetCounts, ...]
    #: By ad account, each by counter name.
    accounts: Mapping[str, Counter[str]]
    #: The same by source, for received events; sent events have no source.
    sources: Mapping[str, Counter[str]]
    reasons: tuple[Counted, ...]
    warnings: tuple[Counted, ...]
    #: The number of warnings, by label.
    warned: Counter[str]

    def total(self, series: str) -> int:
        return sum(self.series[series])


def narrowed(counters: Iterable[tuple[int, CounterRow]], *, account: str, source: str) -> list[tuple[int, CounterRow]]:
    """Return the counters of an ad account, by its id, and of a source; "" is any."""
    return [
        (at, counter)
        for at, counter in counters
        if account in ("", counter.ad_account_id) and source in ("", counter.source)
    ]


def summarise(
    counters: Iterable[tuple[int, CounterRow]], period: Period, presets: Sequence[str], *, now: float, account: str = ""
) -> Summary:
    """Sum the counters of the period; `presets` come first in this order, followed by other counted ones.

    With an `account`, to which the counters belong, matched events count as received.
    """
    starts = period.starts(now)
    counted = [(at, counter) for at, counter in counters if starts[0] <= at < starts[0] + period.length_s]
    shown = {**SERIES, "received": frozenset({Outcome.MATCHED})} if account else SERIES
    return Summary(
        starts=starts,
        series={name: over_time(counted, names, starts) for name, names in shown.items()},
        totals=_count((counter.name, counter.count) for _, counter in counted),
        presets=_presets(counted, presets),
        accounts=_by((counter.ad_account_id, counter) for _, counter in counted),
        sources=_largest(_by((counter.source, counter) for _, counter in counted)),
        reasons=_top(counter for _, counter in counted if counter.name in REASONED and counter.label),
        warnings=_top(counter for _, counter in counted if counter.name == "warning"),
        warned=_count((counter.label, counter.count) for _, counter in counted if counter.name == "warning"),
    )


def over_time(
    counted: Iterable[tuple[int, CounterRow]], names: Collection[str], starts: Sequence[int]
) -> tuple[int, ...]:
    """Return the counts of these names in each step, by its start."""
    step_s = starts[1] - starts[0]
    sums = _count((at // step_s * step_s, counter.count) for at, counter in counted if counter.name in names)
    return tuple(sums[start] for start in starts)


def _presets(counted: Iterable[tuple[int, CounterRow]], known: Sequence[str]) -> tuple[PresetCounts, ...]:
    counters: defaultdict[str, list[CounterRow]] = defaultdict(list)
    for _, counter in counted:
        counters[counter.preset].append(counter)
    names = dict.fromkeys([*known, *sorted(filter(None, counters))])
    return tuple(_of_preset(name, counters[name]) for name in names)


def _of_preset(name: str, counters: Sequence[CounterRow]) -> PresetCounts:
    recalled = (
        (COMPONENT_OF_GROUP[counter.label], counter.count)
        for counter in counters
        if counter.name == "memory" and counter.label in COMPONENT_OF_GROUP
    )
    return PresetCounts(
        name=name,
        counts=_count((counter.name, counter.count) for counter in counters),
        accounts=_by((counter.ad_account_id, counter) for counter in counters),
        quality=_count((counter.label, counter.count) for counter in counters if counter.name == "quality"),
        recalled=_count(recalled),
    )


def _top(counters: Iterable[CounterRow]) -> tuple[Counted, ...]:
    by_preset: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for counter in counters:
        by_preset[counter.name, counter.label][counter.preset] += counter.count
    found = (
        Counted(
            name=name,
            label=label,
            count=presets.total(),
            presets=tuple(preset for preset, _ in presets.most_common() if preset),
        )
        for (name, label), presets in by_preset.items()
    )
    return tuple(sorted(found, key=lambda counted: (counted.label not in WARNING_ADVICE, -counted.count))[:TOP])


def _by(pairs: Iterable[tuple[str, CounterRow]]) -> dict[str, Counter[str]]:
    """Return the counts of each non-empty key, sorted by key."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, counter in pairs:
        found[key][counter.name] += counter.count
    return {key: found[key] for key in sorted(found) if key}


def _largest(found: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Return the same counts, those with most received events first."""
    return dict(sorted(found.items(), key=lambda each: -each[1][Outcome.ACCEPTED]))


def _count(pairs: Iterable[tuple[_Key, int]]) -> Counter[_Key]:
    sums: Counter[_Key] = Counter()
    for key, count in pairs:
        sums[key] += count
    return sums


#: The states of deliveries, in the order of the stacked chart.
STANDS: Final = ("delivered", "waiting", "dead", "dismissed", "withdrawn")


def followed(summary: Summary, undelivered: Iterable[Undelivered]) -> dict[str, tuple[int, ...]]:
    """Return the current states of the deliveries that were created in each step of a period.

    The store counts the undelivered ones; the rest is delivered. A delivery counts in the step in which its delay
    ended, a withdrawn one in the step of its withdrawal, so no step has more undelivered deliveries than created ones.
    """
    left: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for each in undelivered:
        left[each.state][each.at] += each.count
    rest = {name: tuple(left[name][start] for start in summary.starts) for name in STANDS[1:-1]}
    rest["withdrawn"] = summary.series["withdrawn"]
    made = zip(summary.series["enqueued"], *rest.values(), strict=True)
    return {"delivered": tuple(max(0, all_ - sum(others)) for all_, *others in made)} | rest


#: Counters with their times, whole Unix seconds.
TimedCounters = Sequence[tuple[int, CounterRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The counts of a period next to those of the compared period."""

    #: A text such as `yesterday` or `the week before`.
    words: str
    #: The complete steps of the period, and the same steps of the compared period.
    now: WindowCounts
    before: WindowCounts
    #: The sums of the chart in the compared period, one for each step.
    line: tuple[int, ...]

    @property
    def changes(self) -> dict[str, str]:
        """Return the changes of received, created and delivered events as texts.

        Counts that cannot be compared are omitted.
        """
        names = {"received": ("accepted", "refused"), "to be sent": ("enqueued",), "delivered": ("delivered",)}
        found = {
            said: changed(*(sum(each.totals.get(name, 0) for name in of) for each in (self.now, self.before)))
            for said, of in names.items()
        }
        return {said: change for said, change in found.items() if change}


def comparison_shifts(period: Period, *, now: float, kept_s: float) -> dict[str, int]:
    """Return the time shift in seconds of each member of COMPARISONS that is possible for the period.

    Counts are stored for `kept_s`: earlier periods cannot be compared.
    """
    shifts = {name: period.shift_s(name) for name in COMPARISONS}
    first = period.starts(now)[0]
    return {name: shift for name, shift in shifts.items() if shift is not None and first - shift >= now - kept_s}


def comparisons(
    counted: TimedCounters, period: Period, shifts: Iterable[int], *, now: float, drawn: Collection[str]
) -> dict[int, Comparison]:
    """Compare a period with an earlier one, for each shift; `drawn` are the outcomes in the chart."""
    starts, until = period.starts(now), period.complete_until(now)
    over = counts_between(counted, starts[0], until)
    return {
        shift: Comparison(
            words=period.named_before(shift),
            now=over,
            before=counts_between(counted, starts[0] - shift, until - shift),
            line=over_time(counted, drawn, [start - shift for start in starts]),
        )
        for shift in dict.fromkeys(shifts)  # a period of a day has the same shift twice
    }


def counts_between(counted: TimedCounters, since: int, until: int) -> WindowCounts:
    """Return the counts from `since` to before `until`."""
    totals: Counter[str] = Counter()
    of_presets = 0
    for at, counter in counted:
        if since <= at < until:
            totals[counter.name] += counter.count
            of_presets += counter.count if counter.preset and counter.name == Outcome.WITHHELD else 0
    return WindowCounts(totals=totals, withheld_of_presets=of_presets)


#: The time after which a step is final: clocks of several machines differ, and writes take time.
SETTLED_S: Final = 120
#: The number of cached steps: more than the longest period and its comparison have.
_KEPT: Final = 400


@dataclass(slots=True)
class _Steps:
    """Consecutive complete steps of the same length."""

    since: int
    until: int
    counts: dict[int, list[CounterRow]] = field(default_factory=dict)


class StepCounts:
    """Reads counts by steps, of some names or of all (`None`), and each complete step once."""

    def __init__(self, store: Outbox, names: Collection[str] | None = None) -> None:
        self._store = store
        self._names = names
        self._kept: dict[int, _Steps] = {}

    async def read(
        self, *, since: int, step_s: int, now: float, until: int | None = None
    ) -> list[tuple[int, CounterRow]]:
        """Return the counts since the start of a step: (start of the step, counter), possibly in parts.

        `until` is the end of a step. May raise OutboxUnavailable.
        """
        kept = self._kept.get(step_s)
        if kept is None or since < kept.since or now < kept.until:
            kept = _Steps(since, since)
        # For an incomplete long step, hours are cached; for an hour, minutes.
        if until is None and step_s > MINUTE_S and kept.until > kept.since:
            finer_s = HOUR_S if step_s > HOUR_S else MINUTE_S
            finer = await self.read(since=kept.until, step_s=finer_s, now=now)
            found = [(at // step_s * step_s, counter) for at, counter in finer]
        else:
            new = await self._store.counters(since=kept.until, step_s=step_s, until=until, names=self._names)
            found = [(int(at), counter) for at, counter in new]
        end = math.inf if until is None else until  # another request may have read further
        whole = [(at, counter) for at, counters in kept.counts.items() if since <= at < end for counter in counters]
        settled = now - SETTLED_S if until is None else min(now - SETTLED_S, until)
        over = max(kept.until, int(settled) // step_s * step_s)
        first = max(kept.since, int(now) // step_s * step_s - _KEPT * step_s)
        counts = {at: counters for at, counters in kept.counts.items() if at >= first}
        for at, counter in found:
            if at < over:
                counts.setdefault(at, []).append(counter)
        self._kept[step_s] = _Steps(first, over, counts)
        return [*whole, *found]


class PeriodCounts:
    """Reads the counts of a period, of compared periods, and of Pinterest's responses."""

    def __init__(self, store: Outbox) -> None:
        self._counts = StepCounts(store)
        self._calls = StepCounts(store, names=("calls",))
        #: By shift in seconds: of compared periods, only outcomes.
        self._earlier: defaultdict[int, StepCounts] = defaultdict(lambda: StepCounts(store, names=tuple(Outcome)))

    async def read(self, period: Period, shifts: Iterable[int], *, now: float) -> list[tuple[int, CounterRow]]:
        """Return the counts of a period, and the outcomes of the periods with these shifts in seconds.

        May raise OutboxUnavailable.
        """
        since = period.starts(now)[0]
        counts = await self._counts.read(since=since, step_s=period.step_s, now=now)
        for shift in set(shifts):
            until = since + period.length_s - shift
            earlier = self._earlier[shift]
            counts += await earlier.read(since=since - shift, step_s=period.step_s, now=now, until=until)
        return counts

    async def calls(self, *, since: int, now: float) -> list[tuple[int, CounterRow]]:
        """Return the calls to Pinterest by minute since the start of a minute. May raise OutboxUnavailable."""
        return await self._calls.read(since=since, step_s=MINUTE_S, now=now)
