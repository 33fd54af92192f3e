"""The durable store between the request and Pinterest: open it with `open_outbox`, use it as `Outbox`."""

import time
from collections.abc import Callable
from pathlib import Path

from app.errors import SettingsError
from app.outbox.counts import enqueue_tallies, warning_label
from app.outbox.outbox_rules import OutboxRules
from app.outbox.protocol import Outbox

__all__ = ["Outbox", "OutboxRules", "enqueue_tallies", "exists", "open_outbox", "warning_label"]


def open_outbox(url: str, rules: OutboxRules, *, clock: Callable[[], float] | None = None) -> Outbox:
    """Open the store that `url` names, creating or migrating it where needed.

        sqlite:///data/pinrelay.db       a file, relative to the working directory
        sqlite:////var/lib/pinrelay.db   a file, absolute
        postgresql://user:password@one,two:5432,three/pinrelay     a PostgreSQL database

    `clock` (Unix seconds) is what the store takes for the time beside the `now` that its methods are given. None takes
    this machine's clock for SQLite, the server's for PostgreSQL.
    An engine is imported only when it is asked for: each needs its own libraries.
    Raises SettingsError for any other URL, OutboxVersionError for a store that a newer Pinrelay wrote,
    OutboxUnavailable where the store cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        from app.outbox.sqlite import SqliteOutbox  # noqa: PLC0415 - engines are imported on demand

        return SqliteOutbox(Path(rest[1:]), rules, clock=clock or time.time)
    if scheme == "postgresql":
        return _open_postgres(url, rules, clock)
    message = "OUTBOX_URL: must be sqlite:///FILE (relative), sqlite:////FILE (absolute) or postgresql://HOST/DATABASE"
    raise SettingsError(message)


def exists(url: str) -> bool:
    """Return whether the store that `url` names is there without opening it, which would make it.

    Of a store that is no file only opening it tells, so it is taken to be there.
    """
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def _open_postgres(url: str, rules: OutboxRules, clock: Callable[[], float] | None) -> Outbox:
    try:
        from app.outbox.postgres import PostgresOutbox  # noqa: PLC0415 - engines are imported on demand
    except ModuleNotFoundError as exc:
        message = "OUTBOX_URL: PostgreSQL needs the extra `postgres`: pip install pinrelay[postgres]"
        raise SettingsError(message) from exc
    return PostgresOutbox(url, rules, clock=clock)
