"""Connections to the server, each for one task at a time, and the meaning of its errors."""

import asyncio
import itertools
import math
import os
import re
import secrets
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import fields
from importlib.resources import files
from typing import Any, Final

import psycopg
from psycopg import _queries as taken_apart
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from app.core.events import Outcome
from app.core.pages import Query
from app.errors import OutboxUnavailable, SettingsError
from app.outbox import search
from app.outbox.refusals import Remedies, cannot_be_used, row_refused
from app.outbox.rows import for_postgres, from_oldest, named_queries, shared_queries


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


_PARTS: Final = {part: _read(f"{part}.sql") for part in ("sums", "named", "asked", "counted", "apart", "stored")}
_QUERIES = named_queries(for_postgres(shared_queries()), _read("queries.sql"), **_PARTS)

#: Queries that begin with the newest; each has a variant `..._ascending` from the oldest.
_EITHER_WAY: Final = ("search", "search_by_id", "search_dropped")
_QUERIES |= {f"{name}_ascending": from_oldest(_QUERIES[name]) for name in _EITHER_WAY}

SQL: Final = {name: text.encode() for name, text in _QUERIES.items()}
#: psycopg parses longer statements at each call, which takes longer than sending a hundred rows.
taken_apart.MAX_CACHED_STATEMENT_LENGTH = max(map(len, SQL.values()))


def about_table(name: str, *, start: int = 0, end: int = 0, **tables: str) -> sql.Composed:
    """Insert the names of tables, and the limits of a day, into a statement: parameters cannot replace them."""
    identifiers = {place: sql.Identifier(table) for place, table in tables.items()}
    return sql.SQL(_QUERIES[name]).format(start=sql.Literal(start), end=sql.Literal(end), **identifiers)


def schema(version: int) -> bytes:
    return (files(__package__) / "schema" / f"{version}.sql").read_bytes()


_REMEDIES: Final[Remedies] = {
    "40": ("locked", "other processes changed the same rows at the same moment; try again"),
    "42501": ("not writable", "the user of OUTBOX_URL lacks rights: let it create and use tables in its schema"),
    "25006": ("not writable", "this server is read-only: OUTBOX_URL must include the new leader"),
    "53100": ("disk full", "the disk of the PostgreSQL server is full: free some space"),
    "53": ("unusable", "the PostgreSQL server has run out of resources: see its log"),
    "57014": ("locked", "a statement took too long: check locks and load of the PostgreSQL server"),
    "57P": ("unreachable", "the PostgreSQL server is stopping or starting: wait"),
    "58": ("unusable", "the disk of the PostgreSQL server fails: see its log"),
    "XX": ("damaged", "the data of the PostgreSQL server is damaged: see its log"),
}
_UNREACHABLE = "cannot reach the PostgreSQL server: check that it runs, and host and port of OUTBOX_URL"
#: Messages of a server, or of libpq, for a failed login -> the cause and its remedy. The first match counts.
_LOGIN: Final = (
    (r"password authentication failed|no password supplied|SASL authentication failed", "check the password"),
    (r'role ".*" does not exist', "create the user, or correct it"),
    (r'database ".*" does not exist', "create the database, or correct its name"),
    (r"no pg_hba\.conf entry", "let this machine in by pg_hba.conf of the server, or use sslmode=require"),
    (r"too many (clients|connections)|connection slots", "raise max_connections of the server"),
    (r"certificate|SSL", "check sslmode and sslrootcert"),
)
#: Errors of one row in a usable database: by a value, a constraint, a trigger, its length or its page.
_ABOUT_A_ROW: Final = ("22", "23", "44", "38", "39", "P0", "54", "XX")
#: The message of libpq about a socket folder; the group is the maximum number of bytes of the path.
_LONG_PATH = re.compile(r"Unix-domain socket path .* is too long \(maximum (\d+) bytes\)")
#: The host in a message of libpq.
_HOST: Final = re.compile(r"(?:server at|host(?: name)?) [\"']([^\"']+)[\"']")
#: The message of a server that refuses the connection.
_REFUSED = re.compile(r"FATAL: +(.+)")


def unavailable(exc: psycopg.Error) -> OutboxUnavailable:
    """Return the meaning of a PostgreSQL error and its remedy. Every such error leaves the engine in this form."""
    if exc.sqlstate and exc.sqlstate.startswith(_ABOUT_A_ROW):
        return row_refused(exc, exc.sqlstate, exc.diag.message_primary or "", _REMEDIES)
    if exc.sqlstate:
        return cannot_be_used(exc, exc.sqlstate, _REMEDIES)
    return cannot_be_used(exc, type(exc).__name__, {"": ("unreachable", _why_no_connection(str(exc)))})


def _why_no_connection(words: str) -> str:
    """Return the reason for a failed connection and its remedy, from the message of the server or of libpq."""
    if too_long := _LONG_PATH.search(words):
        return (
            f"the path of PostgreSQL's socket is over {too_long[1]} bytes: name a shorter folder as host in OUTBOX_URL"
        )
    said = (_REFUSED.findall(words) or words.strip().splitlines() or [""])[-1].removeprefix("connection failed: ")
    for pattern, remedy in _LOGIN:
        if re.search(pattern, words):
            return f"PostgreSQL refuses the connection, {said}: {remedy} in OUTBOX_URL"
    host = _HOST.search(words)
    about = f"{_UNREACHABLE}; the host is read as {host[1]}" if host else _UNREACHABLE
    return f"{about}; {said}" if _REFUSED.search(words) else about


def kept_here_only() -> OutboxUnavailable:
    """Return the error for a commit without its required second copy."""
    return OutboxUnavailable(
        "The outbox has no second copy of the last commit: the wait for the standby was cancelled. "
        "Check the standby, and synchronous_standby_names."
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise OutboxUnavailable for the errors of PostgreSQL inside."""
    try:
        yield
    except psycopg.Error as exc:
        raise unavailable(exc) from exc


#: The maximum of connections per process.
MAX_CONNECTIONS: Final = 10
#: The number of runs after which the server prepares a statement.
_PREPARE_AFTER: Final = 5
#: A session lock distinguishes connections. A pooler provides no sessions: each process draws some random slots. Two
#: processes with the same slot only wait for the commits of each other.
_SLOTS_A_PROCESS: Final = 2 * MAX_CONNECTIONS
_POOLED_SLOTS: Final = range(30_000, 32_000, _SLOTS_A_PROCESS)
#: The maximum wait of a task for a connection.
PATIENCE_S: Final = 10.0
#: The maximum use of a connection by a task, before cancellation.
LIMIT_S: Final = 10.0
#: The time of the server for the cancellation before the connection is closed.
_CANCEL_S = 2.0

#: Defaults for missing parts of the URL.
_STANDARD: Final[dict[str, str | int | None]] = {
    "target_session_attrs": "read-write",
    "connect_timeout": "5",
    "application_name": "pinrelay",
    # Load balancers of clouds silently drop idle connections after four to six minutes.
    "keepalives_idle": "60",
    "keepalives_interval": "15",
    "keepalives_count": "4",
}

OLDEST_POSTGRES: Final = 15


_ENCODE: Final = ": percent-encode special characters of the password: @ as %40, / as %2F, # as %23, % as %25"


def connection_text(url: str) -> str:
    """Return the URL in the form of libpq: of several servers the writable one.

    Raises SettingsError, without the URL, which may contain a password.
    """
    try:
        parsed = conninfo_to_dict(url)
        host, database = (str(parsed.get(name, "")) for name in ("host", "dbname"))
        for name, read in (("host", host), ("database", database)):
            if "@" in read:  # part of the password, so only the end is shown
                raise SettingsError(f"OUTBOX_URL: the {name} is read as ...@{read.rpartition('@')[2]}{_ENCODE}")
        return make_conninfo("", **(_STANDARD | parsed))
    except psycopg.Error:
        message = "OUTBOX_URL: must have the form postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE"
        raise SettingsError(f"{message}{_ENCODE}") from None


def filters_of(query: Query) -> dict[str, Any]:
    """Return the parameters of a statement for the filters of a query."""
    query = search.as_kept(query)
    parameters = {each.name: getattr(query, each.name) for each in fields(query)}
    if query.delivery_id is not None:
        parameters["delivery_id"] = search.cursor_id(query.delivery_id)
    return parameters | {
        "person": None if query.person is None else list(query.person),
        "tried": query.outcome if query.outcome in search.SENT else None,
        "matched": query.outcome is Outcome.MATCHED,
        "outcomes": sorted(search.dropped_outcomes(query)),
        "since": query.since or 0.0,
        "until": math.inf if query.until is None else query.until,
    }


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection with its slot, and with the state of the second copy of its last commit."""

    #: The slot for its counts, unique during its lifetime (see schema/1.sql).
    slot = 0
    #: Whether the server warned that the last commit is on its own disk only.
    kept_here_only = False
    #: Whether a pooler such as pgbouncer is between: each transaction may be another session of the server.
    is_pooled = False
    #: The number of tasks that used the connection.
    turn = 0

    async def rows(self, query: str, /, **parameters: Any) -> list[TupleRow]:
        parameters["slot"] = self.slot
        return await (await self.execute(SQL[query], parameters, binary=True)).fetchall()

    async def count(self, query: str, /, **parameters: Any) -> int:
        parameters["slot"] = self.slot
        return (await self.execute(SQL[query], parameters)).rowcount

    async def matching(
        self, name: str, query: Query, *, before: int, floor: int = 0, limit: int | None, oldest_first: bool = False
    ) -> list[TupleRow]:
        if name == "search" and search.names_id(query):
            name = "search_by_id"
        page = {"before": before, "floor": floor, "limit": limit}
        return await self.rows(f"{name}_ascending" if oldest_first else name, **filters_of(query), **page)

    def together(self) -> AbstractAsyncContextManager[object]:
        return self.transaction()

    @asynccontextmanager
    async def one_moment(self) -> AsyncIterator[None]:
        async with self.transaction():
            await self.execute(SQL["one_moment"])
            yield

    def hear(self, notice: Diagnostic) -> None:
        """Note a notice of the server."""
        if notice.source_function == "SyncRepWaitForLSN":
            self.kept_here_only = True

    @property
    def is_usable(self) -> bool:
        """Whether the next task may use the connection: no open transaction, and no shutdown of the server."""
        if self.closed or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return False
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return not poll.poll(0)

    def cut(self) -> None:
        """Close the connection at once: waiting tasks get an error."""
        if not self.closed:
            with socket.socket(fileno=os.dup(self.pgconn.socket)) as line, suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    async def cancel_or_cut(self) -> None:
        """Cancel the current statement on the server; close the connection if this is slow."""
        turn = self.turn
        with suppress(psycopg.Error):
            await self.cancel_safe(timeout=_CANCEL_S)
        await asyncio.sleep(_CANCEL_S)
        if self.turn == turn:
            self.cut()


class Connections:
    """A pool of connections: lend a free one, or create one, at most MAX_CONNECTIONS."""

    def __init__(self, conninfo: str, on_connected: Callable[[float], None]) -> None:
        self._conninfo = conninfo
        #: Called with the server's time at each new connection, in Unix seconds.
        self._on_connected = on_connected
        self._idle: list[Connection] = []
        self._room = asyncio.Semaphore(MAX_CONNECTIONS)
        self._alarms: set[asyncio.Task[None]] = set()
        #: The state of the last connection.
        self.is_pooled = False
        self._first_slot = _POOLED_SLOTS[secrets.randbelow(len(_POOLED_SLOTS))]
        self._connected = itertools.count()

    @asynccontextmanager
    async def lent(self, limit_s: float | None = None) -> AsyncIterator[Connection]:
        """Lend a connection, in autocommit mode, for at most `limit_s`, or LIMIT_S.

        Raises psycopg.Error, OutboxUnavailable.
        """
        try:
            async with asyncio.timeout(PATIENCE_S) if self._room.locked() else nullcontext():
                await self._room.acquire()
        except TimeoutError:
            message = f"The outbox is too busy: no connection was free within {PATIENCE_S:.0f} seconds. Check its load."
            raise OutboxUnavailable(message) from None
        try:
            connection = self._take_idle() or await self.connect()
            connection.turn += 1
            connection.kept_here_only = False
            alarm = asyncio.get_running_loop().call_later(limit_s or LIMIT_S, self._sound, connection)
            try:
                yield connection
            finally:
                alarm.cancel()
                connection.turn += 1
                await self._take_back(connection)
        finally:
            self._room.release()

    def _sound(self, connection: Connection) -> None:
        task = asyncio.create_task(connection.cancel_or_cut())
        self._alarms.add(task)
        task.add_done_callback(self._alarms.discard)

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.pgconn.finish()
        return None

    async def _take_back(self, connection: Connection) -> None:
        if connection.is_usable:
            self._idle.append(connection)
        else:
            await connection.close()

    async def connect(self) -> Connection:
        """Create a connection and check its server. Raises psycopg.Error, OutboxUnavailable, SettingsError."""
        connection = await Connection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            connection.add_notice_handler(connection.hear)
            told = {"told_pid": connection.info.backend_pid}
            (row,) = await (await connection.execute(SQL["connected"], told)).fetchall()
            *_, is_direct, isolation, fsync, commit, standbys, version, server_time = row
            self.is_pooled = connection.is_pooled = not is_direct
            if connection.is_pooled:
                check_isolation(isolation)
                connection.slot = self._first_slot + next(self._connected) % _SLOTS_A_PROCESS
            else:
                connection.prepare_threshold = _PREPARE_AFTER
                ((connection.slot,),) = await (await connection.execute(SQL["take_slot"])).fetchall()
            check_server(fsync=fsync, synchronous_commit=commit, standbys=standbys, version=version)
            self._on_connected(server_time)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def close(self) -> None:
        for alarm in self._alarms:
            alarm.cancel()
        while self._idle:
            await self._idle.pop().close()


def check_isolation(isolation: str) -> None:
    """Raise OutboxUnavailable for another isolation level: behind a pooler, no connection can set it."""
    if isolation != "read committed":
        message = (
            f"The server of OUTBOX_URL has default_transaction_isolation={isolation}, behind a connection pooler. "
            "Set it to 'read committed' for this user (ALTER ROLE ... SET)."
        )
        raise OutboxUnavailable(message)


def check_server(*, fsync: str, synchronous_commit: str, standbys: str, version: int) -> None:
    """Raise OutboxUnavailable if the server confirms commits before they are on its disk and its standby's."""
    if version < OLDEST_POSTGRES * 10_000:
        raise OutboxUnavailable(f"PostgreSQL {version // 10_000} is too old: use {OLDEST_POSTGRES} or newer.")
    weak = {"off", "local", "remote_write"} if standbys else {"off"}
    if fsync != "on":
        raise OutboxUnavailable("The server of OUTBOX_URL has fsync=off: a power cut would lose events. Set fsync=on.")
    if synchronous_commit in weak:
        message = (
            f"The server of OUTBOX_URL has synchronous_commit={synchronous_commit}: a crash would lose events. "
            "Set synchronous_commit=on, for the server or for this user."
        )
        raise OutboxUnavailable(message)
