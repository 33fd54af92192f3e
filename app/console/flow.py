"""Where events go, as bars whose parts add up: received, what presets made of them, what was sent. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.console.labels import changed
from app.core.events import Exit
from app.pipeline.receipts import CANCELLED

#: A bar's width in the drawing's own units; the page stretches it.
WIDTH = 1_000
#: What is there at all can be seen, and clicked.
_LEAST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowShare:
    """One way that events, or deliveries, left."""

    #: Says how it is coloured: taken, unmatched, withheld, refused, delivered or waiting.
    kind: str
    label: str
    count: int
    #: Of them, those of the steps that are over; and how many were in the same steps of what is compared, None where
    #: nothing is.
    compared: int = 0
    before: int | None = None
    #: The filters of the list behind it.
    filters: Mapping[str, str] = field(default_factory=dict)
    #: Where it begins and how wide it is.
    at: int = 0
    width: int = 0

    @property
    def change(self) -> str:
        """How it differs from before, as people read it; "" where there was nothing to compare with."""
        return changed(self.compared, self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBar:
    """One of the bars: where a number of events went."""

    title: str
    parts: tuple[FlowShare, ...]

    @property
    def total(self) -> int:
        """How many events the bar stands for."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCounts:
    """What was counted in one window."""

    #: By exit.
    totals: Mapping[str, int]
    #: Of what was withheld, that which a preset had taken.
    withheld_of_presets: int

    def by_name(self) -> dict[str, int]:
        """Return all counts by name: `held_back` was withheld before a preset saw it, `cancels` cancels orders."""
        plain = {exit_.value: self.totals.get(exit_, 0) for exit_ in Exit}
        held_back = max(0, plain["withheld"] - self.withheld_of_presets)
        taken = max(0, plain["accepted"] - plain["unmatched"] - held_back)
        made = plain["enqueued"] + plain["merged"] + plain["duplicate"] + plain["invalid"] + self.withheld_of_presets
        cancels = max(0, plain["matched"] - made)
        left = {"withheld": self.withheld_of_presets, "held_back": held_back, "taken": taken, "cancels": cancels}
        return plain | left


#: Of each bar: what is counted, its name in the figures, how it is coloured, and what people call it.
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
#: Where the deliveries are now that were made of events of the period: together they are those to be sent.
_SENT: Final = (
    ("delivered", "delivered", "delivered"),
    ("waiting", "waiting", "waiting"),
    ("dead", "refused", "dead"),
    ("dismissed", "withheld", "put away"),
    ("withdrawn", "withheld", "withdrawn"),
)
#: The filters of the list behind a figure, where it is not the exit of its name.
_FILTERS: Final[Mapping[str, Mapping[str, str]]] = {
    "taken": {"exit": "matched"},
    "held_back": {"exit": "withheld", "taken": "no"},
    "withheld": {"exit": "withheld", "taken": "yes"},
    "cancels": {"exit": "matched", "reason": CANCELLED},
    "withdrawn": {"exit": "withdrawn"},
}


def flow(
    now: WindowCounts,
    compared: tuple[WindowCounts, WindowCounts] | None,
    stands: Mapping[str, int],
    *,
    known: Collection[str],
) -> tuple[FlowBar, ...]:
    """Return the bars of one period: what was received in it, followed to where it is now.

    `compared` are its steps that are over, and the same steps of what it is compared with: what was received, and what
    was delivered, by the same time of it; None where that is nothing. `stands` are the deliveries made of it that are
    not delivered, by state. `known` are those of `received`, `made` and `sent` of which anything is known: of one ad
    account nothing is of what it does not take.
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
                # How many waited or were dead at that age is not known.
                before=pair[1].get(name) if pair else None,
                filters=_FILTERS.get(name, {by: name}),
            )
            for name, kind, label in wanted
        ]
        return FlowBar(title=title, parts=_placed(shares))

    levels = {
        "received": bar("Received", _RECEIVED, counts, "exit"),
        "made": bar("Made by presets", _MADE, counts, "exit"),
        "sent": bar("Where they are now", _SENT, left, "state"),
    }
    return tuple(level for name, level in levels.items() if name in known)


def _placed(parts: Sequence[FlowShare]) -> tuple[FlowShare, ...]:
    """Lay the parts side by side, as wide as their counts; what is small is made as wide as can be seen."""
    total = sum(part.count for part in parts)
    shown = [part for part in parts if part.count]
    room = WIDTH - _LEAST * len(shown)
    placed: list[FlowShare] = []
    at = 0
    for part in parts:
        width = _LEAST + room * part.count // total if part.count else 0
        placed.append(replace(part, at=at, width=width))
        at += width
    return tuple(placed)
