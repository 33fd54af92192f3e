"""Match quality: how well events can be matched to people, over time, and the largest possible gains."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from app.catalog import Catalog, Preset
from app.console.counts import PresetCounts, StepCounts, Summary, TimedCounters, comparison_shifts, narrowed, summarise
from app.console.filter import PERIODS, PageFilter, Period, filter_of
from app.console.labels import OTHER_KEY_LABELS, applicable
from app.console.pages import PageGroup, Pages
from app.console.services import ConsoleServices
from app.core.events import CounterRow, Outcome
from app.core.fields import APPS, MATCH_FIELDS
from app.destination import COMPONENTS
from app.outbox import NO_COUNTRY

#: Maximum number of recommendations.
_SAID: Final = 5
#: Maximum number of sources in each recommendation.
_SOURCES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetKeys:
    """The event name and action source of a preset's events, "" if they depend on the event."""

    event_name: str
    action_source: str

    def can_carry(self, component: str, seen: int) -> bool:
        """Return whether events of the preset can have a component; `seen` is the number of events with it."""
        carriers = MATCH_FIELDS[component].key.carriers
        return bool(seen) or not carriers or getattr(self, carriers.column) in {"", *carriers.values}

    def is_asked_for(self, component: str, seen: int) -> bool:
        """Return whether events of the preset should have a component; device ids are only expected from apps."""
        is_of_apps = MATCH_FIELDS[component].key.carriers is APPS
        return self.can_carry(component, seen) and (not is_of_apps or self.action_source in APPS.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdvice:
    """The number of events without a component, with the remedy."""

    component: str
    #: The number of events, and of those that could have it and do not.
    events: int
    missing: int
    #: The number of unreadable or corrected values; and the warning by which to find them.
    unread: int
    warning: str
    #: Those that are phone numbers without a country.
    without_country: int
    remedy: str
    #: The gain of the total score in points if all events had it; 0 for a key that is not in the score.
    points: float = 0
    #: The sources with the most such events: source, number without it, total.
    sources: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrend:
    """The share of events with a key, of those that can have it, over a period."""

    component: str
    events: int
    carried: int
    #: The share in each step of the period, in percent; 0 without events.
    shares: tuple[int, ...]

    @property
    def line(self) -> str:
        """Return the shares as an area: the `d` of an SVG path, ten units for each step and a hundred high."""
        return "M0 100" + "".join(f"V{100 - share}h10" for share in self.shares) + "V100"


def keys_of_presets(catalog: Catalog, names: Iterable[str]) -> Mapping[str, PresetKeys]:
    """Return the possible keys of each preset's events: of the catalog, and of removed presets in `names`."""
    keys = dict.fromkeys(names, PresetKeys(event_name="", action_source=""))
    for preset in catalog.presets:
        event_name, action_source = (_fixed(preset, field) for field in ("event_name", "action_source"))
        keys[preset.name] = PresetKeys(event_name=event_name, action_source=action_source)
    return keys


def _fixed(preset: Preset, field: str) -> str:
    """Return the constant value of a preset's field; "" if it depends on the event."""
    value = preset.mapping.literal(field)
    return value if isinstance(value, str) else ""


def busy_presets(summary: Summary) -> list[PresetCounts]:
    """Return the presets with enqueued events, those with the most first."""
    busy = [each for each in summary.presets if each.counts[Outcome.ENQUEUED]]
    return sorted(busy, key=lambda each: -each.counts[Outcome.ENQUEUED])


def overall_score(presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]) -> int:
    """Return the share of components in the events of some presets, of those that they can have, in percent."""
    carried, possible = _carried(presets, keys, components)
    return round(100 * carried / possible) if possible else 0


def _carried(
    presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> tuple[int, int]:
    able = [(each, name) for each in presets for name in components if _can(each, keys, name)]
    return sum(each.quality[name] for each, name in able), sum(each.counts[Outcome.ENQUEUED] for each, _ in able)


def _can(counts: PresetCounts, keys: Mapping[str, PresetKeys], name: str) -> bool:
    return keys[counts.name].can_carry(name, counts.quality[name])


def missing_keys(
    presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> list[tuple[str, int]]:
    """Return the missing components with the number of events that should have them, the most frequent first."""
    found = []
    for name in components:
        asked = [each for each in presets if keys[each.name].is_asked_for(name, each.quality[name])]
        found.append((name, sum(each.counts[Outcome.ENQUEUED] - each.quality[name] for each in asked)))
    return sorted((each for each in found if each[1] > 0), key=lambda each: -each[1])


def ranked_advice(
    presets: Sequence[PresetCounts],
    keys: Mapping[str, PresetKeys],
    components: Sequence[str],
    warnings: Mapping[str, int] = MappingProxyType({}),
    settings: Collection[str] = (),
    *,
    counters: Iterable[tuple[int, CounterRow]] = (),
    scored: Sequence[str] = (),
) -> list[KeyAdvice]:
    """Return the most frequent missing components of events that can have them.

    A key in Pinterest's score (`scored`) counts twice. `warnings` are counts by label, `settings` those that are set;
    `counters` show the sources of events without a key.
    """
    found = []
    sources, possible = _by_source(counters), _carried(presets, keys, scored)[1]
    for component in components:
        able = [
            each
            for each in presets
            if each.name in keys and keys[each.name].is_asked_for(component, each.quality[component])
        ]
        events = sum(each.counts["enqueued"] for each in able)
        missing = events - sum(each.quality[component] for each in able)
        field = MATCH_FIELDS[component]
        if missing > 0 and field.key.advice:
            warning = f"{field.part}.{field.name}" if field.part != "event" else field.name
            without_country = warnings.get(NO_COUNTRY, 0) if component == "phone" else 0
            advice = KeyAdvice(
                component=component,
                events=events,
                missing=missing,
                unread=_times(warning, warnings) + without_country,
                warning=warning,
                without_country=without_country,
                remedy=applicable(field.key.advice, settings),
                points=100 * missing / possible if component in scored else 0,
                sources=_lacking(sources, {each.name for each in able}, component),
            )
            found.append(advice)
    return sorted(found, key=lambda advice: -advice.missing * (1 if advice.component in OTHER_KEY_LABELS else 2))[
        :_SAID
    ]


#: Numbers of enqueued events by (preset, source, match key, "" for all events).
_OfSources: TypeAlias = Mapping[tuple[str, str, str], int]


def _by_source(counters: Iterable[tuple[int, CounterRow]]) -> _OfSources:
    found: Counter[tuple[str, str, str]] = Counter()
    for _, counter in counters:
        if counter.name in (Outcome.ENQUEUED, "quality"):
            found[counter.preset, counter.source, counter.label if counter.name == "quality" else ""] += counter.count
    return found


def _lacking(counted: _OfSources, presets: Collection[str], component: str) -> tuple[tuple[str, int, int], ...]:
    events: Counter[str] = Counter()
    carried: Counter[str] = Counter()
    for (preset, source, key), count in counted.items():
        if preset in presets and key in ("", component):
            (carried if key else events)[source] += count
    lacking = ((source, count - carried[source], count) for source, count in events.items() if count > carried[source])
    return tuple(sorted(lacking, key=lambda each: -each[1])[:_SOURCES])


def _times(field: str, warnings: Mapping[str, int]) -> int:
    """Return the number of warnings about a field at any place: `user_data.phone (properties.phone)`."""
    return sum(
        count for label, count in warnings.items() if field and label.partition(" (")[0].removesuffix(":") == field
    )


class StepsOfKeys:
    """Enqueued events in each step, with their keys, by preset."""

    def __init__(self, counters: Iterable[tuple[int, CounterRow]], starts: Sequence[int]) -> None:
        """Use counts with their times, and the starts of at least two steps."""
        self._starts = starts
        step_s = starts[1] - starts[0]
        self._events: Counter[tuple[str, int]] = Counter()
        self._carried: Counter[tuple[str, str, int]] = Counter()
        for at, counter in counters:
            start = at // step_s * step_s
            if counter.name == Outcome.ENQUEUED:
                self._events[counter.preset, start] += counter.count
            elif counter.name == "quality":
                self._carried[counter.preset, counter.label, start] += counter.count

    def shares(self, keys: Iterable[tuple[str, str]]) -> tuple[int, ...]:
        """Return the percentage of events with these keys, each (preset, key), by step, of those that can have them."""
        asked = list(keys)
        return tuple(self._share(asked, start) for start in self._starts)

    def _share(self, keys: Sequence[tuple[str, str]], start: int) -> int:
        possible = sum(self._events[preset, start] for preset, _ in keys)
        carried = sum(self._carried[preset, name, start] for preset, name in keys)
        return round(100 * carried / possible) if possible else 0


def shares_of_all(
    counted: StepsOfKeys, presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> tuple[int, ...]:
    """Return the score of the events of some presets in each step; 0 without events."""
    return counted.shares((each.name, name) for each in presets for name in components if _can(each, keys, name))


def key_trends(
    counted: StepsOfKeys,
    presets: Sequence[PresetCounts],
    keys: Mapping[str, PresetKeys],
    components: Sequence[str],
) -> list[KeyTrend]:
    """Return the share of each key over time in the events that can have it; other keys are omitted."""
    found = []
    for name in components:
        able = [each for each in presets if keys[each.name].can_carry(name, each.quality[name])]
        if able:
            trend = KeyTrend(
                component=name,
                events=sum(each.counts[Outcome.ENQUEUED] for each in able),
                carried=sum(each.quality[name] for each in able),
                shares=counted.shares((each.name, name) for each in able),
            )
            found.append(trend)
    return found


#: The default period.
_USUAL: Final = next(period for period in PERIODS if period.name == "week")
#: Maximum number of missing keys in a line.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """The score of the events of a preset, of an ad account, or of both."""

    name: str
    #: "" for all.
    preset: str
    ad_account_id: str
    events: int
    score: int
    #: The score in the compared period; `None` without events or comparison.
    before: int | None
    #: In each step of the period, as in `KeyTrend.shares`.
    shares: tuple[int, ...]
    #: The most frequent missing keys, with the number of events without them.
    missing: tuple[tuple[str, int], ...]

    @property
    def change(self) -> int:
        """Return the change of the score in points; 0 if unknown."""
        return 0 if self.before is None else self.score - self.before

    @property
    def trend(self) -> KeyTrend:
        return KeyTrend(component=self.name, events=self.events, carried=0, shares=self.shares)


class QualityPages(PageGroup):
    """The page of match quality."""

    def __init__(self, services: ConsoleServices, pages: Pages) -> None:
        super().__init__(services, pages)
        self._counts = StepCounts(services.outbox, names=(Outcome.ENQUEUED, "quality", "memory", "warning"))

    async def show(self, request: Request) -> Response:
        """Show the score and the possible gains."""
        chosen, now = filter_of(request), self._services.clock()
        period, components = chosen.period or _USUAL, COMPONENTS
        shifts = comparison_shifts(period, now=now, kept_s=self._services.settings.ledger_s)
        shift = shifts.get(chosen.against or "before")
        start = period.starts(now)[0]
        read = await self._counts.read(since=start - (shift or 0), step_s=period.step_s, now=now)
        counted = narrowed(read, account=chosen.account_id, source=chosen.source)
        view = _View(counted, period, shift, now, self._services.running.catalog, components)
        every = (*components, *OTHER_KEY_LABELS)
        busy, keys, whole = busy_presets(view.summary), view.keys, view.line("All events")
        return self._pages.render(
            request,
            "quality.html",
            obeys=("account", "from", "period", "against"),
            usual=_USUAL.label,
            nav="quality",
            period=period,
            before=period.named_before(shift) if shift and whole.before is not None else "",
            whole=whole,
            lines=view.lines(chosen, self._services),
            advice=view.advice(busy, every, self._services.settings_set),
            trends=key_trends(view.steps, busy, keys, every),
            components=components,
            busy=busy,
            keys=keys,
            starts=view.summary.starts,
            span={"since": start} | ({"until": until} if (until := period.until(now)) else {}),
        )


class _View:
    """The counts of match keys in a period, and in the compared period."""

    def __init__(
        self,
        counted: TimedCounters,
        period: Period,
        shift: int | None,
        now: float,
        catalog: Catalog,
        components: Sequence[str],
    ) -> None:
        start, until = period.starts(now)[0], period.complete_until(now)
        self.counted = [(at, counter) for at, counter in counted if at >= start]
        self.keys, self.components = keys_of_presets(catalog, (counter.preset for _, counter in counted)), components
        self._period, self._now = period, now
        self.summary = self._summary(self.counted)
        self.steps = StepsOfKeys(self.counted, self.summary.starts)
        moved = [(at + shift, counter) for at, counter in counted if at < until - shift] if shift else []
        self._earlier = self._summary(moved)
        self._moved = moved

    def _summary(self, counted: TimedCounters) -> Summary:
        return summarise(counted, self._period, (), now=self._now)

    def advice(self, busy: Sequence[PresetCounts], every: Sequence[str], settings: Collection[str]) -> list[KeyAdvice]:
        """Return the recommendations; `settings` are those that are already set."""
        warned, scored = self.summary.warned, self.components
        return ranked_advice(busy, self.keys, every, warned, settings, counters=self.counted, scored=scored)

    def line(self, name: str, *, preset: str = "", account: str = "") -> ScoreLine:
        """Return the score of a preset's events, or of an ad account's."""
        counted, moved = self.counted, self._moved
        now, earlier, steps = self.summary, self._earlier, self.steps
        if account:
            counted, moved = (narrowed(each, account=account, source="") for each in (counted, moved))
            now, earlier = self._summary(counted), self._summary(moved)
            steps = StepsOfKeys(counted, now.starts)
        of, then = ([each for each in busy_presets(one) if preset in ("", each.name)] for one in (now, earlier))
        return ScoreLine(
            name=name,
            preset=preset,
            ad_account_id=account,
            events=sum(each.counts[Outcome.ENQUEUED] for each in of),
            score=overall_score(of, self.keys, self.components),
            before=overall_score(then, self.keys, self.components) if then else None,
            shares=shares_of_all(steps, of, self.keys, self.components),
            missing=tuple(missing_keys(of, self.keys, self.components)[:_NAMED]),
        )

    def lines(self, chosen: PageFilter, services: ConsoleServices) -> list[ScoreLine]:
        """Return a line for each ad account, if there are several, and a line for each preset."""
        accounts = services.accounts if not chosen.account else ()
        by_account = [self.line(each.shown, account=each.ad_account_id) for each in accounts if len(accounts) > 1]
        by_preset = [self.line(each.name, preset=each.name) for each in busy_presets(self.summary)]
        return [each for each in (*by_account, *by_preset) if each.events]
