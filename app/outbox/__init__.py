"""The durable store between the request and Pinterest: open it with `open_outbox`, use it as `Outbox`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from app.config.settings import OutboxSettings
from app.errors import SettingsError
from app.outbox.counts import NO_COUNTRY, WITH_TAX, enqueue_counters, warning_label
from app.outbox.hold_clock import steady_clock
from app.outbox.pairing import NOT_CONFIRMED
from app.outbox.people import ConsentBook
from app.outbox.search import SEARCH_FILTERS, order_spellings, read_filters
from app.outbox.store import Outbox
from app.outbox.transfer import Salvaged, Store

__all__ = [
    "NOT_CONFIRMED",
    "NO_COUNTRY",
    "SEARCH_FILTERS",
    "WITH_TAX",
    "ConsentBook",
    "Outbox",
    "Salvaged",
    "Store",
    "back_up",
    "enqueue_counters",
    "exists",
    "open_outbox",
    "open_store",
    "order_spellings",
    "read_filters",
    "restore_backup",
    "salvage",
    "warning_label",
]


def open_outbox(
    url: str,
    rules: OutboxSettings,
    *,
    clock: Callable[[], float] | None = None,
    steady: Callable[[], float] | None = None,
) -> Outbox:
    """Open the store that `url` names, creating or migrating it where needed.

        sqlite:///data/pinrelay.db       a file, relative to the working directory
        sqlite:////var/lib/pinrelay.db   a file, absolute
        postgresql://user:password@one,two:5432,three/pinrelay     a PostgreSQL database

    `clock` (Unix seconds) is what the store takes for the time beside the `now` that its methods are given. None takes
    this machine's clock for SQLite, the server's for PostgreSQL. `steady` is the clock that holds go on by (seconds,
    which nobody can set): None takes this machine's, but with a `clock` that is given they end by the `now` of calls.
    An engine is imported only when it is asked for: each needs its own libraries.
    Raises SettingsError for any other URL and where memory has no secret for its keys, OutboxVersionError for a store
    of a newer Pinrelay or without identity, OutboxUnavailable where the store cannot be opened.
    """
    path = check_settings(url, rules)
    if clock is None:
        steady = steady or steady_clock
    if path:
        from app.outbox.sqlite import SqliteOutbox  # noqa: PLC0415 - engines are imported on demand

        return SqliteOutbox(path, rules, clock=clock or time.time, steady=steady)
    with _needing_the_extra():
        from app.outbox.postgres import PostgresOutbox  # noqa: PLC0415 - engines are imported on demand
    return PostgresOutbox(url, rules, clock=clock, steady=steady)


def check_settings(url: str, rules: OutboxSettings) -> Path | None:
    """Return the file of SQLite that a URL names; None for PostgreSQL. Raises SettingsError as `open_outbox` does."""
    path = _path(url)
    if path is None:
        with _needing_the_extra():
            from app.outbox.postgres.connections import connection_text  # noqa: PLC0415 - engines are imported on demand
        connection_text(url)
    if rules.remember_days and rules.remember_secret is None:
        message = "REMEMBER_SECRET: memory needs one, of 32 characters or more: `openssl rand -hex 32` makes it"
        raise SettingsError(message)
    return path


def open_store(url: str) -> Store:
    """Open the store that `url` names as one side of a move, creating or migrating it where needed.

    Raises as `open_outbox` does.
    """
    path = _path(url)
    if path:
        from app.outbox.sqlite.transfer import SqliteStore  # noqa: PLC0415 - engines are imported on demand

        return SqliteStore(path)
    with _needing_the_extra():
        from app.outbox.postgres.transfer import PostgresStore  # noqa: PLC0415 - engines are imported on demand
    return PostgresStore(url)


def back_up(url: str, copy: Path) -> int:
    """Write all that the store of `url` holds at one moment to a new file; return its size in bytes.

    Raises OutboxUnavailable where one of the two cannot be used, SettingsError for a store that is no file.
    """
    from app.outbox.sqlite import copies  # noqa: PLC0415 - engines are imported on demand

    return copies.back_up(_file(url), copy)


def restore_backup(url: str, copy: Path) -> Path | None:
    """Put a backup in the place of the store of `url`; return where the store before lies now, None where none was.

    Raises OutboxUnavailable where somebody uses the store or the file is no backup, SettingsError for a store that is
    no file.
    """
    from app.outbox.sqlite import copies  # noqa: PLC0415 - engines are imported on demand

    return copies.restore(copy, _file(url))


async def salvage(damaged: Path, url: str) -> Salvaged:
    """Bring what can be read of a damaged file of SQLite into the empty store that `url` names.

    Returns what arrived and what is lost. Raises as `open_store` does, and OutboxUnavailable where nothing can be read,
    or the store holds something.
    """
    from app.outbox.sqlite.salvage import salvage as read  # noqa: PLC0415 - engines are imported on demand

    return await read(damaged, partial(open_store, url))


def _file(url: str) -> Path:
    path = _path(url)
    if path is None:
        message = "OUTBOX_URL: this is for the file of SQLite; PostgreSQL has pg_dump and pg_restore"
        raise SettingsError(message)
    return path


def exists(url: str) -> bool:
    """Return whether the store that `url` names is there without opening it, which would make it.

    Of a store that is no file only opening it tells, so it is taken to be there.
    """
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def _path(url: str) -> Path | None:
    """Return the file of SQLite that `url` names; None for one of PostgreSQL. Raises SettingsError for any other."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return Path(rest[1:])
    if scheme == "postgresql":
        return None
    message = "OUTBOX_URL: must be sqlite:///FILE (relative), sqlite:////FILE (absolute) or postgresql://HOST/DATABASE"
    raise SettingsError(message)


@contextmanager
def _needing_the_extra() -> Iterator[None]:
    """Say which extra brings the library that is missing."""
    try:
        yield
    except ModuleNotFoundError as exc:
        message = "OUTBOX_URL: PostgreSQL needs the extra `postgres`: pip install pinrelay[postgres]"
        raise SettingsError(message) from exc
