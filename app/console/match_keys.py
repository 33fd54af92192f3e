"""Which of Pinterest's quality components an event of a preset can carry at all, and what brings most. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.console.summary import PresetCounts

#: Of apps only; of the web only; of orders only; of what is about products, or where any event of the preset has it.
_OF_APPS: Final = frozenset({"hashed_maid"})
_OF_WEB: Final = frozenset({"click_id_epik", "source_url"})
_OF_ORDERS: Final = frozenset({"order_id"})
_OF_PRODUCTS: Final = frozenset({"order_value", "product_id"})
_ABOUT_PRODUCTS: Final = frozenset({"", "checkout", "add_to_cart"})
_APPS: Final = frozenset({"app_ios", "app_android"})
#: So many pieces of advice are given.
_SAID: Final = 4

#: What to do where a component is missing.
_REMEDIES: Final[Mapping[str, str]] = {
    "hashed_email": "send the address (`context.traits.email`), or let `identify` do it and switch on identity memory",
    "hashed_maid": "send the device's advertising id (`context.device.advertisingId`), where the person permits it",
    "ip_address": "send the visitor's address (`context.ip`), not that of a server",
    "user_agent": "send the visitor's `context.userAgent`",
    "advertiser_external_id": "send a `userId` of your own, or let identity memory know it",
    "click_id_epik": "let the landing page's `epik` reach every event: `/pinrelay.js`, or identity memory",
    "order_id": "send `properties.order_id`: without it an order cannot be known again",
    "order_value": "send `properties.revenue`, `total` or `value` with `currency`",
    "product_id": "send `properties.products` with a `product_id` or `sku` each",
    "source_url": "send `context.page.url`",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdvice:
    """What one component would bring."""

    component: str
    #: Of so many events, so many could carry it and do not.
    events: int
    missing: int
    remedy: str


def score(counts: PresetCounts, keys: PresetKeys, components: Sequence[str]) -> int:
    """Return the share of the components that a preset's enqueued events carry, of those that they can: percent."""
    events = counts.counts["enqueued"]
    possible = [name for name in components if keys.can_carry(name, counts.quality[name])]
    return round(100 * sum(counts.quality[name] for name in possible) / (events * len(possible))) if events else 0


def ranked_advice(
    presets: Sequence[PresetCounts], keys: Mapping[str, PresetKeys], components: Sequence[str]
) -> list[KeyAdvice]:
    """Return what is missing most among events that can carry it, the most first."""
    found = []
    for component in components:
        able = [
            each
            for each in presets
            if each.name in keys and keys[each.name].can_carry(component, each.quality[component])
        ]
        events = sum(each.counts["enqueued"] for each in able)
        missing = events - sum(each.quality[component] for each in able)
        if missing > 0 and component in _REMEDIES:
            advice = KeyAdvice(component=component, events=events, missing=missing, remedy=_REMEDIES[component])
            found.append(advice)
    return sorted(found, key=lambda advice: -advice.missing)[:_SAID]
