"""Stands before the pipeline, and counts by name what arrives and what becomes of it."""

from collections.abc import Iterable

from app.core.events import DEFAULT_SOURCE, Event
from app.core.receipts import Receipt
from app.errors import EventRefused
from app.inventory.names_met import Met, NamesMet
from app.source import AcceptsWhole


class Arrivals:
    """An `AcceptsWhole` that counts what another one accepts. What is not committed is not counted."""

    def __init__(self, accepts: AcceptsWhole, names: NamesMet) -> None:
        self._accepts = accepts
        self._names = names

    async def accept(
        self,
        events: Iterable[Event | EventRefused],
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        is_proven: bool = False,
        whole: bool = False,
    ) -> Receipt:
        """Do `AcceptsWhole.accept`."""
        met: list[Met] = []
        met_on_the_way = map(self._names.meeting(source, met), events)
        receipt = await self._accepts.accept(met_on_the_way, now=now, source=source, is_proven=is_proven, whole=whole)
        for one, event in zip(met, receipt.events, strict=True):
            one.count(event.deliveries)
        return receipt
