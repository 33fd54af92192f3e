"""Which match keys an event of a preset can carry at all, how well it does over time, and what brings most. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from app.catalog import Catalog, Preset
from app.console.counts import PresetCounts, Summary
from app.console.labels import OTHER_KEY_LABELS, applicable
from app.core.events import CounterRow, Exit
from app.outbox import NO_COUNTRY

#: Of apps only; of the web only; of orders only; of what is about products, or where any event of the preset has it.
_OF_APPS: Final = frozenset({"hashed_maid"})
_OF_WEB: Final = frozenset({"click_id_epik", "source_url"})
_OF_ORDERS: Final = frozenset({"order_id"})
_OF_PRODUCTS: Final = frozenset({"order_value", "product_id"})
_ABOUT_PRODUCTS: Final = frozenset({"", "checkout", "add_to_cart"})
_APPS: Final = frozenset({"app_ios", "app_android"})
#: Of which field a key is made, as warnings name it, where senders get it wrong.
_WARNED: Final[Mapping[str, str]] = {
    "hashed_email": "user_data.email",
    "phone": "user_data.phone",
    "hashed_maid": "user_data.hashed_maids",
    "ip_address": "user_data.client_ip_address",
    "country": "user_data.country",
    "state": "user_data.state",
    "zip": "user_data.zip",
}
#: So many pieces of advice are given.
_SAID: Final = 5
#: And of each so many sources are named.
_SOURCES: Final = 3

#: What to do where a component is missing.
_REMEDIES: Final[Mapping[str, str]] = {
    "hashed_email": "send the address (`context.traits.email`)"
    "[REMEMBER_DAYS|, or let `identify` do it and switch on identity memory]",
    "hashed_maid": "send the device's advertising id (`context.device.advertisingId`), where the person permits it",
    "ip_address": "send the visitor's address (`context.ip`), not that of a server",
    "user_agent": "send the visitor's `context.userAgent`",
    "advertiser_external_id": "send a `userId` of your own[REMEMBER_DAYS|, or let identity memory know it]",
    "click_id_epik": "let the landing page's `epik` reach every event: `/pinrelay.js`"
    "[REMEMBER_DAYS|, or identity memory]",
    "order_id": "send `properties.order_id`: without it an order cannot be known again",
    "order_value": "send `properties.revenue`, `total` or `value` with `currency`",
    "product_id": "send `properties.products` with a `product_id` or `sku` each",
    "source_url": "send `context.page.url`",
    "phone": "send `context.traits.phone` as +49 30 901820"
    "[DEFAULT_COUNTRY|; DEFAULT_COUNTRY reads numbers without their country]",
    "first_name": "send `context.traits.firstName`",
    "last_name": "send `context.traits.lastName`",
    "city": "send `context.traits.address.city`",
    "state": "send `context.traits.address.state`",
    "zip": "send `context.traits.address.postalCode`",
    "country": "send `context.traits.address.country`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetKeys:
    """What the keys of one preset's events are about: as the preset says it, "" where an event decides."""

    event_name: str
    action_source: str

    def can_carry(self, component: str, seen: int) -> bool:
        """Return whether a component can stand in events of the preset; `seen` is how many carried it."""
        if seen:
            return True
        if component in _OF_APPS:
            return self.action_source in {"", *_APPS}
        if component in _OF_WEB:
            return self.action_source in {"", "web"}
        if component in _OF_ORDERS:
            return self.event_name in {"", "checkout"}
        if component in _OF_PRODUCTS:
            return self.event_name in _ABOUT_PRODUCTS
        return True

    def is_asked_for(self, component: str, seen: int) -> bool:
        """Return whether events of the preset should carry it; ids of devices are asked of events of apps alone."""
        return self.can_carry(component, seen) and (component not in _OF_APPS or self.action_source in _APPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdvice:
    """How many events lack one component, and what the operator can do about it."""

    component: str
    #: Of so many events, so many could carry it and do not.
    events: int
    missing: int
    #: So many times there was one that could not be read, or not as it stood; by which warning these are found.
    unread: int
    warning: str
    #: Of these, phone numbers of no country.
    without_country: int
    remedy: str
    #: By how many points the score of all events grows where none lacks it; 0 of a key that is not in the score.
    points: float = 0
    #: Where most of them come from: source, how many lack it, of so many.
    sources: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTrend:
    """In how many of the events that can carry it a key stands, over a period."""

    component: str
    events: int
    carried: int
    #: The share in each step of the period, in percent; 0 where nothing was to be sent.
    shares: tuple[int, ...]

    @property
    def line(self) -> str:
        """The shares as an area: the `d` of an SVG path, ten units a step and a hundred high."""
        return "M0 100" + "".join(f"V{100 - share}h10" for share in self.shares) + "V100"


def keys_of_presets(catalog: Catalog, names: Iterable[str]) -> Mapping[str, PresetKeys]:
    """Return which keys the events of each preset can carry: of the catalog, and of those named that are gone."""
    keys = dict.fromkeys(names, PresetKeys(event_name="", action_source=""))
    for preset in catalog.presets:
        event_name, action_source = (_fixed(preset, field) for field in ("event_name", "action_source"))
        keys[preset.name] = PresetKeys(event_name=event_name, action_source=action_source)
    return keys


def _fixed(preset: Preset, field: str) -> str:
    """Return what a preset always sends in a field; "" where the event decides."""
    value = preset.mapping.literal(field)
    return value if isinstance(value, str) else ""


def busy_presets(summary: Summary) -> list[PresetCounts]:
    """Return the presets that took anything to be sent, those that took most first."""
    busy = [each for each in summary.presets if each.counts[Exit.ENQUEUED]]
    return sorted(busy, key=lambda each: -each.counts[Exit.ENQUEUED])


def overall_score(presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]) -> int:
    """Return the share of the components that the events of some presets carry, of those that they can: percent."""
    carried, possible = _carried(presets, keys, components)
    return round(100 * carried / possible) if possible else 0


def _carried(
    presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> tuple[int, int]:
    able = [(each, name) for each in presets for name in components if _can(each, keys, name)]
    return sum(each.quality[name] for each, name in able), sum(each.counts[Exit.ENQUEUED] for each, _ in able)


def _can(counts: PresetCounts, keys: Mapping[str, PresetKeys], name: str) -> bool:
    return keys[counts.name].can_carry(name, counts.quality[name])


def missing_keys(
    presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> list[tuple[str, int]]:
    """Return the components that events lack, each with how many should carry it and do not, the most first."""
    found = []
    for name in components:
        asked = [each for each in presets if keys[each.name].is_asked_for(name, each.quality[name])]
        found.append((name, sum(each.counts[Exit.ENQUEUED] - each.quality[name] for each in asked)))
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
    """Return what is missing most among events that can carry it, the most first.

    A key that Pinterest's score knows, which are the `scored`, counts twice. `warnings` are counts by label, `settings`
    those that are set; by `counters` it is said where events come from that lack a key.
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
        if missing > 0 and component in _REMEDIES:
            warning = _WARNED.get(component, "")
            without_country = warnings.get(NO_COUNTRY, 0) if component == "phone" else 0
            advice = KeyAdvice(
                component=component,
                events=events,
                missing=missing,
                unread=_times(warning, warnings) + without_country,
                warning=warning,
                without_country=without_country,
                remedy=applicable(_REMEDIES[component], settings),
                points=100 * missing / possible if component in scored else 0,
                sources=_lacking(sources, {each.name for each in able}, component),
            )
            found.append(advice)
    return sorted(found, key=lambda advice: -advice.missing * (1 if advice.component in OTHER_KEY_LABELS else 2))[
        :_SAID
    ]


#: Of each (preset, source, match key, "" for events): how many were to be sent.
_OfSources: TypeAlias = Mapping[tuple[str, str, str], int]


def _by_source(counters: Iterable[tuple[int, CounterRow]]) -> _OfSources:
    found: Counter[tuple[str, str, str]] = Counter()
    for _, counter in counters:
        if counter.name in (Exit.ENQUEUED, "quality"):
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
    """Return how often one warned of a field, wherever the event had it: `user_data.phone (properties.phone)`."""
    return sum(
        count for label, count in warnings.items() if field and label.partition(" (")[0].removesuffix(":") == field
    )


class StepsOfKeys:
    """What was to be sent in each step, and with which keys, by preset."""

    def __init__(self, counters: Iterable[tuple[int, CounterRow]], starts: Sequence[int]) -> None:
        """Take counts, each with its time, and the starts of the steps, of which there are two at least."""
        self._starts = starts
        step_s = starts[1] - starts[0]
        self._events: Counter[tuple[str, int]] = Counter()
        self._carried: Counter[tuple[str, str, int]] = Counter()
        for at, counter in counters:
            start = at // step_s * step_s
            if counter.name == Exit.ENQUEUED:
                self._events[counter.preset, start] += counter.count
            elif counter.name == "quality":
                self._carried[counter.preset, counter.label, start] += counter.count

    def shares(self, keys: Iterable[tuple[str, str]]) -> tuple[int, ...]:
        """Return in what part of the events that can, in percent, these keys stand, each (preset, key), by step."""
        asked = list(keys)
        return tuple(self._share(asked, start) for start in self._starts)

    def _share(self, keys: Sequence[tuple[str, str]], start: int) -> int:
        possible = sum(self._events[preset, start] for preset, _ in keys)
        carried = sum(self._carried[preset, name, start] for preset, name in keys)
        return round(100 * carried / possible) if possible else 0


def shares_of_all(
    counted: StepsOfKeys, presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> tuple[int, ...]:
    """Return the score of the events of some presets in each step; 0 where nothing was to be sent."""
    return counted.shares((each.name, name) for each in presets for name in components if _can(each, keys, name))


def key_trends(
    counted: StepsOfKeys,
    presets: Sequence[PresetCounts],
    keys: Mapping[str, PresetKeys],
    components: Sequence[str],
) -> list[KeyTrend]:
    """Return how often each key stands over time in the events that can carry it; keys that none can are left out."""
    found = []
    for name in components:
        able = [each for each in presets if keys[each.name].can_carry(name, each.quality[name])]
        if able:
            trend = KeyTrend(
                component=name,
                events=sum(each.counts[Exit.ENQUEUED] for each in able),
                carried=sum(each.quality[name] for each in able),
                shares=counted.shares((each.name, name) for each in able),
            )
            found.append(trend)
    return found
