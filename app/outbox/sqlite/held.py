"""Deliveries of presets that are switched off: out of the line while that is so, back in it afterwards."""

import sqlite3
from typing import Any, Final

from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.sql import SQL
from app.types import HELD

#: So many due deliveries of either kind are looked at in one claim: a million that are switched off at once leave the
#: line in a hundred claims, each of which takes the others besides.
STEP_ROWS: Final = 10_000


def hold(connection: sqlite3.Connection, *, ad_account_id: str, presets: frozenset[str], now: float) -> None:
    """Take what is due of these presets out of the line."""
    if presets:
        which = {"ad_account_id": ad_account_id, "without_presets": as_rows(sorted(presets)), "now": now}
        connection.execute(SQL["hold"], {**which, "reason": HELD, "limit": STEP_ROWS})


def release(connection: sqlite3.Connection, *, ad_account_id: str, presets: frozenset[str], limit: int) -> None:
    """Put `limit` deliveries of each preset but these back in the line."""
    held: list[Any] = one_json(connection, "held_presets", ad_account_id=ad_account_id)
    for preset in held:
        if preset not in presets:
            connection.execute(SQL["release"], {"ad_account_id": ad_account_id, "preset": preset, "limit": limit})
