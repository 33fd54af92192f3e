"""Creation times of shop orders, and the clocks of shops that are ahead."""

from math import inf
from typing import Final

from app.core.events import Event
from app.core.shared_values import SHOP_CLOCKS, SharedValues
from app.core.values.times import unix_seconds

#: Prefix of the warning about an order that was created after it arrived.
CLOCK_AHEAD: Final = "the shop's clock is ahead"
#: The member of an event that a source maps to the time when the shop created the order.
CREATED_AT: Final = "order_created_at"
#: Smaller differences of clocks are tolerated: `is_early` allows for more.
_TOLERANCE_S: Final = 5
#: The number of consecutive correct orders before a clock is trusted again.
_RIGHT_ORDERS: Final = 20


class ShopClocks:
    """Reads the creation times of orders while the clock of their source is right."""

    def __init__(self) -> None:
        #: Sources with a clock ahead: message ids of the correct orders since the last wrong one, and the time of that.
        self._right: dict[str, set[str]] = {}
        self._ahead_at: dict[str, float] = {}
        #: Sources that `share` writes.
        self._changed: set[str] = set()

    def created_at(self, source: str, event: Event, now: float, *, counts: bool) -> tuple[int | None, tuple[str, ...]]:
        """Return when the shop created the order of an event, `None` if unknown or not trusted, and warnings.

        `counts=False` does not count the order, because it did not arrive.
        """
        created = unix_seconds(event.get(CREATED_AT))
        if created is None:
            return None, ()
        if created > now + _TOLERANCE_S:
            if counts:
                self._right[source], self._ahead_at[source] = set(), now
                self._changed.add(source)
            about = f"{CLOCK_AHEAD}: the source {source} sent an order {created - now:.0f} s before its creation time"
            return None, (f"{about}; until {_RIGHT_ORDERS} orders in a row are right, creation times are not used",)
        if source not in self._right:
            return int(created), ()
        if counts:
            self._right[source].add(event["messageId"])
            if len(self._right[source]) == _RIGHT_ORDERS:
                del self._right[source]
                self._changed.add(source)
        return None, ()

    async def share(self, shared: SharedValues) -> None:
        """Exchange with other processes which clocks are ahead. Raises OutboxUnavailable."""
        for source in tuple(self._changed):
            self._changed.discard(source)
            await SHOP_CLOCKS.of(source).write(shared, self._ahead_at[source] if source in self._right else None)
        known = await SHOP_CLOCKS.read_all(shared)
        for source, at in known.items():
            if at > self._ahead_at.get(source, -inf):
                self._right[source], self._ahead_at[source] = set(), at
        for source in self._right.keys() - known.keys() - self._changed:
            del self._right[source]
