"""Tallies of the outbox -> what the overview shows. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.console.labels import COMPONENT_OF_GROUP, WARNING_ADVICE
from app.console.periods import Period
from app.core.events import Exit, Tally

#: What is counted over time, and the tallies that it counts.
SERIES: Mapping[str, frozenset[str]] = {
    "received": frozenset({Exit.ACCEPTED, Exit.REFUSED}),
    **{
        exit_.value: frozenset({exit_.value})
        for exit_ in (
            Exit.DELIVERED,
            Exit.ENQUEUED,
            Exit.DUPLICATE,
            Exit.WITHHELD,
            Exit.INVALID,
            Exit.REJECTED,
            Exit.REFUSED,
            Exit.UNMATCHED,
        )
    },
}
#: Tallies whose label is the reason why something was not sent, or not yet; of what was sent, Pinterest's status.
REASONED = frozenset({Exit.REFUSED, Exit.WITHHELD, Exit.INVALID, Exit.RETRY, Exit.REJECTED, Exit.BLOCKED})
_Key = TypeVar("_Key")
#: So many reasons and warnings are listed.
TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A reason or a warning and how often it occurred."""

    #: The tally's name, e.g. `invalid`.
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
    #: By tally name; a name that did not occur counts 0.
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
    #: By tally name.
    totals: Counter[str]
    presets: tuple[PresetCounts, ...]
    #: By ad account, each by tally name.
    accounts: Mapping[str, Counter[str]]
    #: The same by source, of what is received; what is sent belongs to none.
    sources: Mapping[str, Counter[str]]
    reasons: tuple[Counted, ...]
    warnings: tuple[Counted, ...]
    #: How often each warning came, by label.
    warned: Counter[str]

    def total(self, series: str) -> int:
        """Return the sum of one of the `SERIES` over the period."""
        return sum(self.series[series])


def narrowed(tallies: Iterable[tuple[int, Tally]], *, account: str, source: str) -> list[tuple[int, Tally]]:
    """Return the tallies of one ad account, by its id, and of one source; "" is any."""
    return [
        (at, tally) for at, tally in tallies if account in ("", tally.ad_account_id) and source in ("", tally.source)
    ]


def summarise(
    tallies: Iterable[tuple[int, Tally]], period: Period, presets: Sequence[str], *, now: float, account: str = ""
) -> Summary:
    """Sum the tallies of the period; `presets` come first and in this order, others that were counted follow.

    With an `account`, the only one that the tallies are of, what was received is what presets matched.
    """
    starts = period.starts(now)
    counted = [(at, tally) for at, tally in tallies if starts[0] <= at < starts[0] + period.length_s]
    shown = {**SERIES, "received": frozenset({Exit.MATCHED})} if account else SERIES
    return Summary(
        starts=starts,
        series={name: over_time(counted, names, starts) for name, names in shown.items()},
        totals=_count((tally.name, tally.count) for _, tally in counted),
        presets=_presets(counted, presets),
        accounts=_by((tally.ad_account_id, tally) for _, tally in counted),
        sources=_by((tally.source, tally) for _, tally in counted),
        reasons=_top(tally for _, tally in counted if tally.name in REASONED and tally.label),
        warnings=_top(tally for _, tally in counted if tally.name == "warning"),
        warned=_count((tally.label, tally.count) for _, tally in counted if tally.name == "warning"),
    )


def over_time(counted: Iterable[tuple[int, Tally]], names: Collection[str], starts: Sequence[int]) -> tuple[int, ...]:
    """Return how many tallies of these names were counted in each of the steps that begin so."""
    step_s = starts[1] - starts[0]
    sums = _count((at // step_s * step_s, tally.count) for at, tally in counted if tally.name in names)
    return tuple(sums[start] for start in starts)


def _presets(counted: Iterable[tuple[int, Tally]], known: Sequence[str]) -> tuple[PresetCounts, ...]:
    tallies: defaultdict[str, list[Tally]] = defaultdict(list)
    for _, tally in counted:
        tallies[tally.preset].append(tally)
    names = dict.fromkeys([*known, *sorted(filter(None, tallies))])
    return tuple(_of_preset(name, tallies[name]) for name in names)


def _of_preset(name: str, tallies: Sequence[Tally]) -> PresetCounts:
    recalled = (
        (COMPONENT_OF_GROUP[tally.label], tally.count)
        for tally in tallies
        if tally.name == "memory" and tally.label in COMPONENT_OF_GROUP
    )
    return PresetCounts(
        name=name,
        counts=_count((tally.name, tally.count) for tally in tallies),
        accounts=_by((tally.ad_account_id, tally) for tally in tallies),
        quality=_count((tally.label, tally.count) for tally in tallies if tally.name == "quality"),
        recalled=_count(recalled),
    )


def _top(tallies: Iterable[Tally]) -> tuple[Counted, ...]:
    by_preset: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for tally in tallies:
        by_preset[tally.name, tally.label][tally.preset] += tally.count
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


def _by(pairs: Iterable[tuple[str, Tally]]) -> dict[str, Counter[str]]:
    """Return the counts of what stands under each key, which is not empty, in the order of the keys."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, tally in pairs:
        found[key][tally.name] += tally.count
    return {key: found[key] for key in sorted(found) if key}


def _count(pairs: Iterable[tuple[_Key, int]]) -> Counter[_Key]:
    sums: Counter[_Key] = Counter()
    for key, count in pairs:
        sums[key] += count
    return sums
