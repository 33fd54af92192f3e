"""The database: its SQL, schema and clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from math import inf
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg
from psycopg import Rollback
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from app.config.settings import OutboxSettings
from app.core.log import log_migration
from app.core.values.times import HOUR_S
from app.errors import OutboxUnavailable
from app.outbox.hold_clock import BEAT_S, steady_clock
from app.outbox.postgres.connections import (
    SQL,
    Connection,
    Connections,
    connection_text,
    kept_here_only,
    schema,
    translated_errors,
)
from app.outbox.refusals import check_schema_version, identity_of, without_identity
from app.outbox.statements import UsesStore, Work

SCHEMA_VERSION: Final = 2
#: The value in `store_version` of every store.
IDENTITY: Final = identity_of(schema(1))

#: The maximum duration of a migration, which reads all rows.
MIGRATION_S: Final = 4 * HOUR_S

#: Another process stored one of the keys at the same time: repeat.
COLLISIONS: Final = (UniqueViolation, DeadlockDetected, SerializationFailure)
_TRIES: Final = 10

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Database:
    """Run work on connections. The first use connects, so that Pinrelay can start before the server."""

    def __init__(self, url: str, on_connected: Callable[[float], None]) -> None:
        self._connections = Connections(connection_text(url), on_connected)
        self._opening = asyncio.Lock()
        self._is_open = False
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()

    async def run(
        self,
        work: Callable[Concatenate[Connection, Given], Coroutine[Any, Any, Result]],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """Await `work(connection, ...)`; its writes are committed on every required disk.

        The work is finished even if the caller is cancelled: an abort would cost the connection. Raises
        OutboxUnavailable if PostgreSQL fails, and the errors of the work.
        """
        await self.open()
        return await self._finished(self._run(work, *arguments, **named))

    async def _finished(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._let_go)
        return await asyncio.shield(task)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a cancelled caller never reads the exception

    async def _run(
        self,
        work: Callable[Concatenate[Connection, Given], Awaitable[Result]],
        *arguments: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        with translated_errors():
            async with self._connections.lent() as connection:
                result = await work(connection, *arguments, **named)
                if connection.kept_here_only:
                    raise kept_here_only()
                return result

    async def open(self) -> None:
        """Connect, and create or migrate the schema on the first call; a migration of many rows takes long.

        Raises OutboxUnavailable, OutboxVersionError for the schema of another version of Pinrelay.
        """
        if self._closed:
            raise OutboxUnavailable("The outbox is closed: this process is shutting down.")
        if not self._is_open:
            await self._finished(self._open())

    async def _open(self) -> None:
        async with self._opening:
            if not self._is_open:
                with translated_errors():
                    async with self._connections.lent() as connection:
                        is_current = await _version(connection) == SCHEMA_VERSION
                    if not is_current:
                        async with self._connections.lent(MIGRATION_S) as connection:
                            await migrate(connection)
                self._is_open = True

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler is between; known after `open`."""
        return self._connections.is_pooled

    async def listen(self) -> Connection:
        """Return a connection for notifications of other processes; the caller closes it. Raises psycopg.Error."""
        connection = await self._connections.connect()
        try:
            await connection.execute(SQL["listen"])
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        """Finish running work, and close the connections. Idempotent."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)
        with suppress(psycopg.Error):
            await self._connections.close()


async def migrate(connection: Connection) -> None:
    """Migrate the schema to SCHEMA_VERSION, all steps in one transaction.

    Raises OutboxVersionError if the schema is newer, or has no identity.
    """
    found = await _version(connection)
    if found == SCHEMA_VERSION:
        return
    with log_migration(found, SCHEMA_VERSION):
        await _migrate(connection)


async def _migrate(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute(SQL["unhurried"])
        await connection.execute(SQL["only_one"])
        for step in range(await _version(connection) + 1, SCHEMA_VERSION + 1):
            await connection.execute(schema(step))
        await connection.execute(SQL["set_version"], {"identity": IDENTITY, "version": SCHEMA_VERSION})


async def _version(connection: Connection) -> int:
    """Read the version of the schema; 0 without a schema."""
    ((has_version, has_deliveries),) = await connection.rows("has_tables")
    found = await connection.rows("version") if has_version else []
    identity, version = found[0] if found else (None, 0)
    if identity != IDENTITY and (found or has_deliveries):
        remedy = (
            "Make an empty database for this version. To bring over what this one holds, let the Pinrelay that "
            "made it move that into a file (`pinrelay outbox-move`). Then read the file with this version: "
            "`pinrelay outbox-salvage`."
        )
        raise without_identity("The outbox in this database", remedy)
    check_schema_version(version, newest=SCHEMA_VERSION)
    return int(version)


#: A difference up to this may be only the time that the response took, and counts as no difference.
TOLERANCE_S = 0.1
#: A larger difference between the machine's clock and the monotonic clock is a step of the machine's clock.
_STEP_S: Final = 2.0


async def until_done(connection: Connection, work: Work[Result | None]) -> Result:
    """Run work in a transaction. If the result is `None` or another process interferes, roll back and repeat.

    Raises OutboxUnavailable if all tries fail.
    """
    for _ in range(_TRIES):
        with suppress(*COLLISIONS):
            async with connection.transaction() as transaction:
                result = await work(connection)
                if result is None:
                    raise Rollback(transaction)
                return result
    raise OutboxUnavailable("The outbox is too busy: other processes change the same events. Try again later.")


class ServerClock:
    """Compute the server's time from a monotonic clock, which no step of the machine's clock changes."""

    def __init__(
        self,
        clock: Callable[[], float] | None,
        *,
        machine: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        #: `None`: use the server's time. Otherwise this clock replaces the server's, for example in tests.
        self._given = clock
        self.machine = clock or machine
        self._steady = steady
        #: The server's clock and the machine's clock minus the monotonic clock, after the last response of the server.
        self._server_ahead_s = self._machine_ahead_s = self.machine() - steady()
        self._heard_at = -inf

    def __call__(self) -> float:
        """Return the server's time, in Unix seconds."""
        return self._given() if self._given else self._steady() + self._server_ahead_s

    def of(self, moment: float) -> float:
        """Return the server's time at `moment` of the machine's clock, if that clock was not set in between."""
        return moment if self._given else moment + self() - self.machine()

    def at(self, now: float) -> float:
        """Return the server's time now. With a given clock, return `now`.

        The caller's `now` is not used otherwise, because the machine's clock may have been set after it was read.
        """
        return now if self._given else self()

    @property
    def is_stale(self) -> bool:
        """Whether to ask the server again: BEAT_S have passed, or the machine's clock was set.

        The server and the machine may share a clock, so a step of the machine's clock suggests a step of the server's.
        """
        steady = self._steady()
        is_set = abs(self.machine() - steady - self._machine_ahead_s) > _STEP_S
        return self._given is None and (is_set or steady - self._heard_at >= BEAT_S)

    def hear(self, server_time: float) -> None:
        """Note a new response with the server's time."""
        self._heard_at = self._steady()
        self._machine_ahead_s = self.machine() - self._heard_at
        ahead_s = server_time - self._heard_at
        if abs(ahead_s - self._server_ahead_s) > TOLERANCE_S:
            self._server_ahead_s = ahead_s


class UsesDatabase(UsesStore):
    """A part of the engine. Stored times are the server's."""

    def __init__(self, database: Database, clock: ServerClock, rules: OutboxSettings) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def _read(self, work: Work[Result]) -> Result:
        return await self._database.run(work)

    async def _change(self, work: Work[Result | None], *, rows: int = 1) -> Result:  # noqa: ARG002 - for the engine that has one writer
        return await self._database.run(until_done, work)

    def _by_store(self, now: float) -> float:
        return self._clock.of(now)

    async def _by_server(self, now: float) -> float:
        await self._database.open()
        if self._clock.is_stale:
            await self._read_clock()
        return self._clock.at(now)

    async def _read_clock(self) -> float:
        """Ask the server for its time, and return it."""
        ((server_time,),) = await self._database.run(Connection.rows, "server_time")
        self._clock.hear(server_time)
        return self._clock()
