"""Counts by minute and hour."""

import sqlite3
from collections.abc import Iterable

from app.outbox.counts import summed
from app.outbox.sqlite.database import as_rows
from app.outbox.sqlite.sql import SQL
from app.outbox.storing import MINUTE_S
from app.types import Tally


def add_tallies(
    connection: sqlite3.Connection, tallies: Iterable[tuple[float, Tally]], *, span_s: int = MINUTE_S
) -> None:
    """Add counts, each with the moment at which it happened, to the minutes or hours (`span_s`) that they fall in."""
    rows = summed(tallies, span_s=span_s)
    if rows:
        connection.execute(SQL["add_tallies"], {"rows": as_rows(rows), "span_s": span_s})
