"""Watching for something to do: commits of this process, commits of others, and time."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from app.outbox.sqlite.database import open_readable
from app.outbox.sqlite.guard import Guard
from app.outbox.sqlite.sql import SQL

#: How often the file is asked whether another process has written.
POLL_S = 0.05


class Watch:
    """Wakes whoever waits. One task a process should wait: what one has seen, another is not told again."""

    def __init__(self, path: Path, guard: Guard, clock: Callable[[], float]) -> None:
        self._guard = guard
        self._clock = clock
        self._connection = open_readable(path)
        self._closed = False
        self._lock = threading.Lock()
        self._version = -1
        self._changed = asyncio.Event()
        #: What was due by then has been looked at: the `now` of the last claim that found nothing.
        self.looked_at = float("-inf")

    def wake(self) -> None:
        """Wake whoever waits now."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when this process wakes us, another has written, or something has fallen due since `looked_at`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            changed = self._changed
            if await asyncio.to_thread(self._look) or changed.is_set():
                return
            pause_s = min(POLL_S, deadline - loop.time())
            if pause_s <= 0:
                return
            try:
                await asyncio.wait_for(changed.wait(), pause_s)
            except TimeoutError:
                continue

    def _look(self) -> bool:
        """Return whether the file has changed since the last look, or something has fallen due."""
        with self._lock, self._guard.border():
            if self._closed:
                return True
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:
                self._version = version
                return True
            (due_at,) = self._connection.execute(SQL["next_due"], {"after": self.looked_at}).fetchone()
            return due_at is not None and due_at <= self._clock()

    def close(self) -> None:
        """Release the file; whoever waits returns at once."""
        with self._lock:
            self._closed = True
            self._connection.close()
