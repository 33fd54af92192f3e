"""What waits for the thread that writes, and what of it shares a commit: a large array has one of its own."""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, TypeVar

from app.errors import OutboxUnavailable
from app.outbox.rows import LARGE_ROWS

Answer = TypeVar("Answer")

#: Does one call within a transaction. A result that is an exception fails that call only; it must have changed nothing.
Call: TypeAlias = Callable[[sqlite3.Connection], Answer | Exception]

#: A group is closed when its calls carry so many rows, so that nobody waits long for a stranger's commit.
MAX_ROWS = 4_000


class Job(NamedTuple):
    """A call, and who waits for its answer."""

    call: Call[Any]
    rows: int
    alone: Callable[[sqlite3.Connection], Any] | None
    takes_in: bool
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop

    @property
    def is_large(self) -> bool:
        """Whether others should not have to share its commit."""
        return self.takes_in and self.rows > LARGE_ROWS


class JobQueue:
    """Filled by any thread, emptied by one."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        #: Held while a job is queued, so that none comes behind the end of the queue.
        self._queueing = threading.Lock()
        #: Taken from the queue, and not handed out yet: the emptying thread's alone.
        self._small: deque[Job] = deque()
        self._large: deque[Job] = deque()
        self._is_turn_of_large = False
        self._is_last = False

    def put(self, job: Job) -> None:
        """Queue a job. Raises OutboxUnavailable where the queue is closed."""
        with self._queueing:
            if self._closed:
                raise OutboxUnavailable("The outbox is closed. Send the events again later.")
            self._jobs.put(job)

    def close(self) -> None:
        """Take no more jobs; what is queued is still handed out. May be called again."""
        with self._queueing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)

    def next_group(self) -> list[Job]:
        """Wait for a job, and return it with what else shares its commit; nothing at the end.

        All that is not large goes together. Of large jobs each goes alone, one between two groups of the others: so a
        small one waits for one large commit at most, and no large one for ever.
        """
        self._take_from_queue()
        if self._large and (self._is_turn_of_large or not self._small):
            self._is_turn_of_large = False
            return [self._large.popleft()]
        self._is_turn_of_large = True
        group: list[Job] = []
        rows = 0
        while self._small and rows < MAX_ROWS:
            group.append(self._small.popleft())
            rows += group[-1].rows
        return group

    def _take_from_queue(self) -> None:
        """Take all that is queued; wait where there is nothing at all."""
        with suppress(queue.Empty):
            while not self._is_last:
                job = self._jobs.get(block=not self._small and not self._large)
                if job is None:
                    self._is_last = True
                else:
                    (self._large if job.is_large else self._small).append(job)
