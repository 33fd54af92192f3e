"""What is known of the names under which events arrive, read from the store, and what of it is new or gone."""

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

#: So many days are summed unless others are asked for.
DAYS: Final = 7
#: Of LOOKED_FOR, the columns of a list of names: in what part of the events it was found.
SHOWN: Final = ("value", "currency", "order id", "e-mail")
#: What became of events, behind a count, in the order of their way.
BECAME: Final[Mapping[str, str]] = {
    Outcome.ENQUEUED: "taken to be sent",
    Outcome.MERGED: "merged with another",
    Outcome.DUPLICATE: "duplicate",
    Outcome.INVALID: "invalid",
    Outcome.WITHHELD: "withheld",
    Outcome.MATCHED: "cancelling an order",
    Outcome.WITHDRAWN: "cancellation",  # as earlier versions counted it
    Outcome.UNMATCHED: "matched no preset",
    Outcome.REFUSED: "refused",
}
#: Labels of the states of deliveries, which follow a count.
STANDS: Final[Mapping[str, str]] = {
    State.DELIVERED: "delivered",
    "waiting": "waiting to be sent",
    State.DEAD: "dead",
    State.DISMISSED: "dismissed",
}
#: Last seen is told by the hour for so long, before that by the day.
_HOURS_LOOKED_BACK_S: Final = 2 * DAY_S


@dataclass(slots=True, kw_only=True)
class NameFigures:
    """What is known of one kind of event."""

    key: EventKey
    #: When the first day began, and the last hour (or day, where that is longer ago), on which it arrived.
    first_at: int
    last_at: int
    #: Events in the days that were asked for, by the start of the day (UTC).
    days: dict[int, int] = field(default_factory=dict)
    #: What became of them, by the start of the day and by outcome; an event that two presets took counts twice.
    outcomes_by_day: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Where the deliveries stand that were made of them, by the start of the day on which they came and by state.
    states_by_day: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: How many of them anyone could have sent.
    public: int = 0
    #: Which presets took them.
    presets: Counter[str] = field(default_factory=Counter)
    #: How many of them were looked into, and what was found in how many of these.
    sampled: int = 0
    found: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        return sum(self.days.values())

    @property
    def trust(self) -> str:
        """Whether they were trusted, as people read it."""
        if not self.public:
            return "trusted"
        return "public" if self.public >= self.received else f"{self.public:,} public"

    @property
    def outcomes(self) -> Counter[str]:
        return sum(self.outcomes_by_day.values(), Counter[str]())

    @property
    def told_days(self) -> list[int]:
        """The starts of the days on which anything arrived or was sent again, the latest first."""
        return sorted(self.days.keys() | self.states_by_day.keys(), reverse=True)

    @property
    def by_day(self) -> dict[int, dict[str, Any]]:
        """What was received on each of these days, what became of it, and where its deliveries stand."""
        outcomes, states = self.outcomes_by_day, self.states_by_day
        return {
            at: {"received": self.days.get(at, 0), "outcomes": outcomes[at], "states": states[at]}
            for at in self.told_days
        }

    @property
    def states(self) -> Counter[str]:
        return sum(self.states_by_day.values(), Counter[str]())

    @property
    def title(self) -> str:
        return title_of(self.key)

    @property
    def is_named(self) -> bool:
        """Whether it is a kind of event: not others, not what could not be read or what its source makes none of."""
        return self.key.type not in ("", RECORD)

    def share(self, label: str) -> float | None:
        """Return in which part of the sampled events one of LOOKED_FOR was found; None where none was sampled."""
        return self.found[label] / self.sampled if self.sampled else None

    @property
    def shares(self) -> dict[str, float]:
        """The shares of all of LOOKED_FOR; empty where no event was sampled."""
        return {label: self.found[label] / self.sampled for label in LOOKED_FOR} if self.sampled else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFigures:
    """One property of a kind of event, with one kind of value."""

    #: `properties.products[].price`
    path: str
    #: One of `counting.KINDS`.
    kind: str
    #: In how many of the sampled events it was.
    number: int
    #: In which part of them.
    share: float
    #: When the first and the last day began on which it was seen.
    first_at: int
    last_at: int
    #: Whether anything reads it; None where no preset takes such events.
    is_read: bool | None = None


def span_of(now: float, days: int, last_day: int | None = None) -> range:
    """Return the seconds of so many days of UTC, `last_day` (counted from 1970; None: today) being the last of them."""
    end = (int(now // DAY_S) if last_day is None else last_day) + 1
    return range((end - days) * DAY_S, end * DAY_S)


async def read_figures(
    inventory: Inventory, *, now: float, days: int, last_day: int | None = None, only: EventKey | None = None
) -> list[NameFigures]:
    """Return every kind of event that has arrived in so many days, as `span_of` has them, the most frequent first.

    `only` one of them where it is given. Raises OutboxUnavailable.
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
    """Return the properties that a kind of event carried in these days, as `span_of` has them, the most frequent first.

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
    """Return path and kind of a property.

    >>> split_label("properties.is new yes or no")
    ('properties.is new', 'yes or no')
    """
    kind = next(kind for kind in KINDS if label.endswith(f" {kind}"))
    return label[: -len(kind) - 1], kind


#: What changes are told by.
_TOLD_BY: Final = (Measure.RECEIVED, Measure.SAMPLED, Measure.PROPERTY)
#: A name is known, and a property is one of its own, after so many days before yesterday.
KNOWN_DAYS: Final = 3
#: So many events must have been looked into, before and lately, for something to be told of their properties.
LEAST_SAMPLED: Final = 20
#: A new property is told when it is in this part of the events, a vanished one when it was.
NEW_SHARE, VANISHED_SHARE = 0.05, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between what arrives now and what is usual."""

    key: EventKey
    what: Literal["new name", "new property", "vanished property", "changed kind"]
    #: Path and kind of the property; of a changed kind the path with the old and the new one; "" of a name.
    label: str = ""
    #: Of a new name: how often it has come.
    received: int = field(default=0, compare=False)

    @property
    def title(self) -> str:
        return title_of(self.key)

    @property
    def told(self) -> str:
        """What goes behind name and source to make a sentence, but for the full stop."""
        if self.what == "new name":
            return " is new"
        told = {"new property": "is new", "vanished property": "is missing", "changed kind": "changed"}[self.what]
        return f": {self.label} {told}"

    @property
    def text(self) -> str:
        return f"{self.title} from {self.key.source}{self.told}"


async def read_changes(inventory: Inventory, *, now: float) -> list[Change]:
    """Return what changed yesterday or today, against the days before. Raises OutboxUnavailable."""
    rows = await inventory.read(since=0, by_hour=False, counted=_TOLD_BY)
    return changes(rows, now=now)


def changes(rows: Sequence[tuple[int, InventoryCount]], *, now: float) -> list[Change]:
    """Return what changed by counts of days (their start in Unix seconds, UTC)."""
    recent_at = int(now // DAY_S - 1) * DAY_S
    began_at = min((at for at, _ in rows), default=recent_at)
    if began_at > recent_at - KNOWN_DAYS * DAY_S:
        return []  # all is new
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
    """Return the changes of the properties of a name; one that is both new and gone has changed its kind."""
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
    """What was seen of a name in days that began in a span."""

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
