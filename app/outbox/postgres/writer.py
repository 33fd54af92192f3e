"""Group commit: calls of `Outbox.enqueue` that wait at the same time share a transaction, large ones apart."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from app.config.settings import OutboxSettings
from app.core.deliveries import Enqueued
from app.errors import OutboxUnavailable
from app.outbox.enqueue import PreparedEnqueue
from app.outbox.postgres.database import Database
from app.outbox.postgres.enqueue import enqueue
from app.outbox.postgres.retention import Days
from app.outbox.rows import LARGE_ROWS

#: The number of rows that closes a group, so that no call waits long for the commit of others.
MAX_ROWS = 4_000
#: The number of groups under way beyond which calls are gathered. With two, one is written during the sync of the
#: other.
MAX_BATCHES_IN_FLIGHT = 2


class _Job(NamedTuple):
    call: PreparedEnqueue
    answer: asyncio.Future[list[Enqueued]]


class Writer:
    """Run calls, and return each result after the shared commit: small calls do not wait for large ones."""

    def __init__(self, database: Database, days: Days, rules: OutboxSettings) -> None:
        self._small, self._large = (_Lane(database, days, rules) for _ in range(2))

    async def do(self, call: PreparedEnqueue) -> list[Enqueued]:
        """Run one call in the next group. Raises OutboxUnavailable, without a change."""
        return await (self._large if call.rows > LARGE_ROWS else self._small).do(call)

    async def close(self) -> None:
        """Commit waiting calls, and stop."""
        await self._small.close()
        await self._large.close()


class _Lane:
    """Calls of similar size, in groups."""

    def __init__(self, database: Database, days: Days, rules: OutboxSettings) -> None:
        self._database = database
        self._days = days
        self._rules = rules
        self._waiting: list[_Job] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def do(self, call: PreparedEnqueue) -> list[Enqueued]:
        answer: asyncio.Future[list[Enqueued]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(call, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        while self._waiting and len(self._under_way) < MAX_BATCHES_IN_FLIGHT:
            task = asyncio.create_task(self._commit(self._next_group()))
            self._under_way.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._begin()

    def _next_group(self) -> list[_Job]:
        count = rows = 0
        for job in self._waiting:
            count, rows = count + 1, rows + job.call.rows
            if rows >= MAX_ROWS:
                break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _commit(self, group: Sequence[_Job]) -> None:
        """Store a group. If one call cannot be stored, try each call separately."""
        try:
            await self._days.ensure_tables({job.call.now for job in group})
            answers = await self._database.run(enqueue, [job.call for job in group], self._rules)
        except Exception as exc:  # noqa: BLE001 - it is handed to whoever asked
            if len(group) > 1 and not _concerns_all(exc):
                for job in group:
                    await self._commit([job])
                return
            self._days.forget()
            for job in group:
                _answer(job, exc)
        else:
            for job, answer in zip(group, answers, strict=True):
                _answer(job, answer)

    async def close(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)


def _concerns_all(exc: Exception) -> bool:
    """Return whether the whole outbox has failed, rather than a single call."""
    in_a_call = isinstance(exc.__cause__, psycopg.DataError | psycopg.IntegrityError)
    return isinstance(exc, OutboxUnavailable) and not in_a_call


def _answer(job: _Job, answer: list[Enqueued] | Exception) -> None:
    if job.answer.done():  # the caller was cancelled
        return
    if isinstance(answer, Exception):
        job.answer.set_exception(answer)
    else:
        job.answer.set_result(answer)
