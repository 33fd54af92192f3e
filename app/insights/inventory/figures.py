"""The figures of event names, read from the store, and their changes."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Literal

from app.core.deliveries import State
from app.core.events import EventKey, InventoryCount, Measure, Outcome
from app.core.values.event_names import RECORD
from app.core.values.times import DAY_S
from app.insights.inventory.counting import KINDS, LOOKED_FOR
from app.outbox.inventory import Inventory
from app.pipeline.received_names import title_of

#: The default number of summed days.
DAYS: Final = 7
#: Members of LOOKED_FOR that are columns of a list of names.
SHOWN: Final = ("value", "currency", "order id", "e-mail")
#: Labels of outcomes after a count, in the order of the stages.
BECAME: Final[Mapping[str, str]] = {
    Outcome.ENQUEUED: "taken to be sent",
    Outcome.MERGED: "merged with another",
    Outcome.DUPLICATE: "duplicate",
    Outcome.INVALID: "invalid",
    Outcome.WITHHELD: "withheld",
    Outcome.MATCHED: "cancelling an order",
    Outcome.WITHDRAWN: "cancellation",  # name in earlier versions
    Outcome.UNMATCHED: "matched no preset",
    Outcome.REFUSED: "refused",
}
#: Labels of the states of deliveries, after a count.
STANDS: Final[Mapping[str, str]] = {
    State.DELIVERED: "delivered",
    "waiting": "waiting to be sent",
    State.DEAD: "dead",
    State.DISMISSED: "dismissed",
}
#: The last receipt is shown by the hour within this period, otherwise by the day.
_HOURS_LOOKED_BACK_S: Final = 2 * DAY_S


@dataclass(slots=True, kw_only=True)
class NameFigures:
    """The figures of a kind of event."""

    key: EventKey
    #: The start of the first day, and of the last hour (or an earlier day) with such an event.
    first_at: int
    last_at: int
    #: Events in the requested days, by the start of the day (UTC).
    days: dict[int, int] = field(default_factory=dict)
    #: Outcomes by the start of the day; an event of two presets counts twice.
    outcomes_by_day: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: States of the events' deliveries, by the start of the day of receipt.
    states_by_day: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: The number of events that anyone could have sent.
    public: int = 0
    #: The presets that matched the events.
    presets: Counter[str] = field(default_factory=Counter)
    #: The number of sampled events, and of those the number with each kind of data.
    sampled: int = 0
    found: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        return sum(self.days.values())

    @property
    def trust(self) -> str:
        """Return the trust of the events as a label for people."""
        if not self.public:
            return "trusted"
        return "public" if self.public >= self.received else f"{self.public:,} public"

    @property
    def outcomes(self) -> Counter[str]:
        return sum(self.outcomes_by_day.values(), Counter[str]())

    @property
    def told_days(self) -> list[int]:
        """Return the starts of the days with received or resent events, the latest first."""
        return sorted(self.days.keys() | self.states_by_day.keys(), reverse=True)

    @property
    def by_day(self) -> list[dict[str, Any]]:
        """Return the received events of each of these days, their outcomes, and the states of their deliveries."""
        outcomes, states = self.outcomes_by_day, self.states_by_day
        return [
            {"at": at, "received": self.days.get(at, 0), "outcomes": outcomes[at], "states": states[at]}
            for at in self.told_days
        ]

    @property
    def states(self) -> Counter[str]:
        return sum(self.states_by_day.values(), Counter[str]())

    @property
    def title(self) -> str:
        return title_of(self.key)

    @property
    def is_named(self) -> bool:
        """Return whether it is a kind of event, and not a group of others, or records that are no events."""
        return self.key.type not in ("", RECORD)

    def share(self, label: str) -> float | None:
        """Return the share of sampled events with a member of LOOKED_FOR; `None` without samples."""
        return self.found[label] / self.sampled if self.sampled else None

    @property
    def shares(self) -> dict[str, float]:
        """Return the shares of all members of LOOKED_FOR; empty without samples."""
        return {label: self.found[label] / self.sampled for label in LOOKED_FOR} if self.sampled else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFigures:
    """A property of a kind of event, with a type of value."""

    #: `properties.products[].price`
    path: str
    #: A type of `counting.KINDS`.
    kind: str
    #: The number of sampled events with the property.
    number: int
    #: The share of sampled events with the property.
    share: float
    #: The starts of the first and the last day with the property.
    first_at: int
    last_at: int
    #: Whether any preset reads it; `None` if no preset matches such events.
    is_read: bool | None = None


def span_of(now: float, days: int, last_day: int | None = None) -> range:
    """Return the seconds of these days of UTC; `last_day` is counted from 1970 (`None`: today)."""
    end = (int(now // DAY_S) if last_day is None else last_day) + 1
    return range((end - days) * DAY_S, end * DAY_S)


async def read_figures(
    inventory: Inventory, *, now: float, days: int, last_day: int | None = None, only: EventKey | None = None
) -> list[NameFigures]:
    """Return all kinds of events received in these days, as in `span_of`, the most frequent first.

    `only` restricts the result to a kind. Raises OutboxUnavailable.
    """
    span = span_of(now, days, last_day)
    ever = await inventory.read(since=0, by_hour=False, counted=[Measure.RECEIVED], key=only)
    counted = [Measure.PUBLIC, Measure.OUTCOME, Measure.PRESET, Measure.SAMPLED, Measure.FOUND]
    counts = await inventory.read(since=span.start, by_hour=False, counted=counted, key=only)
    hours = await inventory.read(since=now - _HOURS_LOOKED_BACK_S, by_hour=True, counted=[Measure.RECEIVED], key=only)
    figures: dict[EventKey, NameFigures] = {}
    for at, (key, _, _, number) in ever:
        one = figures.setdefault(key, NameFigures(key=key, first_at=at, last_at=at))
        one.last_at = at
        if at in span:
            one.days[at] = one.days.get(at, 0) + number
    for at, count in hours:
        if count.key in figures:
            figures[count.key].last_at = max(figures[count.key].last_at, at)
    for at, count in counts:
        if count.key in figures and at in span:
            _add(figures[count.key], at, count)
    found = [one for one in figures.values() if one.days]
    await _add_states(inventory, found, span)
    return sorted(found, key=lambda one: (-one.received, one.key))


async def _add_states(inventory: Inventory, figures: Sequence[NameFigures], span: range) -> None:
    by_name = {(one.title, one.key.source): one for one in figures if one.is_named}
    last_day = span.stop // DAY_S - 1
    for row in await inventory.name_counts(list(by_name), first_day=span.start // DAY_S, last_day=last_day):
        by_name[row.name, row.source].states_by_day[row.day * DAY_S][row.state] += row.number


def _add(figures: NameFigures, at: int, count: InventoryCount) -> None:
    match count.counted:
        case Measure.PUBLIC:
            figures.public += count.number
        case Measure.OUTCOME:
            figures.outcomes_by_day[at][count.label] += count.number
        case Measure.PRESET:
            figures.presets[count.label] += count.number
        case Measure.SAMPLED:
            figures.sampled += count.number
        case _:
            figures.found[count.label] += count.number


async def read_properties(
    inventory: Inventory, key: EventKey, *, now: float, days: int, last_day: int | None = None
) -> list[PropertyFigures]:
    """Return the properties of a kind of event in these days, as in `span_of`, the most frequent first.

    Raises OutboxUnavailable.
    """
    span = span_of(now, days, last_day)
    rows = await inventory.read(since=0, by_hour=False, counted=[Measure.PROPERTY, Measure.SAMPLED], key=key)
    sampled = sum(count.number for at, count in rows if at in span and count.counted is Measure.SAMPLED)
    seen: defaultdict[str, list[int]] = defaultdict(list)
    numbers: Counter[str] = Counter()
    for at, count in rows:
        if count.counted is Measure.PROPERTY:
            seen[count.label].append(at)
            if at in span:
                numbers[count.label] += count.number
    return [_property(label, number, sampled, seen[label]) for label, number in numbers.most_common()]


def _property(label: str, number: int, sampled: int, seen: Sequence[int]) -> PropertyFigures:
    path, kind = split_label(label)
    share = min(1.0, number / sampled) if sampled else 0.0
    return PropertyFigures(path=path, kind=kind, number=number, share=share, first_at=min(seen), last_at=max(seen))


def split_label(label: str) -> tuple[str, str]:
    """Return path and type of a property.

    >>> split_label("properties.is new yes or no")
    ('properties.is new', 'yes or no')
    """
    kind = next(kind for kind in KINDS if label.endswith(f" {kind}"))
    return label[: -len(kind) - 1], kind


#: The measures for changes.
_TOLD_BY: Final = (Measure.RECEIVED, Measure.SAMPLED, Measure.PROPERTY)
#: A name is known, and a property belongs to it, after this number of days before yesterday.
KNOWN_DAYS: Final = 3
#: Minimum number of sampled events, before and recently, for a report about properties.
LEAST_SAMPLED: Final = 20
#: A new property is reported above this share of events, a vanished one if its share was above the second.
NEW_SHARE, VANISHED_SHARE = 0.05, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference between recent and usual events."""

    key: EventKey
    what: Literal["new name", "new property", "vanished property", "changed kind"]
    #: Path and type of the property; for a changed type the path with the old and the new type; "" for a name.
    label: str = ""
    #: Of a new name: the number of events.
    received: int = field(default=0, compare=False)

    @property
    def title(self) -> str:
        return title_of(self.key)

    @property
    def told(self) -> str:
        """Return the rest of a sentence after name and source, without the full stop."""
        if self.what == "new name":
            return " is new"
        told = {"new property": "is new", "vanished property": "is missing", "changed kind": "changed"}[self.what]
        return f": {self.label} {told}"

    @property
    def text(self) -> str:
        return f"{self.title} from {self.key.source}{self.told}"


async def read_changes(inventory: Inventory, *, now: float) -> list[Change]:
    """Return the changes of yesterday and today against the days before. Raises OutboxUnavailable."""
    rows = await inventory.read(since=0, by_hour=False, counted=_TOLD_BY)
    return changes(rows, now=now)


def changes(rows: Sequence[tuple[int, InventoryCount]], *, now: float) -> list[Change]:
    """Return the changes from counts of days (their start in Unix seconds, UTC)."""
    recent_at = int(now // DAY_S - 1) * DAY_S
    began_at = min((at for at, _ in rows), default=recent_at)
    if began_at > recent_at - KNOWN_DAYS * DAY_S:
        return []  # everything is new
    by_key: defaultdict[EventKey, list[tuple[int, InventoryCount]]] = defaultdict(list)
    for at, count in rows:
        if count.key.type:
            by_key[count.key].append((at, count))
    return [change for key in sorted(by_key) for change in _of_name(key, by_key[key], recent_at)]


def _of_name(key: EventKey, rows: Sequence[tuple[int, InventoryCount]], recent_at: int) -> list[Change]:
    days = {at for at, count in rows if count.counted is Measure.RECEIVED}
    if min(days, default=0) >= recent_at:
        received = sum(count.number for _, count in rows if count.counted is Measure.RECEIVED)
        return [Change(key=key, what="new name", received=received)] if days else []
    if len([day for day in days if day < recent_at]) < KNOWN_DAYS:
        return []
    before, lately, today = _Seen(rows, 0, recent_at), _Seen(rows, recent_at), _Seen(rows, recent_at + DAY_S)
    if min(before.sampled, lately.sampled) < LEAST_SAMPLED:
        return []
    latest = today if today.sampled >= LEAST_SAMPLED else lately
    new = [label for label, share in lately.shares().items() if share >= NEW_SHARE and not before.numbers[label]]
    gone = [label for label, share in before.shares().items() if share >= VANISHED_SHARE and not latest.numbers[label]]
    return [*_changed(key, new, gone)]


def _changed(key: EventKey, new: Sequence[str], gone: Sequence[str]) -> list[Change]:
    """Return the changes of a name's properties; a property that is both new and gone has a changed type."""
    kinds: Mapping[str, str] = dict(split_label(label) for label in gone)
    paths = {split_label(label)[0] for label in new}
    found = []
    for label in sorted(new):
        path, kind = split_label(label)
        if path in kinds:
            found.append(Change(key=key, what="changed kind", label=f"{path} from {kinds[path]} to {kind}"))
        else:
            found.append(Change(key=key, what="new property", label=label))
    vanished = (label for label in sorted(gone) if split_label(label)[0] not in paths)
    return [*found, *(Change(key=key, what="vanished property", label=label) for label in vanished)]


class _Seen:
    """The data about a name in a range of days."""

    def __init__(self, rows: Sequence[tuple[int, InventoryCount]], start_at: int, end_at: float = inf) -> None:
        self.sampled = 0
        self.numbers: Counter[str] = Counter()
        for at, count in rows:
            if not start_at <= at < end_at:
                continue
            if count.counted is Measure.SAMPLED:
                self.sampled += count.number
            elif count.counted is Measure.PROPERTY:
                self.numbers[count.label] += count.number

    def shares(self) -> dict[str, float]:
        return {label: number / self.sampled for label, number in self.numbers.items()}
