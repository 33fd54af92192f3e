"""An order under all its names: its deliveries, its other events, and its history in order."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from app.core.deliveries import Delivery, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.core.values.event_names import CHECKOUT
from app.outbox import Outbox, order_spellings
from app.outbox.dedup import order_digests
from app.outbox.search import SENT, merged_delivery

#: Maximum number of deliveries, and of other events, that are read for a name.
_LIMIT: Final = 50
#: Of steps with the same time, the receipt comes before the sending.
_IS_RECEIVED: Final = 2
_PLACES: Final[dict[str, int]] = dict.fromkeys(SENT, 3) | {
    "placed": 0,
    Outcome.ENQUEUED: 1,
    State.DISMISSED: 4,
    "due": 5,
    "held": 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStep:
    """A past or future step of an order."""

    #: Unix seconds.
    at: float
    #: `placed`, `due`, `again` (redriven), a `State` set by a person or a rule, or an `Outcome`.
    kind: str
    #: The reason in the words of Pinrelay or Pinterest; "" without a reason.
    why: str = ""
    #: "" for a step without an event.
    source: str = ""
    message_id: str = ""
    #: "" if the event reached no ad account.
    ad_account_id: str = ""
    preset: str = ""
    #: "" without a delivery.
    delivery_id: str = ""
    #: The status of Pinterest's response; `None` without one.
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStory:
    """All stored data of an order."""

    #: All known names of the order, sorted.
    names: tuple[str, ...]
    #: With their histories, the oldest first.
    deliveries: tuple[Delivery, ...]
    #: Each with its time, the oldest first.
    dropped: tuple[tuple[float, DroppedEvent], ...]

    @property
    def placing(self) -> "OrderStory | None":
        """Return only the checkouts, without events that merely mention the order; `None` if there are none."""
        deliveries = tuple(each for each in self.deliveries if each.event_name == CHECKOUT)
        dropped = tuple(noted for noted in self.dropped if noted[1].event_name in {None, CHECKOUT})
        return replace(self, deliveries=deliveries, dropped=dropped) if deliveries or dropped else None

    @property
    def placed_at(self) -> int | None:
        """Return the time of the order in its checkouts; `None` if none has a delivery."""
        return min((each.event_time for each in self.deliveries if each.event_name == CHECKOUT), default=None)

    @property
    def steps(self) -> list[OrderStep]:
        """Return the history, in order."""
        placed = [OrderStep(at=at, kind="placed")] if (at := self.placed_at) is not None else []
        merged = {merged_delivery(event): at for at, event in reversed(self.dropped)}
        of_deliveries = (step for each in self.deliveries for step in _steps_of(each, merged.get(each.delivery_id)))
        steps = [*placed, *of_deliveries, *map(_step_of, self.dropped)]
        return sorted(steps, key=lambda step: (step.at, _PLACES.get(step.kind, _IS_RECEIVED)))


def _steps_of(delivery: Delivery, merged_at: float | None) -> Iterator[OrderStep]:
    """Yield the steps of a delivery; `merged_at` is the first time that another event was merged into it, or `None`."""

    def step(at: float, kind: str, why: str = "", status: int | None = None, *, of_event: bool = False) -> OrderStep:
        return OrderStep(
            at=at,
            kind=kind,
            why=why,
            source=delivery.source if of_event else "",
            message_id=delivery.message_id if of_event else "",
            ad_account_id=delivery.ad_account_id,
            preset=delivery.preset,
            delivery_id=delivery.delivery_id,
            status=status,
        )

    was_redriven = bool(delivery.history) and delivery.history[0].at < delivery.enqueued_at
    if was_redriven:
        yield step(delivery.enqueued_at, "again")
    else:
        # The age of a delayed or waiting delivery starts after the delay: its event arrived earlier, at the latest when
        # another event was merged into it.
        came = delivery.event_time if delivery.is_held else delivery.enqueued_at
        yield step(came if merged_at is None else min(came, merged_at), Outcome.ENQUEUED, of_event=True)
    for attempt in delivery.history:
        yield step(attempt.at, attempt.result, attempt.message, attempt.status)
    if delivery.state is State.DISMISSED and delivery.settled_at is not None:
        yield step(delivery.settled_at, delivery.state, delivery.reason)
    if delivery.state is State.PENDING and delivery.due_at is not None:
        yield step(delivery.due_at, "held" if delivery.is_held else "due", delivery.reason)


def _step_of(noted: tuple[float, DroppedEvent]) -> OrderStep:
    at, event = noted
    return OrderStep(
        at=at,
        kind=event.outcome,
        why=event.reason,
        source=event.source,
        message_id=event.message_id,
        ad_account_id=event.ad_account_id or "",
        preset=event.preset or "",
    )


async def read_order(outbox: Outbox, name: str, shop_of: Callable[[str], str]) -> OrderStory | None:
    """Return all stored data of an order by any of its names, or `None`.

    `shop_of` returns the shop of a source, "" if it has none. May raise OutboxUnavailable.
    """
    reading = _Reading(outbox)
    await reading.read(order_spellings(name))
    others = await outbox.order_ids([name])
    await reading.read(other for ids in others.values() for other in ids)
    digests = {
        digest
        for each in reading.deliveries.values()
        if each.order_id
        for digest in order_digests(each.ad_account_id, each.order_id, each.source, shop_of(each.source))
    }
    known = await outbox.order_names(digests) if digests else []
    await reading.read(spelling for other in known for spelling in order_spellings(other))
    await reading.read_merged()
    if not reading.deliveries and not reading.dropped:
        return None
    whole = [await outbox.delivery(id_) for id_ in sorted(reading.deliveries, key=int)]
    return OrderStory(
        names=tuple(sorted(reading.found)),
        deliveries=tuple(each for each in whole if each),
        dropped=tuple(sorted(reading.dropped, key=lambda noted: noted[0])),
    )


class _Reading:
    """Reads each name once."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._asked: set[str] = set()
        #: The names with stored data.
        self.found: set[str] = set()
        self.deliveries: dict[str, Delivery] = {}
        self.dropped: list[tuple[float, DroppedEvent]] = []

    async def read(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._asked:
                continue
            self._asked.add(name)
            query = Query(order_id=name)
            page = await self._outbox.search(query, limit=_LIMIT)
            dropped = await self._outbox.search_dropped(query, limit=_LIMIT)
            self.deliveries |= {each.delivery_id: each for each in page.deliveries}
            self.dropped += dropped.events
            if page.deliveries or dropped.events:
                self.found.add(name)

    async def read_merged(self) -> None:
        """Read the deliveries that events of the order were merged into, which may have another name."""
        ids = {merged_delivery(event) for _, event in self.dropped} - {None, *self.deliveries}
        for id_ in filter(None, ids):
            page = await self._outbox.search(Query(delivery_id=id_), limit=1)
            await self.read(each.order_id for each in page.deliveries if each.order_id)
