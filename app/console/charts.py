"""Charts as SVG: flows of events, counts over time, bars stacked by outcome, and marks on the axis. Pure functions."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from app.console.labels import changed
from app.core.events import CounterRow, Outcome
from app.core.pages import AuditEntry
from app.pipeline.receipts import CANCELLED

#: A bar's width in the drawing's own units; the page scales it.
FLOW_WIDTH = 1_000
#: The minimum width, so that small parts are visible and clickable.
_LEAST_WIDTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowShare:
    """A part of a flow: events, or deliveries, with the same result."""

    #: The colour: taken, unmatched, withheld, refused, delivered or waiting.
    kind: str
    label: str
    count: int
    #: The events of complete steps, and of the same steps of the compared period; `None` without a comparison.
    compared: int = 0
    before: int | None = None
    #: The filters of the list of these events.
    filters: Mapping[str, str] = field(default_factory=dict)
    #: The start and the width.
    at: int = 0
    width: int = 0

    @property
    def change(self) -> str:
        """Return the change against the compared period as a text; "" without a comparison."""
        return changed(self.compared, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBar:
    """A bar with the parts of a number of events."""

    title: str
    parts: tuple[FlowShare, ...]

    @property
    def total(self) -> int:
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCounts:
    """The counts of a period."""

    #: By outcome.
    totals: Mapping[str, int]
    #: Withheld events that a preset had matched.
    withheld_of_presets: int

    def by_name(self) -> dict[str, int]:
        """Return all counts by name: `held_back` was withheld before the presets, `cancels` cancels orders."""
        plain = {outcome.value: self.totals.get(outcome, 0) for outcome in Outcome}
        held_back = max(0, plain["withheld"] - self.withheld_of_presets)
        taken = max(0, plain["accepted"] - plain["unmatched"] - held_back)
        made = plain["enqueued"] + plain["merged"] + plain["duplicate"] + plain["invalid"] + self.withheld_of_presets
        cancels = max(0, plain["matched"] - made)
        left = {"withheld": self.withheld_of_presets, "held_back": held_back, "taken": taken, "cancels": cancels}
        return plain | left


#: The parts of a bar: the counted name, its name in the figures, its colour, and its label.
_RECEIVED: Final = (
    ("taken", "taken", "taken by a preset"),
    ("unmatched", "unmatched", "matched no preset"),
    ("held_back", "withheld", "withheld"),
    ("refused", "refused", "no event"),
)
_MADE: Final = (
    ("enqueued", "taken", "to be sent"),
    ("merged", "unmatched", "merged with another"),
    ("duplicate", "unmatched", "duplicate"),
    ("withheld", "withheld", "withheld"),
    ("invalid", "refused", "invalid"),
    ("cancels", "unmatched", "cancelling an order"),
)
#: The current states of deliveries that were created in the period; together they are the deliveries to send.
_SENT: Final = (
    ("delivered", "delivered", "delivered"),
    ("waiting", "waiting", "waiting"),
    ("dead", "refused", "dead"),
    ("dismissed", "withheld", "dismissed"),
    ("withdrawn", "withheld", "withdrawn"),
)
#: The filters of the list for a figure, if they are not the outcome with its name.
_FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "taken": {"outcome": "matched"},
    "held_back": {"outcome": "withheld", "taken": "no"},
    "withheld": {"outcome": "withheld", "taken": "yes"},
    "cancels": {"outcome": "matched", "reason": CANCELLED},
    "withdrawn": {"outcome": "withdrawn"},
}


def flow(
    now: WindowCounts,
    compared: tuple[WindowCounts, WindowCounts] | None,
    stands: Mapping[str, int],
    *,
    known: Collection[str],
) -> tuple[FlowBar, ...]:
    """Return the bars of a period: the received events, and their current states.

    `compared` are its complete steps and the same steps of the compared period, up to the same time; `None` without a
    comparison. `stands` are the undelivered deliveries by state. `known` are those of `received`, `made` and `sent`
    with data: for a single ad account, unmatched events are unknown.
    """
    counts, pair = now.by_name(), [each.by_name() for each in compared or ()]

    left = {name: stands.get(name, 0) for name, _, _ in _SENT}
    left["delivered"] = max(0, counts["enqueued"] - sum(left.values()))

    def bar(title: str, wanted: Sequence[tuple[str, str, str]], counted: Mapping[str, int], by: str) -> FlowBar:
        shares = [
            FlowShare(
                kind=kind,
                label=label,
                count=counted[name],
                compared=pair[0].get(name, 0) if pair else 0,
                # The number of waiting or dead deliveries at that age is unknown.
                before=pair[1].get(name) if pair else None,
                filters=_FILTERS.get(name, {by: name}),
            )
            for name, kind, label in wanted
        ]
        return FlowBar(title=title, parts=_placed(shares))

    levels = {
        "received": bar("Received", _RECEIVED, counts, "outcome"),
        "made": bar("Made by presets", _MADE, counts, "outcome"),
        "sent": bar("Where they are now", _SENT, left, "state"),
    }
    return tuple(level for name, level in levels.items() if name in known)


def _placed(parts: Sequence[FlowShare]) -> tuple[FlowShare, ...]:
    """Place the parts side by side by their counts; small parts get the minimum width."""
    total = sum(part.count for part in parts)
    shown = [part for part in parts if part.count]
    room = FLOW_WIDTH - _LEAST_WIDTH * len(shown)
    placed: list[FlowShare] = []
    at = 0
    for part in parts:
        width = _LEAST_WIDTH + room * part.count // total if part.count else 0
        placed.append(replace(part, at=at, width=width))
        at += width
    return tuple(placed)


#: The drawing's own units; the page scales them.
BAR = 10
GAP = 2
HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A bar chart, ready for an SVG element."""

    width: int
    height: int
    #: The `d` of an SVG path; "" if all counts are 0.
    outline: str
    #: The largest count, shown at full height.
    most: int


def draw(counts: Sequence[int]) -> Bars:
    """Draw a bar for each count, the largest at full height, any other than 0 at least visible.

    >>> draw([0, 2, 4]).outline
    'M11 100V50h8V100zM21 100V0h8V100z'
    """
    most = max(counts, default=0)
    bars = (_bar(place, count, most) for place, count in enumerate(counts) if count)
    return Bars(width=BAR * len(counts), height=HEIGHT, outline="".join(bars), most=most)


def _bar(place: int, count: int, most: int) -> str:
    top = min(HEIGHT - round(HEIGHT * count / most), HEIGHT - 3)
    return f"M{place * BAR + GAP // 2} {HEIGHT}V{top}h{BAR - GAP}V{HEIGHT}z"


#: The drawing's own units; the page scales them.
STEP: Final = 20
FULL: Final = 200
#: The minimum height, so that small parts are visible and clickable.
_LEAST: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The part of a bar for an outcome."""

    name: str
    count: int
    top: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The counts of a step."""

    #: Unix seconds.
    start: int
    at: int
    #: From the bottom up, without outcomes that did not occur.
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedChart:
    """A chart of stacked bars, ready for an SVG element."""

    width: int
    #: The value at full height; even, so that its half is a count too.
    top: int
    #: Without empty steps.
    bars: tuple[Bar, ...]
    #: The `d` of an SVG path with the sums of the earlier period; "" without one.
    outline: str


def stack(
    starts: Sequence[int], series: Mapping[str, Sequence[int]], earlier: Sequence[int] | None = None
) -> StackedChart:
    """Draw a bar for each start with the counts by outcome, and the sums of an earlier period as steps above.

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
    """Return the smallest even number with one or two significant digits that is at least `most`, and at least 2."""
    unit: int = 2 * 10 ** (len(str(most)) - 1)
    return max(2, -(-most // unit) * unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An action, or an outage, at a time of a chart."""

    #: Unix seconds.
    at: float
    kind: Literal["act", "outage"]
    #: In words.
    said: str
    #: The target of the audit entry; "" of an outage.
    target: str = ""
    #: The start and the width, in the chart's own units.
    x: float
    width: float


#: Responses of Pinterest that judge events; all others are failed calls.
_JUDGED: Final = frozenset({"200", "422"})


def marks(
    entries: Iterable[AuditEntry], counted: Iterable[tuple[int, CounterRow]], starts: Sequence[int]
) -> tuple[Mark, ...]:
    """Return the actions of people that may affect a chart, and the periods in which most calls to Pinterest failed."""
    step_s = starts[1] - starts[0]
    end = starts[-1] + step_s
    acts = [
        _mark(each.at, "act", f"{each.who} {each.what} {each.target} {each.after}", starts, 0, each.target)
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


def _mark(
    at: float, kind: Literal["act", "outage"], said: str, starts: Sequence[int], length_s: int, target: str = ""
) -> Mark:
    scale = STEP / (starts[1] - starts[0])
    return Mark(
        at=at,
        kind=kind,
        said=" ".join(said.split()),
        target=target,
        x=round((at - starts[0]) * scale, 1),
        width=length_s * scale,
    )
