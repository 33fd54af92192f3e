"""Some weeks of a shop's events by name, in five minutes each: a rhythm of day and week, chance, and planted faults."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.core.events import EventKey, Measure
from app.core.values.event_names import CHECKOUT
from app.core.values.times import DAY_S, HOUR_S
from app.insights.alerts.by_name import Counts, NameFacts

SLOT_S = 300
#: The start of a Monday (UTC).
MONDAY = 20_003 * DAY_S

ORDER = EventKey("shop", "track", "Order Completed")
VIEW = EventKey("shop", "track", "Product Viewed")
PAGE = EventKey("shop", "page", "")
LOGIN = EventKey("shop", "identify", "")
ODD = EventKey("shop", "track", "Cart Abandoned")
LEAD = EventKey("app", "track", "Generate Lead")
NO_EVENT = EventKey("app", "", "")
#: Events of an hour at noon of a working day.
AT_NOON: Mapping[EventKey, float] = {
    ORDER: 60, VIEW: 2_500, PAGE: 9_000, LOGIN: 150, ODD: 25, LEAD: 3, NO_EVENT: 1,
}  # fmt: skip
#: The parts that leave by each outcome; the rest is taken to be sent.
EXITS: Mapping[EventKey, Mapping[str, float]] = {
    ORDER: {"invalid": 0.02, "duplicate": 0.05, "withheld": 0.08},
    VIEW: {"invalid": 0.01, "withheld": 0.1},
    PAGE: {"withheld": 0.1},
    LOGIN: {"unmatched": 1.0},
    ODD: {"unmatched": 1.0},
    LEAD: {"invalid": 0.3},
    NO_EVENT: {"refused": 1.0},
}
_MORE: Mapping[str, float] = {"value": 0.97, "currency": 0.9, CHECKOUT: 1.0}


@dataclass(kw_only=True)
class Slot:
    """Five minutes of one name."""

    received: int
    counts: Counter[tuple[Measure, str]] = field(default_factory=Counter)


#: Changes what comes in a slot: (its start, name, rate, parts by outcome, parts with something found) in place or anew.
Fault = Callable[[int, EventKey, float, dict[str, float], dict[str, float]], float]


def no_fault(_at: int, _key: EventKey, rate: float, _exits: dict[str, float], _found: dict[str, float]) -> float:
    return rate


def rhythm(at: int) -> float:
    """The part of the busiest hour that comes at a time: little by night, less on weekends, most at noon."""
    day = 0.55 - 0.45 * math.cos((at % DAY_S) / DAY_S * 2 * math.pi)
    return day * (0.5 if (at // DAY_S - MONDAY // DAY_S) % 7 >= 5 else 1)


class Shop:
    """Where the events come from: what it gives is drawn anew, so that a copy of it goes on like itself."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._at = MONDAY

    def next_slots(self, fault: Fault = no_fault) -> tuple[int, dict[EventKey, Slot]]:
        """Return (the end of the next five minutes, what came in them), from MONDAY on."""
        at, rng = self._at, self._rng
        slots = {}
        for key, at_noon in AT_NOON.items():
            outcomes, found = dict(EXITS[key]), dict(_MORE) if key is ORDER else {}
            rate = fault(at, key, at_noon * rhythm(at) * SLOT_S / HOUR_S * rng.lognormvariate(0, 0.1), outcomes, found)
            slots[key] = _slot(poisson(rate, rng), outcomes, found, rng)
        self._at += SLOT_S
        return self._at, slots


def _slot(received: int, outcomes: Mapping[str, float], found: Mapping[str, float], rng: random.Random) -> Slot:
    slot = Slot(received=received)
    slot.counts[Measure.RECEIVED, ""] = received
    left = received
    for outcome, part in outcomes.items():
        count = min(left, binomial(received, part, rng))
        slot.counts[Measure.OUTCOME, outcome] = count
        left -= count
    slot.counts[Measure.OUTCOME, "enqueued"] = left
    slot.counts[Measure.SAMPLED, ""] = sampled = min(received, 20)
    if "value" in found:  # of a product each, which the feed knows or not
        unknown = round(sampled * found.get("in no feed", 0.05))
        slot.counts[Measure.CATALOGUE, "sent unknown"] = unknown
        slot.counts[Measure.CATALOGUE, "sent item"] = sampled - unknown
    for label, part in found.items():
        slot.counts[Measure.FOUND, label] = binomial(sampled, part, rng)
    return slot


def poisson(mean: float, rng: random.Random) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = rng.random()
    while product > left:
        count += 1
        product *= rng.random()
    return count


def binomial(count: int, part: float, rng: random.Random) -> int:
    if count > 100:
        return min(count, max(0, round(rng.gauss(count * part, math.sqrt(count * part * (1 - part))))))
    return sum(rng.random() < part for _ in range(count))


class Seen:
    """What an inventory would show of it, as time goes by."""

    def __init__(self) -> None:
        self._history: defaultdict[EventKey, dict[int, int]] = defaultdict(dict)
        self._hours: defaultdict[EventKey, dict[int, Counter[tuple[Measure, str]]]] = defaultdict(dict)
        self._days: defaultdict[EventKey, dict[int, Counter[tuple[Measure, str]]]] = defaultdict(dict)
        self._summed: tuple[int, dict[EventKey, Counts]] = (0, {})

    def add(self, ends_at: int, slots: Mapping[EventKey, Slot]) -> None:
        begins_at = ends_at - SLOT_S
        hour, day = begins_at // HOUR_S * HOUR_S, begins_at // DAY_S * DAY_S
        for key, slot in slots.items():
            if slot.received:
                self._history[key][hour] = self._history[key].get(hour, 0) + slot.received
            self._hours[key].setdefault(hour, Counter()).update(slot.counts)
            self._days[key].setdefault(day, Counter()).update(slot.counts)

    def facts(self, now: int) -> NameFacts:
        first_hour = now // HOUR_S * HOUR_S - HOUR_S
        first_of_history = now // HOUR_S * HOUR_S - 8 * DAY_S
        return NameFacts(
            now=now,
            history={
                key: {at: count for at, count in hours.items() if at >= first_of_history}
                for key, hours in self._history.items()
            },
            lately={
                key: {at: hours[at] for at in (first_hour, first_hour + HOUR_S) if at in hours}
                for key, hours in self._hours.items()
            },
            before=self._before(now // DAY_S * DAY_S),
        )

    def _before(self, today: int) -> dict[EventKey, Counts]:
        """Return the sums of the seven days before, which are made once a day."""
        if self._summed[0] != today:
            before: dict[EventKey, Counts] = {}
            for key, days in self._days.items():
                summed: Counter[tuple[Measure, str]] = Counter()
                for day, counts in days.items():
                    if today - 7 * DAY_S <= day < today:
                        summed.update(counts)
                before[key] = summed
            self._summed = today, before
        return self._summed[1]
