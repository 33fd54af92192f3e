"""Watching for something to do: commits of this process, commits of others (writer.py), and time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.errors import OutboxUnavailable
from app.outbox.notifier import Notifier, Seen
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import Readers


class FileNotifier(Notifier):
    """Wakes whoever waits, also from the thread that writes."""

    def __init__(self, readers: Readers, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._readers = readers
        #: Of whoever waited last; None before the first.
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake_from_thread(self) -> None:
        """Wake whoever waits, from any thread."""
        if self._loop:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self.wake)

    async def _look(self, ad_account_id: str, seen: Seen) -> float:
        self._loop = asyncio.get_running_loop()
        if seen.heard != self._heard:
            return 0
        which = {"ad_account_id": ad_account_id, "after": seen.looked_at}
        try:
            ((due_at,),) = await self._readers.read(lambda store: store.execute(SQL["next_due"], which).fetchall())
        except OutboxUnavailable:
            if self._closed:
                return 0
            raise
        return float("inf") if due_at is None else due_at - self._clock()

    def close(self) -> None:
        """Whoever waits returns at once."""
        self._closed = True
        self.wake()
