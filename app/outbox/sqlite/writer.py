"""Group commit: one thread writes, and what waits for it shares a commit; a large array has one of its own."""

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

#: Does one call within a transaction. A result that is an exception fails that call only; it must have changed nothing.
Call: TypeAlias = Callable[[Connection], Answer | Exception]

#: A group is closed when its calls carry so many rows, so that nobody waits long for a stranger's commit.
MAX_ROWS = 4_000
#: How often it is looked whether another process has committed.
POLL_S: Final = 0.05


class Job(NamedTuple):
    """A call, and who waits for its answer."""

    call: Call[Any]
    rows: int
    alone: Callable[[Connection], Any] | None
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
                raise OutboxUnavailable("The outbox is closed: this process is shutting down.")
            self._jobs.put(job)

    def close(self) -> None:
        """Take no more jobs; what is queued is still handed out. May be called again."""
        with self._queueing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)

    @property
    def is_over(self) -> bool:
        """Whether the queue is closed, and everything is handed out."""
        return self._is_last and not self._small and not self._large

    def next_group(self, wait_s: float | None = None) -> list[Job]:
        """Wait for a job, for `wait_s` at most, and return it with what else shares its commit; [] if none came.

        All that is not large goes together. Of large jobs each goes alone, one between two groups of the others: so a
        small one waits for one large commit at most, and no large one for ever.
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


#: Stands for the result of a job that is not done yet.
_TO_DO: Final = object()


class _CallFailed(Exception):
    """One of several calls failed, and it is not known which."""


class Writer:
    """Owns the connection that writes. Calls are answered after the commit that they share.

    `on_others` is called in its thread when another connection has committed, as other processes do.
    """

    def __init__(self, connection: Connection, guard: Guard, on_others: Callable[[], None]) -> None:
        self._connection = connection
        self._guard = guard
        self._on_others = on_others
        #: Of the file; None: it was not looked at yet.
        self._version: int | None = None
        #: Why nothing new was taken in at the last look; None where it was.
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
        """Do a call in the next group; `rows` is about how many rows it writes.

        `alone` does a call that nobody shares a commit with, as a transaction of its own; it may return None, with
        nothing changed, to have `call` do it. `takes_in` is whether the call promises to keep something new, which
        nothing may while the guard refuses it.

        Raises what the call raised or returned as its failure, or OutboxUnavailable where the commit failed.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._jobs.put(Job(call, rows, alone, takes_in, answer, loop))
        return await answer

    def close(self) -> None:
        """Commit what is queued, then release the file. Blocks; may be called again."""
        self._jobs.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._jobs.is_over:
            self._look_for_others()
            if group := self._jobs.next_group(POLL_S):
                _resolve(group, self._commit(group))
        self._connection.close()

    def _look_for_others(self) -> None:
        """Call `on_others` if the file was changed by another connection than ours since the last look."""
        before = self._version
        try:
            ((self._version,),) = self._connection.execute("PRAGMA data_version")
        except sqlite3.Error as exc:
            self._guard.unavailable(exc)  # the next call fails of it, too
        if before not in (None, self._version):
            self._on_others()

    def _commit(self, group: Sequence[Job]) -> list[Any]:
        """Return one result for every job of the group; exceptions are results.

        What takes something in fails where the guard refuses it, be it only when all is committed: then it is sent
        again, and rather stored twice than not at all. On a full disk the rest goes on with the reserve.
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
        """Do jobs in one transaction, and return one result for each.

        Nearly always all goes well: to isolate calls from the beginning would cost two more statements for each.
        """
        answer = self._do_alone(group[0]) if len(group) == 1 else None
        if answer is not None:
            return [answer]
        try:
            return self._transact(group, self._do)
        except _CallFailed:
            return self._transact(group, self._do_isolated)

    def _do_alone(self, job: Job) -> Any:
        """Do a call outside a transaction, if it can be; None where that did nothing."""
        try:
            return job.alone and job.alone(self._connection)
        except sqlite3.Error as exc:
            return self._guard.unavailable(exc)
        except Exception as exc:  # noqa: BLE001 - as in _transact
            return exc

    def _transact(self, group: Sequence[Job], do: Callable[[Call[Any]], Any]) -> list[Any]:
        """Do all in one transaction. Raises _CallFailed, with nothing changed, where `do` does."""
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
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after the worst errors
            self._connection.execute("ROLLBACK")

    def _do(self, call: Call[Any]) -> Any:
        """Do a call. Raises _CallFailed where it fails and the transaction still stands."""
        try:
            return call(self._connection)
        except Exception as exc:
            if self._connection.in_transaction:
                raise _CallFailed from exc
            raise  # SQLite has given up the whole transaction: full disk, failed write

    def _do_isolated(self, call: Call[Any]) -> Any:
        """Do a call so that it fails for itself; its failure is its result."""
        self._connection.execute("SAVEPOINT call")
        try:
            return call(self._connection)
        except Exception as exc:
            if not self._connection.in_transaction:
                raise  # SQLite has given up the whole transaction: full disk, failed write
            self._connection.execute("ROLLBACK TO call")
            return self._guard.unavailable(exc) if isinstance(exc, sqlite3.Error) else exc
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE call")


def _is_full(result: object) -> bool:
    return isinstance(result, OutboxUnavailable) and result.why == "disk full"


def _resolve(group: Sequence[Job], answers: Sequence[Any]) -> None:
    """Hand the answers to the event loops that wait for them, waking each once."""
    for loop, pairs in groupby(zip(group, answers, strict=True), key=lambda pair: pair[0].loop):
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_answer, list(pairs))


def _answer(pairs: Iterable[tuple[Job, Any]]) -> None:
    for job, answer in pairs:
        if job.answer.done():  # whoever waited was cancelled
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
