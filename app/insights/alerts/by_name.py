"""The facts for alerts about event names, read from the inventory."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from typing import Final, TypeAlias
from urllib.parse import urlencode

from app.config.settings import AlertSettings
from app.core.events import EventKey, Measure, Outcome
from app.core.values.event_names import CHECKOUT
from app.core.values.times import DAY_S, HOUR_S
from app.insights.alerts.overall import LEAST_DAYS, MOST_DAYS, Alert
from app.insights.inventory.figures import Change, read_changes
from app.insights.product_feed import SENT_LABELS, UNKNOWN_SENT
from app.outbox.inventory import Inventory
from app.pipeline.received_names import title_of

#: Counts by measure and label.
Counts: TypeAlias = Mapping[tuple[Measure, str], int]
NOTHING_COUNTED: Final[Counts] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """The facts for the alerts about event names."""

    now: float
    #: Events of each hour by its start in Unix seconds, of nine days and the current hour.
    history: Mapping[EventKey, Mapping[int, int]]
    #: Counts of the last full hour and the current hour, by the start of the hour.
    lately: Mapping[EventKey, Mapping[int, Counts]] = field(default_factory=dict)
    #: Counts of the last seven days before today.
    before: Mapping[EventKey, Counts] = field(default_factory=dict)
    changes: Sequence[Change] = ()

    @property
    def running_at(self) -> int:
        """Return the start of the current hour, Unix seconds."""
        return int(self.now // HOUR_S) * HOUR_S

    @property
    def elapsed(self) -> float:
        """Return the elapsed part of the current hour, from 0 to 1."""
        return (self.now - self.running_at) / HOUR_S

    def counts(self, key: EventKey, hour_at: int) -> Counts:
        """Return the counts of a name in either hour."""
        return self.lately.get(key, {}).get(hour_at, NOTHING_COUNTED)


class NameReader:
    """Reads the facts; those that only change with the hour are read once an hour."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._read_at = 0
        self._history: dict[EventKey, dict[int, int]] = {}
        self._before: dict[EventKey, Counter[tuple[Measure, str]]] = {}
        self._changes: list[Change] = []

    async def read(self, now: float) -> NameFacts:
        """Return the facts for alerts at `now`. Raises OutboxUnavailable."""
        running_at = int(now // HOUR_S) * HOUR_S
        if self._read_at != running_at:
            await self._read_past(now, running_at)
            self._read_at = running_at
        measures = [Measure.RECEIVED, Measure.OUTCOME, Measure.SAMPLED, Measure.FOUND, Measure.CATALOGUE]
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
            since=today - MOST_DAYS * DAY_S,
            by_hour=False,
            counted=[Measure.OUTCOME, Measure.SAMPLED, Measure.FOUND, Measure.CATALOGUE],
        )
        self._changes = await read_changes(self._inventory, now=now)
        self._history, self._before = {}, {}
        for at, count in hours:
            self._history.setdefault(count.key, {})[at] = count.number
        for at, (key, measure, label, number) in days:
            if at < today:
                self._before.setdefault(key, Counter())[measure, label] += number


#: The kind of a change of a name, which is sent once and has no end; and the begin of its key.
CHANGED: Final = "changed"
NAMES_CHANGED: Final = f": {CHANGED} "
#: The required deviation of a count, in standard deviations: in a full hour, and in the current hour.
_FULL_Z, _RUNNING_Z = 4.0, 6.0
#: The current hour is judged after this part.
_RUNNING_PART: Final = 0.25
#: Silence is judged earlier, but events are not spread evenly over an hour.
_SILENT_PART: Final = 1 / 12
#: Counts vary by this share in addition to randomness, because no two days are alike.
_STRAY: Final = 0.1
#: A name has ceased if this number of events was expected since the last one: by chance once in 10^5 cases.
_CEASED: Final = 12
#: Minimum number of sampled checkouts for an alert about missing data.
_LEAST_SAMPLED: Final = 10
#: Maximum number of names with a separate alert of the same kind.
MOST_TOLD: Final = 5
_OUTCOMES: Final = {
    Outcome.UNMATCHED: "matched no preset",
    Outcome.INVALID: "were invalid",
    Outcome.DUPLICATE: "were duplicates",
    Outcome.WITHHELD: "were withheld",
}
_LACKING: Final = ("value", "currency")


@dataclass(frozen=True, slots=True)
class _Found:
    """A condition of a name, before the conditions of a kind are combined."""

    kind: str
    key: EventKey
    text: str
    #: The importance: the usual number of events.
    weight: float
    #: The address of its events after a blank; "" is the address of its name.
    link: str = ""


def by_name(facts: NameFacts, settings: AlertSettings) -> list[Alert]:
    """Return all active conditions of event names."""
    found: defaultdict[str, list[_Found]] = defaultdict(list)
    silent = _silent_sources(facts, settings)
    for key in sorted(facts.history):
        for one in _of_name(key, facts, settings, is_silent=key.source in silent):
            found[one.kind].append(one)
    alerts = [alert for kind, some in found.items() for alert in _told(kind, some, settings)]
    return [*silent.values(), *alerts, *_changes(facts, settings)]


def _told(kind: str, found: Sequence[_Found], settings: AlertSettings) -> Iterator[Alert]:
    """Yield an alert for each of the most important conditions, and a single alert for the rest."""
    first = sorted(found, key=lambda one: (-one.weight, one.key))
    for one in first[:MOST_TOLD]:
        yield Alert(
            key=f"{kind}: {'/'.join(one.key)}",
            text=f"{one.text}{one.link or link(settings.base_url, one.key)}",
            source=one.key.source,
        )
    if others := first[MOST_TOLD:]:
        yield Alert(key=f"{kind}: others", text=f"{len(others)} more event names: {kind}. See the inventory.")


def _of_name(key: EventKey, facts: NameFacts, settings: AlertSettings, *, is_silent: bool) -> Iterator[_Found]:
    history = facts.history[key]
    if (surged := _surged(key, history, facts, settings)) is not None:
        yield surged
    if not key.type:  # it represents others, or input that is not an event
        return
    fewer = None if is_silent else _ceased(key, history, facts) or _fell(key, history, facts, settings)
    if fewer is not None:
        yield fewer
    yield from _outcomes(key, facts, settings)
    yield from _lacking(key, facts, settings)
    if (off := _in_no_feed(key, facts, settings)) is not None:
        yield off


# Volume


def usual(history: Mapping[int, int], hour_at: int) -> tuple[float, float] | None:
    """Return the usual minimum and maximum of events in an hour; `None` if too few days are known."""
    began_at = min(history, default=hour_at)
    earlier = [hour_at - day * DAY_S for day in range(1, MOST_DAYS + 1)]
    counts = [history.get(at, 0) for at in earlier if at >= began_at]
    if len(counts) < LEAST_DAYS:
        return None
    of_days = median(counts)
    if len(counts) < MOST_DAYS:  # the first weekend may differ from the week
        return of_days / 2, of_days * 2
    return min(of_days, counts[-1]), max(of_days, counts[-1])


def deviations_above(count: float, expected: float) -> float:
    """Return the standard deviations between a count and a lower expected count."""
    return (count - expected) / sqrt(expected + (_STRAY * expected) ** 2) if expected else 0.0


def events_by_source(history: Mapping[EventKey, Mapping[int, int]]) -> dict[str, Counter[int]]:
    """Return how many events of each source arrived in each hour."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for key, hours in history.items():
        if key.type:
            found[key.source].update(hours)
    return found


def expected_events(history: Mapping[int, int], since: float, until: float) -> float | None:
    """Return how many events usually arrive from `since` to `until`; `None` if too few days are known."""
    expected = 0.0
    for hour_at in range(int(since // HOUR_S) * HOUR_S, int(until), HOUR_S):
        if (known := usual(history, hour_at)) is None:
            return None
        expected += known[0] * (min(until, hour_at + HOUR_S) - max(since, hour_at)) / HOUR_S
    return expected


def _silence(history: Mapping[int, int], facts: NameFacts) -> tuple[int, float] | None:
    """Return when the last hour with events ended and how many events are missing; `None` unless they are enough."""
    since = max((at for at, count in history.items() if count), default=facts.running_at) + HOUR_S
    until = facts.now if facts.elapsed >= _SILENT_PART else facts.running_at
    expected = expected_events(history, since, until)
    return None if expected is None or expected < _CEASED else (since, expected)


def _silent_sources(facts: NameFacts, settings: AlertSettings) -> dict[str, Alert]:
    """Return an alert for each source that sends nothing although events are expected."""
    found: dict[str, Alert] = {}
    for source, history in sorted(events_by_source(facts.history).items()):
        if silence := _silence(history, facts):
            since, expected = silence
            hours = (facts.now - since) / HOUR_S
            found[source] = Alert(
                key=f"silence: {source}",
                text=f"The source {source} is silent: no event for {hours:.1f} hours, {expected:.0f} expected."
                + _address(settings.base_url, "inventory", {"from": source}),
                source=source,
                since=since,
                events=round(expected),
            )
    return found


def _ceased(key: EventKey, history: Mapping[int, int], facts: NameFacts) -> _Found | None:
    """Return a condition if no event came since an hour, though many are expected."""
    if (silence := _silence(history, facts)) is None:
        return None
    since, expected = silence
    hours = (facts.now - since) / HOUR_S
    text = f"{_shown(key)} has stopped: none for {hours:.1f} hours, {expected:.0f} expected."
    return _Found("ceased", key, text, expected)


def _fell(key: EventKey, history: Mapping[int, int], facts: NameFacts, settings: AlertSettings) -> _Found | None:
    """Judge the current hour so far, then the last full hour, unless the current hour is normal."""
    part = facts.elapsed if facts.elapsed >= _RUNNING_PART else 0.0
    for hour_at, of_hour, z in ((facts.running_at, part, _RUNNING_Z), (facts.running_at - HOUR_S, 1.0, _FULL_Z)):
        known, count = usual(history, hour_at), history.get(hour_at, 0)
        if known is None or not of_hour or known[0] < settings.alert_limits.least_events:
            continue
        expected = known[0] * of_hour
        if count >= settings.alert_limits.fall * expected:
            return None
        if -deviations_above(count, expected) >= z:
            text = f"{_shown(key)} has fallen: {count} in {_hour(hour_at, facts)}, usually {expected:.0f}."
            return _Found("fallen", key, text, known[0])
    return None


def _surged(key: EventKey, history: Mapping[int, int], facts: NameFacts, settings: AlertSettings) -> _Found | None:
    for hour_at in (facts.running_at - HOUR_S, facts.running_at):
        known, count = usual(history, hour_at), history.get(hour_at, 0)
        limits = settings.alert_limits
        if known is not None and count > limits.surge * max(known[1], limits.least_events):
            text = f"{_shown(key)} has surged: {count} in {_hour(hour_at, facts)}, usually {known[1]:g}."
            return _Found("surged", key, text, count)
    return None


# Shares


def _outcomes(key: EventKey, facts: NameFacts, settings: AlertSettings) -> Iterator[_Found]:
    before = facts.before.get(key, NOTHING_COUNTED)
    for outcome, words in _OUTCOMES.items():
        for hour_at in (facts.running_at - HOUR_S, facts.running_at):
            counts = facts.counts(key, hour_at)
            judged = _share(
                counts,
                before,
                (Measure.OUTCOME, outcome.value),
                settings.alert_limits.least_events,
                settings.alert_limits.share,
            )
            if judged is not None:
                share, was, whole = judged
                number = counts[Measure.OUTCOME, outcome.value]
                told = f"{number} of {whole} ({share:.0%}) {words} in {_hour(hour_at, facts)}, usually {was:.0%}."
                link = list_link(settings.base_url, key, outcome, hour_at)
                yield _Found(outcome.value, key, f"{_shown(key)}: {told}", whole, link)
                break


def _share(
    counts: Counts, before: Counts, what: tuple[Measure, str], least: int, margin: float
) -> tuple[float, float, int] | None:
    """Return share, usual share and total of an outcome that is too frequent; `None` if it is not, or is unknown."""
    whole, whole_before = (_exits_of(each) for each in (counts, before))
    if min(whole, whole_before) < least:
        return None
    share, was = counts.get(what, 0) / whole, before.get(what, 0) / whole_before
    return (share, was, whole) if _is_above(share, was, whole, margin) else None


def _exits_of(counts: Counts) -> int:
    return sum(number for (measure, _), number in counts.items() if measure is Measure.OUTCOME)


def _is_above(share: float, was: float, whole: int, margin: float) -> bool:
    """Return whether a share exceeds the usual share by the margin, and by more than random variation."""
    spread = sqrt(whole * was * (1 - was) + 1 + (_STRAY * was * whole) ** 2)
    return share - was > margin and (share - was) * whole / spread >= _FULL_Z


def _lacking(key: EventKey, facts: NameFacts, settings: AlertSettings) -> Iterator[_Found]:
    """Return conditions about missing data in checkouts, from the sampled ones."""
    before = facts.before.get(key, NOTHING_COUNTED)
    sampled_before = before.get((Measure.SAMPLED, ""), 0)
    if 2 * before.get((Measure.FOUND, CHECKOUT), 0) < max(1, sampled_before) or sampled_before < _LEAST_SAMPLED:
        return
    for label in _LACKING:
        was = 1 - min(1.0, before.get((Measure.FOUND, label), 0) / sampled_before)
        for hour_at in (facts.running_at - HOUR_S, facts.running_at):
            counts = facts.counts(key, hour_at)
            sampled = counts.get((Measure.SAMPLED, ""), 0)
            if sampled < _LEAST_SAMPLED:
                continue
            share = 1 - min(1.0, counts.get((Measure.FOUND, label), 0) / sampled)
            if _is_above(share, was, sampled, settings.alert_limits.share):
                told = f"{share:.0%} without {label} in {_hour(hour_at, facts)}, usually {was:.0%}."
                yield _Found(f"without {label}", key, f"{_shown(key)}, a checkout: {told}", sampled)
                break


def _in_no_feed(key: EventKey, facts: NameFacts, settings: AlertSettings) -> _Found | None:
    """Return a condition if too many of the sent products are in no feed."""
    before = facts.before.get(key, NOTHING_COUNTED)
    whole_before = sum(before.get((Measure.CATALOGUE, label), 0) for label in SENT_LABELS)
    if whole_before < _LEAST_SAMPLED:
        return None
    was = before.get((Measure.CATALOGUE, UNKNOWN_SENT), 0) / whole_before
    for hour_at in (facts.running_at - HOUR_S, facts.running_at):
        counts = facts.counts(key, hour_at)
        whole = sum(counts.get((Measure.CATALOGUE, label), 0) for label in SENT_LABELS)
        share = counts.get((Measure.CATALOGUE, UNKNOWN_SENT), 0) / whole if whole >= _LEAST_SAMPLED else 0.0
        if _is_above(share, was, whole, settings.alert_limits.share):
            told = f"{share:.0%} of its products are in no feed in {_hour(hour_at, facts)}, usually {was:.0%}."
            return _Found("in no feed", key, f"{_shown(key)}: {told} `pinrelay feed` lists them.", whole)
    return None


# Changes


def _changes(facts: NameFacts, settings: AlertSettings) -> list[Alert]:
    worth = [
        each for each in facts.changes if each.what != "new name" or each.received >= settings.alert_limits.least_events
    ]
    alerts = [
        Alert(
            key=f"{NAMES_CHANGED}{'/'.join(each.key)} {each.what} {each.label}",
            text=f"{each.text}.{link(settings.base_url, each.key)}",
            kind=CHANGED,
            source=each.key.source,
        )
        for each in worth[: 2 * MOST_TOLD]
    ]
    if others := len(worth) - len(alerts):
        text = f"{others} more changes. See the inventory."
        alerts.append(Alert(key=f"{NAMES_CHANGED}others", text=text, kind=CHANGED))
    return alerts


def _shown(key: EventKey) -> str:
    return f"{title_of(key)} from {key.source}"


def _hour(hour_at: int, facts: NameFacts) -> str:
    return "the hour that runs" if hour_at == facts.running_at else "the last full hour"


def link(base_url: str, key: EventKey) -> str:
    """Return the console address of an event name after a blank; "" if the address is unknown."""
    return _address(base_url, "inventory/name", key._asdict())


def list_link(base_url: str, key: EventKey, outcome: Outcome, hour_at: int) -> str:
    """Return the console address of the list of events with an outcome in an hour, in the same form."""
    if outcome is Outcome.UNMATCHED:
        return link(base_url, key)
    filters = {"name": title_of(key), "source": key.source, "outcome": outcome.value}
    return _address(base_url, "deliveries", {**filters, "since": hour_at, "until": hour_at + HOUR_S})


def _address(base_url: str, page: str, query: Mapping[str, str | int]) -> str:
    return f" {base_url}/console/{page}?{urlencode(query)}" if base_url else ""
