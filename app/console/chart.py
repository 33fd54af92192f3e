"""Counts over time -> the outline of a bar chart in SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

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
