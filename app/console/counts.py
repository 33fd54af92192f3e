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

#: What is counted over time by its own name, in the order of the chart.
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
#: What is counted over time, and the counters that it counts.
SERIES: Mapping[str, frozenset[str]] = {
    "received": frozenset({Outcome.ACCEPTED, Outcome.REFUSED}),
    **{name.value: frozenset({name.value}) for name in _IN_ORDER},
}
#: Counters whose label is the reason why something was not sent, or not yet; of what was sent, Pinterest's status.
REASONED = frozenset(
    {Outcome.REFUSED, Outcome.WITHHELD, Outcome.INVALID, Outcome.RETRY, Outcome.REJECTED, Outcome.BLOCKED}
)
_Key = TypeVar("_Key")
#: So many reasons and warnings are listed.
TOP = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A reason or a warning and how often it occurred."""

    #: The counter's name, e.g. `invalid`.
    name: str
    label: str
    #: Over all presets.
    count: int
    #: Where it occurred, the most frequent first; empty where no preset was involved.
    presets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetCounts:
    """What became of one preset's events, and how many carried each quality component."""

    name: str
    #: By counter name; a name that did not occur counts 0.
    counts: Counter[str]
    #: The same by ad account, the ids in their order.
    accounts: Mapping[str, Counter[str]]
    #: By component; of `counts["enqueued"]`.
    quality: Counter[str]
    #: The same of those that carry it because memory had it; at most so many.
    recalled: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the overview shows of one period."""

    starts: tuple[int, ...]
    #: By name of `SERIES`, one count a start.
    series: Mapping[str, tuple[int, ...]]
    #: By counter name.
    totals: Counter[str]
    presets: tuple[PresetCounts, ...]
    #: By ad account, each by counter name.
    accounts: Mapping[str, Counter[str]]
    #: The same by source, of what is received; what is sent belongs to none.
    sources: Mapping[str, Counter[str]]
    reasons: tuple[Counted, ...]
    warnings: tuple[Counted, ...]
    #: How often each warning came, by label.
    warned: Counter[str]

    def total(self, series: str) -> int:
        return sum(self.series[series])


def narrowed(counters: Iterable[tuple[int, CounterRow]], *, account: str, source: str) -> list[tuple[int, CounterRow]]:
    """Return the counters of one ad account, by its id, and of one source; "" is any."""
    return [
        (at, counter)
        for at, counter in counters
        if account in ("", counter.ad_account_id) and source in ("", counter.source)
    ]


def summarise(
    counters: Iterable[tuple[int, CounterRow]], period: Period, presets: Sequence[str], *, now: float, account: str = ""
) -> Summary:
    """Sum the counters of the period; `presets` come first and in this order, others that were counted follow.

    With an `account`, the only one that the counters are of, what was received is what presets matched.
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
    """Return how many counters of these names were counted in each of the steps that begin so."""
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
    """Return the counts of what stands under each key, which is not empty, in the order of the keys."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, counter in pairs:
        found[key][counter.name] += counter.count
    return {key: found[key] for key in sorted(found) if key}


def _largest(found: Mapping[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Return the same counts, those with most events received first."""
    return dict(sorted(found.items(), key=lambda each: -each[1][Outcome.ACCEPTED]))


def _count(pairs: Iterable[tuple[_Key, int]]) -> Counter[_Key]:
    sums: Counter[_Key] = Counter()
    for key, count in pairs:
        sums[key] += count
    return sums


#: What became of deliveries that were made, in the order in which the chart stacks them.
STANDS: Final = ("delivered", "waiting", "dead", "dismissed", "withdrawn")


def followed(summary: Summary, undelivered: Iterable[Undelivered]) -> dict[str, tuple[int, ...]]:
    """Return by STANDS where the deliveries are now that were made in each step of a period.

    What is not delivered is counted by the store, the rest of what was to be sent is. A delivery whose hold has ended
    counts as received then, a withdrawn one when it was withdrawn: of a step no more can be left than were made.
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
    """The counts of a period beside those of the earlier period that it is compared with."""

    #: `yesterday`, `the week before`
    words: str
    #: Of the steps that are over; and of the same steps then.
    now: WindowCounts
    before: WindowCounts
    #: The sums of what the chart draws then, one a step of the period.
    line: tuple[int, ...]

    @property
    def changes(self) -> dict[str, str]:
        """How what was received, to be sent and delivered differs, in words; without what cannot be compared."""
        names = {"received": ("accepted", "refused"), "to be sent": ("enqueued",), "delivered": ("delivered",)}
        found = {
            said: changed(*(sum(each.totals.get(name, 0) for name in of) for each in (self.now, self.before)))
            for said, of in names.items()
        }
        return {said: change for said, change in found.items() if change}


def comparison_shifts(period: Period, *, now: float, kept_s: float) -> dict[str, int]:
    """Return by how many seconds each of COMPARISONS lies back that the period can be compared with.

    Counts are kept for `kept_s`: what lies before is compared with nothing.
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
        for shift in dict.fromkeys(shifts)  # a period of a day has the same twice
    }


def counts_between(counted: TimedCounters, since: int, until: int) -> WindowCounts:
    """Return what was counted from the one moment to before the other."""
    totals: Counter[str] = Counter()
    of_presets = 0
    for at, counter in counted:
        if since <= at < until:
            totals[counter.name] += counter.count
            of_presets += counter.count if counter.preset and counter.name == Outcome.WITHHELD else 0
    return WindowCounts(totals=totals, withheld_of_presets=of_presets)


#: So long after its end nothing is added to a step: clocks of several machines differ, and writing takes time.
SETTLED_S: Final = 120
#: So many steps are kept: more than the longest period has, with what it is compared with.
_KEPT: Final = 400


@dataclass(slots=True)
class _Steps:
    """Steps of one length that are over, without a gap."""

    since: int
    until: int
    counts: dict[int, list[CounterRow]] = field(default_factory=dict)


class StepCounts:
    """Reads counts by steps, of some names or of all (None), and each step that is over once."""

    def __init__(self, store: Outbox, names: Collection[str] | None = None) -> None:
        self._store = store
        self._names = names
        self._kept: dict[int, _Steps] = {}

    async def read(
        self, *, since: int, step_s: int, now: float, until: int | None = None
    ) -> list[tuple[int, CounterRow]]:
        """Return the counts since the start of a step: (start of the step, counter), also in parts.

        `until` is the end of a step. May raise OutboxUnavailable.
        """
        kept = self._kept.get(step_s)
        if kept is None or since < kept.since or now < kept.until:
            kept = _Steps(since, since)
        # Of a long step that runs hours are kept, of an hour minutes.
        if until is None and step_s > MINUTE_S and kept.until > kept.since:
            finer_s = HOUR_S if step_s > HOUR_S else MINUTE_S
            finer = await self.read(since=kept.until, step_s=finer_s, now=now)
            found = [(at // step_s * step_s, counter) for at, counter in finer]
        else:
            new = await self._store.counters(since=kept.until, step_s=step_s, until=until, names=self._names)
            found = [(int(at), counter) for at, counter in new]
        end = math.inf if until is None else until  # others may have read further
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
    """Reads what is counted in a period, in what it is compared with, and of Pinterest's answers."""

    def __init__(self, store: Outbox) -> None:
        self._counts = StepCounts(store)
        self._calls = StepCounts(store, names=("calls",))
        #: By how many seconds they lie back: of what is compared, outcomes alone.
        self._earlier: defaultdict[int, StepCounts] = defaultdict(lambda: StepCounts(store, names=tuple(Outcome)))

    async def read(self, period: Period, shifts: Iterable[int], *, now: float) -> list[tuple[int, CounterRow]]:
        """Return the counts of a period, and the outcomes of what lies so many seconds back.

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
        """Return the calls to Pinterest by minute since the start of one. May raise OutboxUnavailable."""
        return await self._calls.read(since=since, step_s=MINUTE_S, now=now)
