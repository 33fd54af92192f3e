"""Deliveries of presets that are switched off: out of the line while that is so, back in it afterwards."""

import sqlite3
from typing import Final

from app.outbox.sqlite.database import as_rows
from app.outbox.sqlite.sql import SQL
from app.types import HELD

#: So many due deliveries of either kind are looked at in one claim: a million that are switched off at once leave the
#: line in a hundred claims, each of which takes the others besides.
STEP_ROWS: Final = 10_000


def hold(connection: sqlite3.Connection, *, ad_account_id: str, presets: frozenset[str], now: float) -> None:
    """Take what is due of these presets out of the line."""
    which = {"ad_account_id": ad_account_id, "without_presets": as_rows(sorted(presets)), "now": now}
    connection.execute(SQL["hold"], {**which, "reason": HELD, "limit": STEP_ROWS})


def release(connection: sqlite3.Connection, *, ad_account_id: str, presets: frozenset[str], limit: int) -> None:
    """Put `limit` deliveries of each of these presets back in the line."""
    for preset in presets:
        connection.execute(SQL["release"], {"ad_account_id": ad_account_id, "preset": preset, "limit": limit})
