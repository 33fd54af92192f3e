"""Decide which orders wait for their counterpart, page order or shop order, and for how long.

waits for its counterpart    an order with an order id or a token, if a page and a shop send to the same ad account
                             and shop, for ORDER_WAIT_MINUTES from its arrival
a shop order, at the latest  until 55 minutes after its event time: Pinterest wants events within an hour
never                        an order without a page according to its shop, and an order whose counterpart's source
                             has sent no order for 30 days
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Final

from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import NewDelivery
from app.core.events import Event
from app.core.shared_values import ORDERS_HEARD, SharedValues
from app.core.trust import SourceTraits
from app.core.values.times import DAY_S, MINUTE_S, unix_seconds
from app.pipeline.shop_clocks import ShopClocks
from app.pipeline.twins import order_side

#: A source without orders for this time is not waited for.
_SILENT_S: Final = 30 * DAY_S
#: The interval at which a source's orders are recorded.
_NOTED_S: Final = DAY_S
#: The interval at which the sources, and the records of other processes, are read.
_LOOK_S: Final = MINUTE_S
#: After an event's time: then there is still time to send it within the hour.
_LATEST_S: Final = 55 * MINUTE_S


class OrderWaits:
    """Decides for each order whether it waits, from the sources and the time of their last orders."""

    def __init__(
        self,
        rules: OutboxSettings,
        *,
        accounts: Mapping[str, frozenset[str] | None],
        sources: Callable[[], Iterable[str]],
        traits_of: Callable[[str], SourceTraits],
        shared: SharedValues | None = None,
        is_asked: bool = False,
    ) -> None:
        """Take the sources of each ad account (`None`: all), and the sources as they are now.

        Without `shared` every side counts as heard of.

        `is_asked`: it only tells what would wait; no order that it sees came.
        """
        self._rules = rules
        self._accounts = accounts
        self._sources = sources
        self._traits_of = traits_of
        self._shared = shared
        self._is_asked = is_asked
        self._looked_at = -inf
        self._clocks = ShopClocks()
        #: Ad accounts and shops with both page and shop orders.
        self._paired: frozenset[tuple[str, str]] = frozenset()
        #: Ad accounts that get events of a trusted source.
        self.accounts_of_trusted: frozenset[str] = frozenset()
        #: By ad account, shop and trust: the time of the last order, and its recorded time.
        self._heard: dict[tuple[str, str, bool], float] = {}
        self._noted: dict[tuple[str, str, bool], float] = {}

    async def look(self, now: float) -> None:
        """Update the sources, and share their last orders. Raises OutboxUnavailable."""
        if abs(now - self._looked_at) < _LOOK_S:
            return
        self._looked_at = now
        sides = {
            (account, traits.shop, traits.is_trusted)
            for name in self._sources()
            for traits in [self._traits_of(name)]
            for account, taken in self._accounts.items()
            if taken is None or name in taken
        }
        self.accounts_of_trusted = frozenset(account for account, _, is_trusted in sides if is_trusted)
        self._paired = frozenset(
            (account, shop) for account, shop, trusted in sides if (account, shop, not trusted) in sides
        )
        if self._paired and self._shared is not None:
            await self._share({side for side in sides if side[:2] in self._paired}, self._shared, now)
            await self._clocks.share(self._shared)

    async def _share(self, sides: set[tuple[str, str, bool]], shared: SharedValues, now: float) -> None:
        """Exchange the times of last orders. A new source counts as active from now on."""
        known = await ORDERS_HEARD.read_all(shared)
        for side in sides:
            written = known.get(_name(side))
            self._noted[side] = -inf if written is None else written
            self._heard[side] = max(self._heard.get(side, -inf), self._noted[side])
            if written is None:
                self._heard[side] = max(self._heard[side], now)
            if not self._is_asked and self._heard[side] > self._noted[side] + (0 if written is None else _NOTED_S):
                self._noted[side] = self._heard[side]
                await ORDERS_HEARD.of(_name(side)).write(shared, self._heard[side])

    def with_side(self, delivery: NewDelivery, event: Event, built: Event, now: float) -> NewDelivery:
        """Return the delivery of a checkout with its order side and its waiting time."""
        account, shop, is_trusted = delivery.ad_account_id, delivery.shop, delivery.is_trusted
        if (account, shop) not in self._paired:
            return delivery
        if not self._is_asked:
            self._heard[account, shop, is_trusted] = now
        recalled, warnings = delivery.memory or (), delivery.warnings
        side = order_side(event, built, message_id=delivery.message_id, is_trusted=is_trusted, recalled=recalled)
        if is_trusted:
            at, about = self._clocks.created_at(delivery.source, event, now, counts=not self._is_asked)
            side, warnings = replace(side, at=at), (*warnings, *about) if about else warnings
        else:
            side = replace(side, at=int(_received_at(event, now)))
        if not is_trusted and self._rules.tag_event_id == "message_id":
            side = replace(side, names_event_id=True)
        wait_s = 0.0
        if (
            side.waits
            and (delivery.order_id is not None or side.token)
            and self._hears(account, shop, not is_trusted, now)
        ):
            wait_s = self._rules.order_wait_s
            if is_trusted:
                waits = self._traits_of(delivery.source).waits_for_page
                wait_s = time_left_s(delivery, wait_s, now) if waits else 0
        is_withheld = wait_s > 0 and not is_trusted and self._rules.unconfirmed_orders == "withhold"
        return replace(delivery, side=side, wait_s=max(0.0, wait_s), is_withheld_alone=is_withheld, warnings=warnings)

    def _hears(self, account: str, shop: str, is_trusted: bool, now: float) -> bool:  # noqa: FBT001 - a part of the side
        return self._shared is None or self._heard.get((account, shop, is_trusted), -inf) > now - _SILENT_S


def _received_at(event: Event, now: float) -> float:
    """Return when an event was first received: before `now` if it is replayed from the quarantine.

    `arrivedAt` is set only by Pinrelay; an event without it came from a device, so `receivedAt` is set by Pinrelay
    (`app.source.event`).
    """
    received = unix_seconds(event.get("arrivedAt", event.get("receivedAt")))
    return now if received is None else min(received, now)


def time_left_s(delivery: NewDelivery, wait_s: float, now: float) -> float:
    """Return the time that a shop order may wait, at most `wait_s`; no time is left if it is not positive."""
    return min(wait_s, delivery.event_time + _LATEST_S - now)


def _name(side: tuple[str, str, bool]) -> str:
    account, shop, is_trusted = side
    return f"{account}/{'trusted' if is_trusted else 'public'}/{shop}"
