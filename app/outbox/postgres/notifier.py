"""Watching for something to do: writes of this process, word from others, and time.

Others are heard by NOTIFY. Where that does not arrive, asking every POLL_S finds what they wrote.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from app.errors import OutboxUnavailable
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database

#: How often the server is asked.
POLL_S = 0.5
#: Other processes are told of writes no more often than this: each word costs all of them a claim.
TELL_EVERY_S = 0.05
#: How long until it listens again, when it cannot.
_DEAF_S = 1.0


@dataclass(slots=True)
class _Seen:
    """What whoever waits for one ad account knows."""

    #: How often something had been heard, at the last look.
    heard: int = 0
    #: The highest id of a delivery, at the last look.
    last_id: int = -1
    #: What was due by then has been looked at: the `now` of the last claim that found nothing.
    looked_at: float = float("-inf")


class Notifier:
    """Wakes whoever waits. One task a process should wait for an ad account: what it has seen, it is not told again."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._name = secrets.token_hex(8)
        self._changed = asyncio.Event()
        #: How often something was heard of a write.
        self._heard = 0
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def wake(self) -> None:
        """Wake whoever waits, or waits next, in this process and in others."""
        self._hear()
        self._keep_running("tell", self._tell)

    def _hear(self) -> None:
        """Wake whoever waits, or waits next, in this process."""
        self._heard += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def claimed(self, ad_account_id: str, *, found: bool, now: float) -> None:
        self._seen[ad_account_id].looked_at = float("-inf") if found else now

    def _keep_running(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        running = self._tasks.get(name)
        if not self._closed and (running is None or running.done()):
            self._tasks[name] = asyncio.create_task(work())

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_EVERY_S)
        with suppress(OutboxUnavailable):
            await self._database.run(_tell, self._name)

    async def _listen(self) -> None:
        """Listen until the watch is closed. Through a pooler nobody can, and asking every POLL_S finds the same."""
        while not self._database.is_pooled:
            with suppress(psycopg.Error, OutboxUnavailable):
                connection = await self._database.listen()
                async with connection:
                    async for word in connection.notifies():
                        if word.payload != self._name:
                            self._hear()
            await asyncio.sleep(_DEAF_S)

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when anybody has written since the last wait, or something has fallen due since the last claim."""
        seen = self._seen[ad_account_id]
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not self._closed:
            changed = self._changed
            due_in_s = await self._look(ad_account_id, seen)
            if not self._database.is_pooled:
                self._keep_running("listen", self._listen)
            pause_s = min(POLL_S, due_in_s, deadline - asyncio.get_running_loop().time())
            if seen.heard != self._heard or pause_s <= 0:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), pause_s)
        seen.heard = self._heard

    async def _look(self, ad_account_id: str, seen: _Seen) -> float:
        """Return in how many seconds something falls due; 0 where something was enqueued since the last look."""
        last_id, due_at = await self._database.run(_next_due, ad_account_id, seen.looked_at)
        if last_id != seen.last_id:
            seen.last_id = last_id
            return 0
        return float("inf") if due_at is None else due_at - self._clock()

    async def close(self) -> None:
        """Stop listening; whoever waits returns at once."""
        self._closed = True
        self._hear()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _tell(connection: Connection, name: str) -> None:
    await connection.execute(SQL["tell"], {"process": name})


async def _next_due(connection: Connection, ad_account_id: str, after: float) -> tuple[int, float | None]:
    ((last_id, due_at),) = await connection.rows("next_due", ad_account_id=ad_account_id, after=after)
    return last_id, due_at
