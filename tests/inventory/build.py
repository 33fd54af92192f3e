"""Counts of days, as a store gives them."""

from app.types import EventKey, InventoryCount, Measure
from app.values.spans import DAY_S

#: A moment ten hours into a day (UTC).
NOW = 20_000 * DAY_S + 36_000.0
TODAY = 20_000 * DAY_S
ORDER = EventKey("shop", "track", "Order Completed")


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
