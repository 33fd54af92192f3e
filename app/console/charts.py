"""Charts as SVG: counts over time, bars stacked by outcome, and marks on their axis. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.core.events import CounterRow
from app.core.pages import AuditEntry

#: The drawing's own units; the page stretches it.
BAR = 10
GAP = 2
HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A bar chart, ready to be put into an SVG element."""

    width: int
    height: int
    #: The `d` of an SVG path; "" where all counts are 0.
    outline: str
    #: The largest count: what the full height stands for.
    most: int


def draw(counts: Sequence[int]) -> Bars:
    """Draw one bar a count, the largest at full height, any other than 0 at least visible.

    >>> draw([0, 2, 4]).outline
    'M11 100V50h8V100zM21 100V0h8V100z'
    """
    most = max(counts, default=0)
    bars = (_bar(place, count, most) for place, count in enumerate(counts) if count)
    return Bars(width=BAR * len(counts), height=HEIGHT, outline="".join(bars), most=most)


def _bar(place: int, count: int, most: int) -> str:
    top = min(HEIGHT - round(HEIGHT * count / most), HEIGHT - 3)
    return f"M{place * BAR + GAP // 2} {HEIGHT}V{top}h{BAR - GAP}V{HEIGHT}z"


#: The drawing's own units; the page stretches it.
STEP: Final = 20
FULL: Final = 200
#: What is there at all can be seen, and clicked.
_LEAST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The part of a bar that stands for one outcome."""

    name: str
    count: int
    top: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What was counted in one step."""

    #: Unix seconds.
    start: int
    at: int
    #: From the bottom up; of what did not occur none.
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedChart:
    """A chart of stacked bars, ready to be put into an SVG element."""

    width: int
    #: What the full height stands for; even, so that its half is a count too.
    top: int
    #: Without those in which nothing was counted.
    bars: tuple[Bar, ...]
    #: The `d` of an SVG path: the sums of the earlier time; "" where there is none.
    outline: str


def stack(
    starts: Sequence[int], series: Mapping[str, Sequence[int]], earlier: Sequence[int] | None = None
) -> StackedChart:
    """Draw one bar a start of the counts by outcome, and the sums of an earlier time as steps over them.

    >>> chart = stack([0, 60], {"delivered": [3, 0], "invalid": [1, 0]}, [4, 2])
    >>> chart.top, chart.outline, [(each.name, each.top, each.height) for each in chart.bars[0].pieces]
    (4, 'M0 0H20V100H40', [('delivered', 50, 150), ('invalid', 0, 50)])
    """
    sums = [sum(counts) for counts in zip(*series.values(), strict=True)]
    top = _round_up(max([*sums, *(earlier or ())], default=0))
    bars = (
        Bar(start=start, at=place * STEP, pieces=tuple(_pieces({n: s[place] for n, s in series.items()}, top)))
        for place, start in enumerate(starts)
        if sums[place]
    )
    return StackedChart(
        width=STEP * len(starts), top=top, bars=tuple(bars), outline=_outline(earlier, top) if earlier else ""
    )


def _pieces(counts: Mapping[str, int], top: int) -> Iterator[Piece]:
    bottom = FULL
    for name, count in counts.items():
        if count:
            height = max(_LEAST, round(FULL * count / top))
            bottom = max(0, bottom - height)
            yield Piece(name=name, count=count, top=bottom, height=height)


def _outline(counts: Sequence[int], top: int) -> str:
    heights = [FULL - round(FULL * count / top) for count in counts]
    return "".join(f"{'V' if place else 'M0 '}{height}H{(place + 1) * STEP}" for place, height in enumerate(heights))


def _round_up(most: int) -> int:
    """Return the least even number of one or two figures before its zeros that is not below; 2 of nothing."""
    unit: int = 2 * 10 ** (len(str(most)) - 1)
    return max(2, -(-most // unit) * unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What somebody did, or went wrong, at a moment of a chart."""

    #: Unix seconds.
    at: float
    kind: Literal["act", "outage"]
    #: In words.
    said: str
    #: In the chart's own units: where it begins, and how wide it is.
    x: float
    width: float


#: Answers of Pinterest that judge events; all others are of calls that failed.
_JUDGED: Final = frozenset({"200", "422"})


def marks(
    entries: Iterable[AuditEntry], counted: Iterable[tuple[int, CounterRow]], starts: Sequence[int]
) -> tuple[Mark, ...]:
    """Return what people did in the span of a chart that may change it, and when most calls to Pinterest failed."""
    step_s = starts[1] - starts[0]
    end = starts[-1] + step_s
    acts = [
        _mark(each.at, "act", f"{each.who} {each.what} {' '.join(filter(None, (each.target, each.after)))}", starts, 0)
        for each in entries
        if each.what.changes_sending and starts[0] <= each.at < end
    ]
    calls: Counter[tuple[int, bool]] = Counter()
    for at, counter in counted:
        if counter.name == "calls" and starts[0] <= at < end:
            calls[at // step_s * step_s, counter.label in _JUDGED] += counter.count
    failing = [start for start in starts if calls[start, False] > calls[start, True]]
    outages = [_mark(start, "outage", "most calls to Pinterest failed", starts, step_s) for start in failing]
    return tuple(sorted([*acts, *outages], key=lambda mark: mark.at))


def _mark(at: float, kind: Literal["act", "outage"], said: str, starts: Sequence[int], length_s: int) -> Mark:
    scale = STEP / (starts[1] - starts[0])
    return Mark(at=at, kind=kind, said=said.strip(), x=round((at - starts[0]) * scale, 1), width=length_s * scale)
