"""Charts as SVG: counts over time, and bars stacked by outcome. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
