"""The SQLite file: its SQL, schema, connections and errors."""

import os
import sqlite3
import time
from collections.abc import Collection, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext, suppress
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import orjson

from app.core.fields import UNHASHED
from app.core.log import log_migration
from app.core.pages import Query
from app.errors import OutboxUnavailable
from app.outbox.refusals import (
    Remedies,
    cannot_be_used,
    check_schema_version,
    identity_of,
    row_refused,
    without_identity,
)
from app.outbox.rows import as_json, for_sqlite, from_oldest, named_queries, shared_queries
from app.outbox.sqlite.filters import filtered

Answer = TypeVar("Answer")


def statements(script: str) -> Iterator[str]:
    """Split a script into its statements; a trigger is one. `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def script_of_store() -> str:
    """Read the setup of a connection that enqueues."""
    return _read("store.sql")


def schema(version: int) -> str:
    """Read the script that migrates the schema to `version` from the previous version."""
    return _read(f"schema/{version}.sql")


SQL: Final = named_queries(
    for_sqlite(shared_queries()),
    _read("queries.sql"),
    **{part: _read(f"{part}.sql") for part in ("counted", "shelves", "apart", "tried", "stored")},
    unhashed=", ".join(f"'$.user_data.{name}'" for name in UNHASHED),
)


#: Of a hexadecimal key: 60 bits, which fit into SQLite's integers.
_DIGITS = 15
_BYTES = 7


def person_id(key: str | None) -> int | None:
    """Return the number of a key of an id, `None` for `None`."""
    return None if key is None else number_of(key)


def numbers_of(keys: Collection[str]) -> set[int]:
    try:
        return {int(key[:_DIGITS], 16) for key in keys}  # a call for each takes twice as long
    except ValueError:
        return {number_of(key) for key in keys}


def number_of(key: str) -> int:
    """Return the number of a key from its prefix; for "", a number before all others.

    Two of a million keys have the same number with a chance of one in two million; the statements compare the key too.
    """
    if not key:
        return -1
    try:
        return int(key[:_DIGITS], 16)
    except ValueError:  # not a key of Pinrelay: a damaged file may contain anything
        return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=_BYTES).digest())


SCHEMA_VERSION: Final = 2
#: `PRAGMA application_id` of every store.
IDENTITY: Final = identity_of(schema(1).encode())
BUSY_TIMEOUT_S: Final = 5.0
#: Another process may be migrating millions of deliveries.
_MIGRATION_S = 120.0
#: The first version with the operator `->>` (STRICT tables and UPDATE FROM are older).
OLDEST_SQLITE: Final = (3, 38)
_BUSY_PAUSE_S = 0.002
OWNER_ONLY: Final = 0o600
#: The low byte of an error code of SQLite; the rest refines it.
_PRIMARY_CODE = 0xFF

#: Pages of the write-ahead log before SQLite copies them into the file, and the cache of a connection.
LOG_PAGES: Final = 4_000
CACHE_KB: Final = 32_768
#: secure_delete: erased data leaves the file. synchronous=FULL: a commit is on the disk before its response. fullfsync:
#: the same on macOS, where a plain fsync leaves data in the cache of the disk; ignored elsewhere. wal_autocheckpoint:
#: 16 MB, so that busy pages are copied into the file once for many commits. cache_size: 32 MB, enough for the dirty
#: pages of the largest group of calls; more was no faster.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=ON",
    "foreign_keys=ON",
    "secure_delete=ON",
    f"wal_autocheckpoint={LOG_PAGES}",
    "journal_size_limit=67108864",
    f"cache_size=-{CACHE_KB}",
    "temp_store=MEMORY",
)

_REMEDIES: Final[Remedies] = {
    "SQLITE_FULL": ("disk full", "the disk is full: free some space"),
    "SQLITE_IOERR_SHMSIZE": ("disk full", "the disk is full: free some space"),
    "SQLITE_BUSY": ("locked", "another process has locked it: stop that process, or wait"),
    "SQLITE_LOCKED": ("locked", "another process has locked it: stop that process, or wait"),
    "SQLITE_IOERR": ("unusable", "the disk refuses writes: check its space, limits and health"),
    "SQLITE_READONLY_DBMOVED": ("gone", "the file was moved or deleted: put it back and restart"),
    "SQLITE_READONLY": ("not writable", "the file or its folder is read-only: check its owner"),
    "SQLITE_CANTOPEN": ("not writable", "the file cannot be opened: check its folder and its owner"),
    "SQLITE_CORRUPT": (
        "damaged",
        "the file is damaged: stop, copy it to a new one with `pinrelay outbox-salvage`, and start with that",
    ),
    "SQLITE_NOTADB": (
        "damaged",
        "the file is damaged, or not an outbox: correct OUTBOX_URL, or `pinrelay restore` a backup",
    ),
}


#: Errors of one row in a usable store: by a constraint, a trigger or a value.
_ABOUT_A_ROW: Final = ("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG", "SQLITE_ERROR")


def unavailable(exc: sqlite3.Error) -> OutboxUnavailable:
    """Return the meaning of an SQLite error and its remedy. Every such error leaves the engine in this form."""
    name = getattr(exc, "sqlite_errorname", type(exc).__name__)
    return (
        row_refused(exc, name, str(exc), _REMEDIES)
        if name.startswith(_ABOUT_A_ROW)
        else cannot_be_used(exc, name, _REMEDIES)
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise OutboxUnavailable from the errors of SQLite inside."""
    try:
        yield
    except sqlite3.Error as exc:
        raise unavailable(exc) from exc


def one_json(connection: sqlite3.Connection, query: str, **parameters: Any) -> Any:
    """Run the named query with a single JSON value as its result."""
    return orjson.loads(connection.execute(SQL[query], parameters).fetchone()[0])


class Connection(sqlite3.Connection):
    """A connection that runs the statements of `app.outbox.statements` as well."""

    async def rows(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        return self.execute(SQL[name], _bound(parameters)).fetchall()

    async def count(self, name: str, /, **parameters: Any) -> int:
        return self.execute(SQL[name], _bound(parameters)).rowcount

    async def matching(
        self, name: str, query: Query, *, before: int, floor: int = 0, limit: int | None, oldest_first: bool = False
    ) -> list[tuple[Any, ...]]:
        sql, parameters = filtered(name, SQL[name], query)
        page = {"before": before, "floor": floor, "limit": -1 if limit is None else limit}
        return self.execute(from_oldest(sql) if oldest_first else sql, parameters | page).fetchall()

    def together(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()  # the caller is in a transaction already

    one_moment = together


def _bound(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) if type(value) is list else value for name, value in parameters.items()}


def at_once(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run work that never waits, and return its result. Raises RuntimeError if it waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("Answer", done.value)
    raise RuntimeError("it waits for something")


def open_writable(path: Path) -> Connection:
    """Open or create the file for the writing thread, with its schema up to date.

    Only the owner can read the file. A refused file is not written to. Raises OutboxVersionError, OutboxUnavailable.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise OutboxUnavailable(f"SQLite {sqlite3.sqlite_version} is too old: install 3.38 or newer.")
    with translated_errors():
        _refuse_untouched(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY))
    except OSError as exc:
        message = f"The outbox {path} cannot be opened: {exc.strerror}. Check the file, its folder and their owner."
        raise OutboxUnavailable(message, why="not writable") from exc
    with translated_errors():
        connection = connect(path, timeout_s=0)  # `execute_with_retries` waits instead
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_readable(path: Path) -> Connection:
    """Open the file for reading only. The connection stays valid after a rename of the file."""
    with translated_errors():
        connection = connect(path, timeout_s=BUSY_TIMEOUT_S)
        try:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA user_version").fetchone()  # the first read opens all files
        except BaseException:
            connection.close()
            raise
    return connection


def open_untouched(path: Path) -> sqlite3.Connection:
    """Open a file without a write, not even of its log. Raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)


def connect(path: Path, *, timeout_s: float) -> Connection:
    """Connect without the automatic transactions of Python."""
    connection = sqlite3.connect(
        path,
        timeout=timeout_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=Connection,
    )
    connection.create_function("person_id", 1, person_id, deterministic=True)
    return connection


def _refuse_untouched(path: Path) -> None:
    """Raise OutboxVersionError for a file of another version, since a writing connection would change the file."""
    try:
        with closing(open_untouched(path)) as connection:
            read_version(connection)
    except sqlite3.OperationalError as exc:
        # there is no file yet, or a rollback after a crash is due: `migrate` checks again
        if exc.sqlite_errorcode & _PRIMARY_CODE not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        execute_with_retries(connection, f"PRAGMA {pragma}")
    migrate(connection)


def execute_with_retries(
    connection: sqlite3.Connection,
    statement: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout_s: float | None = None,
) -> sqlite3.Cursor:
    """Run a statement; retry every few milliseconds while another process has the lock (`None`: BUSY_TIMEOUT_S).

    SQLite's own wait has growing pauses, up to 0.1 s, so that one busy process starves the others; and for some locks
    SQLite does not wait.
    """
    deadline = time.monotonic() + (BUSY_TIMEOUT_S if timeout_s is None else timeout_s)
    while True:
        try:
            return connection.execute(statement, parameters or {})
        except sqlite3.OperationalError as exc:
            busy = exc.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_BUSY_PAUSE_S)


@contextmanager
def transaction(connection: sqlite3.Connection, *, timeout_s: float | None = None) -> Iterator[None]:
    """Commit all work inside, or roll back. Wait for the lock as `execute_with_retries` does."""
    execute_with_retries(connection, "BEGIN IMMEDIATE", timeout_s=timeout_s)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite rolls back by itself after the worst errors
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the schema to SCHEMA_VERSION, all steps in one transaction.

    A file of this version is not written to, so that it can be read while another process has the lock. Raises
    OutboxVersionError if the schema is newer, or has no identity.
    """
    found = read_version(connection)
    if found == SCHEMA_VERSION:
        return
    with log_migration(found, SCHEMA_VERSION), transaction(connection, timeout_s=_MIGRATION_S):
        for step in range(read_version(connection) + 1, SCHEMA_VERSION + 1):
            for statement in statements(schema(step)):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={IDENTITY:d}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION:d}")


def read_version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema, 0 for an empty file. Raises OutboxVersionError as `migrate` does."""
    identity, version, tables, file = execute_with_retries(connection, SQL["version"]).fetchone()
    if identity != IDENTITY and (identity or version or tables):
        new = f"sqlite:///{Path(file).with_name('new.db')}"
        remedy = f"Copy its contents to a new store: `pinrelay outbox-salvage {file} {new}`, then set OUTBOX_URL={new}."
        raise without_identity(f"The outbox {file}", remedy)
    check_schema_version(version, newest=SCHEMA_VERSION)
    return int(version)


def checkpoint(path: Path) -> None:
    """Copy the write-ahead log into the file and truncate it, so that no erased data is left in it.

    Does as much as possible without a wait for others.
    """
    with translated_errors(), closing(connect(path, timeout_s=0)) as connection:
        truncate_wal(connection)


def truncate_wal(connection: sqlite3.Connection) -> None:
    """Copy the log into the file and truncate it.

    If others read the log for longer than the lock timeout of the connection, the log stays.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
