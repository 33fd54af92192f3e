"""The durable store between the request and Pinterest: open it with `open_outbox`, use it as `Outbox`."""

import time
from collections.abc import Callable
from pathlib import Path

from app.errors import SettingsError
from app.outbox.counts import enqueue_tallies
from app.outbox.outbox_rules import OutboxRules
from app.outbox.protocol import Outbox

__all__ = ["Outbox", "OutboxRules", "enqueue_tallies", "exists", "open_outbox"]


def open_outbox(url: str, rules: OutboxRules, *, clock: Callable[[], float] = time.time) -> Outbox:
    """Open the store that `url` names, creating or migrating it where needed.

        sqlite:///data/pinrelay.db       a file, relative to the working directory
        sqlite:////var/lib/pinrelay.db   a file, absolute
        nats://one,two:4222,three        a cluster of NATS servers with JetStream

    `clock` (Unix seconds) is read by `wait` only, which compares it with the `now` that the other methods are given.
    An engine is imported only when it is asked for: each needs its own libraries.
    Raises SettingsError for any other URL, OutboxVersionError for a store that a newer Pinrelay wrote,
    OutboxUnavailable where the store cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        from app.outbox.sqlite import SqliteOutbox  # noqa: PLC0415 - engines are imported on demand

        return SqliteOutbox(Path(rest[1:]), rules, clock=clock)
    if scheme == "nats" and rest.strip(","):
        return _open_cluster([f"nats://{each}" for each in rest.split(",") if each], rules, clock)
    raise SettingsError("OUTBOX_URL: must be sqlite:///FILE (relative), sqlite:////FILE (absolute) or nats://HOST,HOST")


def exists(url: str) -> bool:
    """Return whether the store that `url` names is there without opening it, which would make it.

    Of a store that is no file only opening it tells, so it is taken to be there.
    """
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()


def _open_cluster(servers: list[str], rules: OutboxRules, clock: Callable[[], float]) -> Outbox:
    try:
        from app.outbox.jetstream import JetStreamOutbox  # noqa: PLC0415 - engines are imported on demand
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "OUTBOX_URL: a NATS cluster needs the extra `cluster`: pip install pinrelay[cluster]"
        ) from exc
    return JetStreamOutbox(servers, rules, clock=clock)
