"""Group commit: one thread writes, and waiting calls share a commit; a large array has a separate one."""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from app.errors import OutboxUnavailable
from app.outbox.rows import LARGE_ROWS
from app.outbox.sqlite.database import Connection, execute_with_retries
from app.outbox.sqlite.guard import Guard

Answer = TypeVar("Answer")

#: Run a call within a transaction. If the result is an exception, only this call fails; it must have changed nothing.
Call: TypeAlias = Callable[[Connection], Answer | Exception]

#: The number of rows that closes a group, so that no call waits long for the commit of others.
MAX_ROWS = 4_000
#: The interval between checks for commits of other processes.
POLL_S: Final = 0.05


class Job(NamedTuple):
    """A call, and the future for its result."""

    call: Call[Any]
    rows: int
    alone: Callable[[Connection], Any] | None
    takes_in: bool
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop

    @property
    def is_large(self) -> bool:
        """Whether others should not share its commit."""
        return self.takes_in and self.rows > LARGE_ROWS


class JobQueue:
    """A queue for any thread, with a single consumer."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        #: Locked while a job is queued, so that no job follows the end of the queue.
        self._queueing = threading.Lock()
        #: Removed from the queue, and not returned yet: used only by the consumer.
        self._small: deque[Job] = deque()
        self._large: deque[Job] = deque()
        self._is_turn_of_large = False
        self._is_last = False

    def put(self, job: Job) -> None:
        """Queue a job. Raises OutboxUnavailable if the queue is closed."""
        with self._queueing:
            if self._closed:
                raise OutboxUnavailable("The outbox is closed: this process is shutting down.")
            self._jobs.put(job)

    def close(self) -> None:
        """Refuse new jobs; queued ones are still returned. Idempotent."""
        with self._queueing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)

    @property
    def is_over(self) -> bool:
        """Whether the queue is closed and empty."""
        return self._is_last and not self._small and not self._large

    def next_group(self, wait_s: float | None = None) -> list[Job]:
        """Wait for a job, for `wait_s` at most, and return it with the jobs of its commit; [] if none arrived.

        All small jobs share a commit. Each large job has a separate commit, between two groups of small jobs: so a
        small job waits for at most one large commit, and no large job waits for ever.
        """
        self._take_from_queue(wait_s)
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

    def _take_from_queue(self, wait_s: float | None) -> None:
        with suppress(queue.Empty):
            while not self._is_last:
                job = self._jobs.get(not self._small and not self._large, wait_s)
                if job is None:
                    self._is_last = True
                else:
                    (self._large if job.is_large else self._small).append(job)


#: The placeholder for the result of an unfinished job.
_TO_DO: Final = object()


class _CallFailed(Exception):
    """An unknown one of several calls failed."""


class Writer:
    """The owner of the writing connection. Calls return after their shared commit.

    `on_others` is called in its thread after a commit of another connection, for example of another process.
    """

    def __init__(self, connection: Connection, guard: Guard, on_others: Callable[[], None]) -> None:
        self._connection = connection
        self._guard = guard
        self._on_others = on_others
        #: The version of the file; `None` before the first check.
        self._version: int | None = None
        #: The reason to refuse new data at the last check; `None` without one.
        self._refusal: OutboxUnavailable | None = None
        self._jobs = JobQueue()
        self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)
        self._thread.start()

    async def do(
        self,
        call: Call[Answer],
        *,
        rows: int = 1,
        alone: Callable[[Connection], Answer | None] | None = None,
        takes_in: bool = False,
    ) -> Answer:
        """Run a call in the next group; `rows` is its approximate number of rows.

        `alone` runs a call without others in its commit, as a transaction; it may return `None`, without a change,
        so that `call` runs. `takes_in` is whether the call promises to store new data, which the guard may refuse.

        Raises the error that the call raised or returned, or OutboxUnavailable if the commit failed.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._jobs.put(Job(call, rows, alone, takes_in, answer, loop))
        return await answer

    def close(self) -> None:
        """Commit queued jobs, then release the file. Blocks; idempotent."""
        self._jobs.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._jobs.is_over:
            self._look_for_others()
            if group := self._jobs.next_group(POLL_S):
                _resolve(group, self._commit(group))
        self._connection.close()

    def _look_for_others(self) -> None:
        """Call `on_others` if another connection changed the file since the last check."""
        before = self._version
        try:
            ((self._version,),) = self._connection.execute("PRAGMA data_version")
        except sqlite3.Error as exc:
            self._guard.unavailable(exc)  # the next call fails with it, too
        if before not in (None, self._version):
            self._on_others()

    def _commit(self, group: Sequence[Job]) -> list[Any]:
        """Return one result for every job of the group; exceptions are results.

        Jobs with new data fail if the guard refuses, even after the commit: then they are repeated, since an event may
        be stored twice, but not lost. On a full disk the rest uses the reserve.
        """
        takes_in = any(job.takes_in for job in group)
        if takes_in and self._refusal:
            self._refusal = self._guard.refusal()
        results = [self._refusal if self._refusal and job.takes_in else _TO_DO for job in group]
        self._do_what_is_left(group, results)
        if any(map(_is_full, results)) and self._guard.release():
            results = [
                _TO_DO if _is_full(each) and not job.takes_in else each
                for job, each in zip(group, results, strict=True)
            ]
            self._do_what_is_left(group, results)
        if takes_in and self._refusal is None:
            self._refusal = self._guard.refusal()
        refused = self._refusal
        if refused is None:
            return results
        return [
            refused if job.takes_in and not isinstance(each, Exception) else each
            for job, each in zip(group, results, strict=True)
        ]

    def _do_what_is_left(self, group: Sequence[Job], results: list[Any]) -> None:
        places = [place for place, result in enumerate(results) if result is _TO_DO]
        if places:
            for place, answer in zip(places, self._do_all([group[place] for place in places]), strict=True):
                results[place] = answer

    def _do_all(self, group: Sequence[Job]) -> list[Any]:
        """Run jobs in one transaction, and return one result for each.

        Errors are rare: isolating calls from the beginning would cost two more statements for each.
        """
        answer = self._do_alone(group[0]) if len(group) == 1 else None
        if answer is not None:
            return [answer]
        try:
            return self._transact(group, self._do)
        except _CallFailed:
            return self._transact(group, self._do_isolated)

    def _do_alone(self, job: Job) -> Any:
        """Run a call outside a transaction, if possible; `None` if nothing changed."""
        try:
            return job.alone and job.alone(self._connection)
        except sqlite3.Error as exc:
            return self._guard.unavailable(exc)
        except Exception as exc:  # noqa: BLE001 - as in _transact
            return exc

    def _transact(self, group: Sequence[Job], do: Callable[[Call[Any]], Any]) -> list[Any]:
        """Run all in one transaction. Raises _CallFailed, without a change, if `do` raises it."""
        try:
            execute_with_retries(self._connection, "BEGIN IMMEDIATE")
            answers = [do(job.call) for job in group]
            self._connection.execute("COMMIT")
        except _CallFailed:
            self._roll_back()
            raise
        except sqlite3.Error as exc:
            self._roll_back()
            return [self._guard.unavailable(exc) for _ in group]
        except Exception as exc:  # noqa: BLE001 - a fault of ours must not end the thread: all who shared it are told
            self._roll_back()
            return [exc for _ in group]
        return answers

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite rolls back by itself after the worst errors
            self._connection.execute("ROLLBACK")

    def _do(self, call: Call[Any]) -> Any:
        """Run a call. Raises _CallFailed if it fails and the transaction is still open."""
        try:
            return call(self._connection)
        except Exception as exc:
            if self._connection.in_transaction:
                raise _CallFailed from exc
            raise  # SQLite has rolled back the whole transaction: full disk, failed write

    def _do_isolated(self, call: Call[Any]) -> Any:
        """Run a call in isolation; its failure is its result."""
        self._connection.execute("SAVEPOINT call")
        try:
            return call(self._connection)
        except Exception as exc:
            if not self._connection.in_transaction:
                raise  # SQLite has rolled back the whole transaction: full disk, failed write
            self._connection.execute("ROLLBACK TO call")
            return self._guard.unavailable(exc) if isinstance(exc, sqlite3.Error) else exc
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE call")


def _is_full(result: object) -> bool:
    return isinstance(result, OutboxUnavailable) and result.why == "disk full"


def _resolve(group: Sequence[Job], answers: Sequence[Any]) -> None:
    """Pass the results to the waiting event loops, and wake each loop once."""
    for loop, pairs in groupby(zip(group, answers, strict=True), key=lambda pair: pair[0].loop):
        with suppress(RuntimeError):  # the loop is closed: there are no waiters
            loop.call_soon_threadsafe(_answer, list(pairs))


def _answer(pairs: Iterable[tuple[Job, Any]]) -> None:
    for job, answer in pairs:
        if job.answer.done():  # the caller was cancelled
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
