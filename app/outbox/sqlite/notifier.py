"""Watching for something to do: commits of this process, commits of others, and time."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.outbox.sqlite.database import SQL, open_readable
from app.outbox.sqlite.guard import Guard

#: How often the file is asked whether another process has written.
POLL_S = 0.05


@dataclass(slots=True)
class _Seen:
    """What whoever waits for one ad account knows."""

    #: Of the file, at the last look.
    version: int = -1
    #: What was due by then has been looked at: the `now` of the last claim that found nothing.
    looked_at: float = float("-inf")


class Notifier:
    """Wakes whoever waits. One task a process should wait for an ad account: what it has seen, it is not told again."""

    def __init__(self, path: Path, guard: Guard, clock: Callable[[], float]) -> None:
        self._guard = guard
        self._clock = clock
        self._connection = open_readable(path)
        self._closed = False
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)

    def claimed(self, ad_account_id: str, *, found: bool, now: float) -> None:
        self._seen[ad_account_id].looked_at = float("-inf") if found else now

    def wake(self) -> None:
        """Wake whoever waits now."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when this process wakes us, another has written, or something has fallen due since the last claim."""
        seen = self._seen[ad_account_id]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            changed = self._changed
            if await asyncio.to_thread(self._look, ad_account_id, seen) or changed.is_set():
                return
            pause_s = min(POLL_S, deadline - loop.time())
            if pause_s <= 0:
                return
            try:
                await asyncio.wait_for(changed.wait(), pause_s)
            except TimeoutError:
                continue

    def _look(self, ad_account_id: str, seen: _Seen) -> bool:
        """Return whether the file has changed since the last look, or something has fallen due."""
        with self._lock, self._guard.translated_errors():
            if self._closed:
                return True
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != seen.version:
                seen.version = version
                return True
            which = {"ad_account_id": ad_account_id, "after": seen.looked_at}
            (due_at,) = self._connection.execute(SQL["next_due"], which).fetchone()
            return due_at is not None and due_at <= self._clock()

    def close(self) -> None:
        """Release the file; whoever waits returns at once."""
        with self._lock:
            self._closed = True
            self._connection.close()
