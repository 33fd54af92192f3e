"""Wait for work: commits of this process, commits of others (writer.py), and due times."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from app.errors import OutboxUnavailable
from app.outbox.notifier import Notifier, Seen
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import Readers


class FileNotifier(Notifier):
    """Wake the waiters, also from the writing thread."""

    def __init__(self, readers: Readers, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._readers = readers
        #: The loop of the latest waiter; `None` before the first.
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake_from_thread(self) -> None:
        """Wake the waiters from any thread."""
        if self._loop:
            with suppress(RuntimeError):  # the loop is closed: there are no waiters
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
        """Let waiters return at once."""
        self._closed = True
        self.wake()
