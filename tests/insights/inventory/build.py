"""Counts of kinds of events, as they are given to a store, and as it gives those of days."""

from collections.abc import Mapping

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S

#: A moment ten hours into a day (UTC).
NOW = 20_000 * DAY_S + 36_000.0
TODAY = 20_000 * DAY_S
ORDER = EventKey("shop", "track", "Order Completed")


def counts_of(
    key: EventKey,
    received: int,
    *,
    outcomes: Mapping[str, int] = {},
    presets: Mapping[str, int] = {},
    sampled: int = 0,
    found: Mapping[str, int] = {},
    properties: Mapping[str, int] = {},
) -> list[InventoryCount]:
    """All that is counted of one kind of event at one time."""
    counted = {
        Measure.RECEIVED: {"": received},
        Measure.OUTCOME: outcomes,
        Measure.PRESET: presets,
        Measure.SAMPLED: {"": sampled} if sampled else {},
        Measure.FOUND: found,
        Measure.PROPERTY: properties,
    }
    return [
        InventoryCount(key, measure, label, number)
        for measure, numbers in counted.items()
        for label, number in numbers.items()
    ]


def day(
    back: int, key: EventKey = ORDER, received: int = 0, *, sampled: int = 0, **properties: int
) -> list[tuple[int, InventoryCount]]:
    """The counts of the day so many days back; a property is named `total_number` for `properties.total number`."""
    at = TODAY - back * DAY_S
    rows = [(at, InventoryCount(key, Measure.RECEIVED, "", received or sampled))]
    if sampled:
        rows.append((at, InventoryCount(key, Measure.SAMPLED, "", sampled)))
    for label, number in properties.items():
        rows.append((at, InventoryCount(key, Measure.PROPERTY, f"properties.{label.replace('_', ' ')}", number)))
    return rows
