"""The history of deliveries: what was tried."""

import sqlite3
from collections.abc import Iterable
from typing import TypeAlias

from app.core.events import Exit
from app.outbox.rows import as_json
from app.outbox.sqlite.sql import SQL

#: The number of an attempt, its exit, status and message: most attempts of a call are alike.
AttemptKind: TypeAlias = tuple[int, Exit, int | None, str]


def add_attempts(connection: sqlite3.Connection, attempts: Iterable[tuple[int, AttemptKind]], *, at: float) -> None:
    """Put attempts, each with the id of its delivery, behind what is known of these deliveries."""
    kinds: dict[AttemptKind, list[int]] = {}
    for delivery_id, kind in attempts:
        kinds.setdefault(kind, []).append(delivery_id)
    connection.execute(SQL["add_attempts"], {"kinds": as_json([[*kind, ids] for kind, ids in kinds.items()]), "at": at})
