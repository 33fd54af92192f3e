"""The durable store between requests and Pinterest: open the store with `open_outbox`, use the result as `Outbox`."""

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
    """Open the store at `url`; create or migrate the store if necessary.

        sqlite:///data/pinrelay.db       a file, relative to the working directory
        sqlite:////var/lib/pinrelay.db   a file, absolute
        postgresql://user:password@one,two:5432,three/pinrelay     a PostgreSQL database

    `clock` (Unix seconds) is the clock of the store beside the `now` of its methods; `None` is the clock of this
    machine for SQLite, of the server for PostgreSQL. `steady` is the clock of holds (seconds, cannot be set): `None` is
    that of this machine. With a given `clock` and no `steady`, holds end by the `now` of calls. Engines are imported on
    demand: each needs its own libraries. Raises SettingsError for any other URL, or if the memory has no secret for its
    keys; OutboxVersionError for a store of a newer Pinrelay or without identity; OutboxUnavailable if the store cannot
    be opened.
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
    """Return the SQLite file of a URL; `None` for PostgreSQL. Raises SettingsError as `open_outbox` does."""
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
    """Open the store at `url` as a side of a move; create or migrate the store if necessary.

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
    """Write a consistent copy of the store at `url` to a new file; return its size in bytes.

    Raises OutboxUnavailable if a file cannot be used, SettingsError for a store that is not a file.
    """
    from app.outbox.sqlite import copies  # noqa: PLC0415 - engines are imported on demand

    return copies.back_up(_file(url), copy)


def restore_backup(url: str, copy: Path) -> Path | None:
    """Replace the store at `url` by a backup; return the new path of the previous store, `None` without one.

    Raises OutboxUnavailable if the store is in use or the file is not a backup, SettingsError for a store that is not a
    file.
    """
    from app.outbox.sqlite import copies  # noqa: PLC0415 - engines are imported on demand

    return copies.restore(copy, _file(url))


async def salvage(damaged: Path, url: str) -> Salvaged:
    """Copy the readable rows of a damaged SQLite file to the empty store at `url`.

    Returns the copied rows and the lost ones. Raises as `open_store` does, and OutboxUnavailable if no row can be read
    or the store is not empty.
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
    """Return whether the store at `url` exists, without opening the store, which would create it.

    A store that is not a file counts as existing.
    """
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def _path(url: str) -> Path | None:
    """Return the SQLite file of a URL; `None` for PostgreSQL. Raises SettingsError for any other URL."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        return Path(rest[1:])
    if scheme == "postgresql":
        return None
    message = "OUTBOX_URL: must be sqlite:///FILE (relative), sqlite:////FILE (absolute) or postgresql://HOST/DATABASE"
    raise SettingsError(message)


@contextmanager
def _needing_the_extra() -> Iterator[None]:
    """Name the extra for a missing library in the error."""
    try:
        yield
    except ModuleNotFoundError as exc:
        message = "OUTBOX_URL: PostgreSQL needs the extra `postgres`: pip install pinrelay[postgres]"
        raise SettingsError(message) from exc
