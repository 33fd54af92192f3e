"""Tallies of the outbox -> what the overview shows. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.console.labels import COMPONENT_OF_GROUP, WARNING_ADVICE
from app.types import Exit, Tally

#: Series of the chart and the tallies they count. An event that Pinterest rejects for good is dead.
SERIES: Mapping[str, frozenset[str]] = {
    "received": frozenset({Exit.ACCEPTED, Exit.REFUSED}),
    "delivered": frozenset({Exit.DELIVERED}),
    "invalid": frozenset({Exit.INVALID}),
    "withheld": frozenset({Exit.WITHHELD}),
    "dead": frozenset({Exit.REJECTED}),
}
#: Tallies whose label is the reason why something was not sent, or not yet; of what was sent, Pinterest's status.
REASONED = frozenset({Exit.REFUSED, Exit.WITHHELD, Exit.INVALID, Exit.RETRY, Exit.REJECTED, Exit.BLOCKED})
_Key = TypeVar("_Key")
#: So many reasons and warnings are listed.
TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far back one looks, and how finely."""

    name: str
    label: str
    length_s: int
    step_s: int

    def starts(self, now: float) -> tuple[int, ...]:
        """Return the starts (Unix seconds) of all steps, the one that is running now as the last."""
        last = int(now) // self.step_s * self.step_s
        return tuple(range(last - self.length_s + self.step_s, last + 1, self.step_s))


WINDOWS = (
    Window(name="hour", label="hour", length_s=3_600, step_s=60),
    Window(name="day", label="24 hours", length_s=86_400, step_s=1_800),
    Window(name="week", label="7 days", length_s=604_800, step_s=10_800),
)


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
    """All figures of one window."""

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

    def total(self, series: str) -> int:
        """Sum one series."""
        return sum(self.series[series])


def summarise(
    tallies: Iterable[tuple[float, Tally]], window: Window, presets: Sequence[str], *, now: float, account: str = ""
) -> Summary:
    """Sum the tallies of the window; `presets` come first and in this order, others that were counted follow.

    With an `account` only what was counted for it, by its id: what was received is then what presets matched.
    """
    starts = window.starts(now)
    counted = [(int(at), tally) for at, tally in tallies if at >= starts[0] and account in ("", tally.ad_account_id)]
    shown = {**SERIES, "received": frozenset({Exit.MATCHED})} if account else SERIES
    return Summary(
        starts=starts,
        series={name: _series(counted, names, starts) for name, names in shown.items()},
        totals=_count((tally.name, tally.count) for _, tally in counted),
        presets=_presets(counted, presets),
        accounts=_by((tally.ad_account_id, tally) for _, tally in counted),
        sources=_by((tally.source, tally) for _, tally in counted),
        reasons=_top(tally for _, tally in counted if tally.name in REASONED and tally.label),
        warnings=_top(tally for _, tally in counted if tally.name == "warning"),
    )


def _series(counted: Iterable[tuple[int, Tally]], names: frozenset[str], starts: tuple[int, ...]) -> tuple[int, ...]:
    step_s = starts[1] - starts[0]
    sums = _count((at // step_s * step_s, tally.count) for at, tally in counted if tally.name in names)
    return tuple(sums[start] for start in starts)


def _presets(counted: Iterable[tuple[int, Tally]], known: Sequence[str]) -> tuple[PresetCounts, ...]:
    tallies = [tally for _, tally in counted if tally.preset]
    names = dict.fromkeys([*known, *sorted(tally.preset for tally in tallies)])
    return tuple(
        PresetCounts(
            name=name,
            counts=_count((tally.name, tally.count) for tally in tallies if tally.preset == name),
            accounts=_by((tally.ad_account_id, tally) for tally in tallies if tally.preset == name),
            quality=_count(
                (tally.label, tally.count) for tally in tallies if tally.preset == name and tally.name == "quality"
            ),
            recalled=_count(
                (COMPONENT_OF_GROUP[tally.label], tally.count)
                for tally in tallies
                if tally.preset == name and tally.name == "memory" and tally.label in COMPONENT_OF_GROUP
            ),
        )
        for name in names
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
