"""Writes what was counted to the store, beside the requests."""

from collections.abc import Callable, Sequence
from typing import Final

from app.core.events import InventoryCount
from app.errors import OutboxUnavailable
from app.inventory.names_met import NamesMet
from app.outbox.inventory import Inventory
from app.sender.shutdown import Shutdown

#: So long counts stay in the process: what is lost with it where it is killed.
WRITTEN_EVERY_S: Final = 10.0


class InventoryKeeper:
    """A background task: `run` until `stop`."""

    def __init__(
        self,
        names: NamesMet,
        inventory: Inventory,
        *,
        on_counts: Callable[[Sequence[InventoryCount]], None],
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._names = names
        self._inventory = inventory
        self._on_counts = on_counts
        self._clock = clock
        self._on_error = on_error
        self._shutdown = Shutdown()

    async def run(self) -> None:
        """Write every few seconds until `stop`, and then once more."""
        is_last = False
        while not is_last:
            await self._shutdown.rest(WRITTEN_EVERY_S)
            is_last = self._shutdown.requested  # asked before: what comes during a write is of the next
            await self.write()

    def stop(self) -> None:
        """End `run` after all is written."""
        self._shutdown.request()

    async def write(self) -> None:
        """Write what was counted since the last time. Where the store is unavailable, that is reported and lost."""
        counts = self._names.take()
        self._on_counts(counts)
        try:
            await self._inventory.add(counts, now=self._clock(), max_names=self._names.max_names)
        except OutboxUnavailable as exc:
            self._on_error(exc)
