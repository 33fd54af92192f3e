"""Watching for something to do: writes of this process, word from others, and time.

Others are heard by NOTIFY. Where that does not arrive, asking every POLL_S finds what they wrote.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import psycopg

from app.errors import OutboxUnavailable
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import Database, rows_of
from app.outbox.postgres.sql import SQL

#: How often the server is asked.
POLL_S = 0.5
#: Other processes are told of writes no more often than this: each word costs all of them a claim.
TELL_EVERY_S = 0.05
#: How long until it listens again, when it cannot.
_DEAF_S = 1.0


class Watch:
    """Wakes whoever waits. One task a process should wait: what one has seen, another is not told again."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._changed = asyncio.Event()
        self._last_id = -1
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        #: What was due by then has been looked at: the `now` of the last claim that found nothing.
        self.looked_at = float("-inf")

    def wake(self) -> None:
        """Wake whoever waits, or waits next, in this process and in others."""
        self._changed.set()
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
        """Listen until the watch is closed."""
        while True:
            with suppress(psycopg.Error, OutboxUnavailable):
                connection = await self._database.listen()
                async with connection:
                    async for word in connection.notifies():
                        if word.payload != self._name:
                            self._changed.set()
            await asyncio.sleep(_DEAF_S)

    async def wait(self, timeout_s: float) -> None:
        """Return when anybody has written since the last wait, or something has fallen due since `looked_at`."""
        self._keep_running("listen", self._listen)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._closed:
            due_in_s = await self._look()
            pause_s = min(POLL_S, due_in_s, deadline - asyncio.get_running_loop().time())
            if self._changed.is_set() or pause_s <= 0:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause_s)
        self._changed.clear()

    async def _look(self) -> float:
        """Return in how many seconds something falls due; 0 where something was enqueued since the last look."""
        last_id, due_at = await self._database.run(_next_due, self.looked_at)
        if last_id != self._last_id:
            self._last_id = last_id
            return 0
        return float("inf") if due_at is None else due_at - self._clock()

    async def close(self) -> None:
        """Whoever waits returns at once."""
        self._closed = True
        self._changed.set()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _tell(connection: Connection, name: str) -> None:
    await connection.execute(SQL["tell"], {"process": name})


async def _next_due(connection: Connection, after: float) -> tuple[int, float | None]:
    ((last_id, due_at),) = await rows_of(connection, "next_due", after=after)
    return last_id, due_at
