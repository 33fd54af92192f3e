"""A period against an earlier one: the same steps, so far as they are over. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.console.flow import WindowCounts
from app.console.labels import changed
from app.console.periods import COMPARISONS, Period
from app.console.summary import over_time
from app.core.events import Exit, Tally

#: Tallies with their times, whole Unix seconds.
TimedTallies = Sequence[tuple[int, Tally]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
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
        """How what was received and delivered differs, in words; without what cannot be compared."""
        names = {"received": ("accepted", "refused"), "delivered": ("delivered",)}
        found = {
            said: changed(*(sum(each.totals.get(name, 0) for name in of) for each in (self.now, self.before)))
            for said, of in names.items()
        }
        return {said: change for said, change in found.items() if change}


def shifts_of(period: Period, *, now: float, kept_s: float) -> dict[str, int]:
    """Return by how many seconds each of COMPARISONS lies back that the period can be compared with.

    Counts are kept for `kept_s`: what lies before is compared with nothing.
    """
    shifts = {name: period.shift_s(name) for name in COMPARISONS}
    first = period.starts(now)[0]
    return {name: shift for name, shift in shifts.items() if shift is not None and first - shift >= now - kept_s}


def against_each(
    counted: TimedTallies, period: Period, shifts: Iterable[int], *, now: float, drawn: Collection[str]
) -> dict[int, Against]:
    """Compare a period with what lies so far back, by each shift; `drawn` are the exits that the chart is made of."""
    starts, until = period.starts(now), period.complete_until(now)
    over = counts_between(counted, starts[0], until)
    return {
        shift: Against(
            words=period.named_before(shift),
            now=over,
            before=counts_between(counted, starts[0] - shift, until - shift),
            line=over_time(counted, drawn, [start - shift for start in starts]),
        )
        for shift in dict.fromkeys(shifts)  # a period of a day has the same twice
    }


def counts_between(counted: TimedTallies, since: int, until: int) -> WindowCounts:
    """Return what was counted from the one moment to before the other."""
    totals: Counter[str] = Counter()
    of_presets = 0
    for at, tally in counted:
        if since <= at < until:
            totals[tally.name] += tally.count
            of_presets += tally.count if tally.preset and tally.name == Exit.WITHHELD else 0
    return WindowCounts(totals=totals, withheld_of_presets=of_presets)
