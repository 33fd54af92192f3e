"""Wait for work: writes of this process, notifications of others, and due times.

Other processes notify by NOTIFY. A check every POLL_S finds writes with a lost notification.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import psycopg

from app.errors import OutboxUnavailable
from app.outbox.notifier import Notifier, Seen
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database

#: The minimum interval of notifications to other processes: each one costs every process a claim.
TELL_EVERY_S = 0.05
#: The delay before another attempt to listen.
_DEAF_S = 1.0


class ServerNotifier(Notifier):
    """Wake the waiters of this process, and notify other processes of writes."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._database = database
        self._name = secrets.token_hex(8)
        #: By ad account: the highest id of a delivery, at the last check.
        self._last_ids: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Wake every waiter of this process and of others, now or at its next wait."""
        super().wake()
        self._keep_running("tell", self._tell)

    def _keep_running(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        running = self._tasks.get(name)
        if not self._closed and (running is None or running.done()):
            self._tasks[name] = asyncio.create_task(work())

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_EVERY_S)
        with suppress(OutboxUnavailable):
            await self._database.run(_tell, self._name)

    async def _listen(self) -> None:
        """Listen until closed. Behind a pooler this is impossible, and the check every POLL_S replaces it."""
        while not self._database.is_pooled:
            with suppress(psycopg.Error, OutboxUnavailable):
                connection = await self._database.listen()
                async with connection:
                    async for word in connection.notifies():
                        if word.payload != self._name:
                            super().wake()
            await asyncio.sleep(_DEAF_S)

    async def _look(self, ad_account_id: str, seen: Seen) -> float:
        """Return the seconds until the next due time; 0 after an enqueue since the last check."""
        if not self._database.is_pooled:
            self._keep_running("listen", self._listen)
        last_id, due_at = await self._database.run(_next_due, ad_account_id, seen.looked_at)
        if last_id != self._last_ids.get(ad_account_id):
            self._last_ids[ad_account_id] = last_id
            return 0
        return float("inf") if due_at is None else due_at - self._clock()

    async def close(self) -> None:
        """Stop listening; waiters return at once."""
        self._closed = True
        super().wake()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _tell(connection: Connection, name: str) -> None:
    await connection.execute(SQL["tell"], {"process": name})


async def _next_due(connection: Connection, ad_account_id: str, after: float) -> tuple[int, float | None]:
    ((last_id, due_at),) = await connection.rows("next_due", ad_account_id=ad_account_id, after=after)
    return last_id, due_at
