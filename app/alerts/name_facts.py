"""What kinds of events are judged by, read from the inventory."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from app.alerts.overall import MOST_DAYS
from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S, HOUR_S
from app.inventory.drift import Change, read_changes
from app.outbox.inventory import Inventory

#: What was counted, with its label.
Counts: TypeAlias = Mapping[tuple[Measure, str], int]
NOTHING_COUNTED: Final[Counts] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """All that kinds of events are judged by."""

    now: float
    #: Events of each hour by its start in Unix seconds, of nine days and the hour that runs.
    history: Mapping[EventKey, Mapping[int, int]]
    #: What was counted in the last full hour and the one that runs, by the start of the hour.
    lately: Mapping[EventKey, Mapping[int, Counts]] = field(default_factory=dict)
    #: What was counted in the last seven days before today.
    before: Mapping[EventKey, Counts] = field(default_factory=dict)
    changes: Sequence[Change] = ()

    @property
    def running_at(self) -> int:
        """When the current hour began, Unix seconds."""
        return int(self.now // HOUR_S) * HOUR_S

    @property
    def elapsed(self) -> float:
        """Return which part of the current hour is over, from 0 to 1."""
        return (self.now - self.running_at) / HOUR_S

    def counts(self, key: EventKey, hour_at: int) -> Counts:
        """Return what was counted of a name in one of the two hours."""
        return self.lately.get(key, {}).get(hour_at, NOTHING_COUNTED)


class NameReader:
    """Reads the facts; what changes by the hour only is read once an hour."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._read_at = 0
        self._history: dict[EventKey, dict[int, int]] = {}
        self._before: dict[EventKey, Counter[tuple[Measure, str]]] = {}
        self._changes: list[Change] = []

    async def read(self, now: float) -> NameFacts:
        """Return what kinds of events are judged by at `now`. Raises OutboxUnavailable."""
        running_at = int(now // HOUR_S) * HOUR_S
        if self._read_at != running_at:
            await self._read_past(now, running_at)
            self._read_at = running_at
        measures = [Measure.RECEIVED, Measure.EXIT, Measure.SAMPLED, Measure.FOUND]
        rows = await self._inventory.read(since=running_at - HOUR_S, by_hour=True, counted=measures)
        lately: defaultdict[EventKey, defaultdict[int, Counter[tuple[Measure, str]]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        for at, (key, measure, label, number) in rows:
            lately[key][at][measure, label] += number
            if measure is Measure.RECEIVED:
                self._history.setdefault(key, {})[at] = number
        return NameFacts(now=now, history=self._history, lately=lately, before=self._before, changes=self._changes)

    async def _read_past(self, now: float, running_at: int) -> None:
        today = int(now // DAY_S) * DAY_S
        hours = await self._inventory.read(
            since=running_at - (MOST_DAYS + 1) * DAY_S, by_hour=True, counted=[Measure.RECEIVED]
        )
        days = await self._inventory.read(
            since=today - MOST_DAYS * DAY_S, by_hour=False, counted=[Measure.EXIT, Measure.SAMPLED, Measure.FOUND]
        )
        self._changes = await read_changes(self._inventory, now=now)
        self._history, self._before = _by_hour(hours), {}
        for at, (key, measure, label, number) in days:
            if at < today:
                self._before.setdefault(key, Counter())[measure, label] += number


def _by_hour(rows: Sequence[tuple[int, InventoryCount]]) -> dict[EventKey, dict[int, int]]:
    history: dict[EventKey, dict[int, int]] = {}
    for at, count in rows:
        history.setdefault(count.key, {})[at] = count.number
    return history
