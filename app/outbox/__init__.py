"""The durable store between the request and Pinterest: open it with `open_outbox`, use it as `Outbox`."""

import time
from collections.abc import Callable
from pathlib import Path

from app.errors import SettingsError
from app.outbox.protocol import Outbox
from app.outbox.rules import OutboxRules

__all__ = ["Outbox", "OutboxRules", "open_outbox"]


def open_outbox(url: str, rules: OutboxRules, *, clock: Callable[[], float] = time.time) -> Outbox:
    """Open the store that `url` names, creating or migrating it where needed.

        sqlite:///data/pinrelay.db       a file, relative to the working directory
        sqlite:////var/lib/pinrelay.db   a file, absolute

    `clock` (Unix seconds) is read by `wait` only, which compares it with the `now` that the other methods are given.
    An engine is imported only when it is asked for: each needs its own libraries.
    Raises SettingsError for any other URL, OutboxVersionError for a store that a newer Pinrelay wrote,
    OutboxUnavailable where the store cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and rest != "/":
        from app.outbox.sqlite import SqliteOutbox  # noqa: PLC0415 - engines are imported on demand

        return SqliteOutbox(Path(rest[1:]), rules, clock=clock)
    if scheme == "nats":
        raise SettingsError("OUTBOX_URL: the NATS JetStream engine is not part of this version; use sqlite:///FILE")
    raise SettingsError("OUTBOX_URL: must be sqlite:///FILE (relative), sqlite:////FILE (absolute) or nats://HOST,HOST")
