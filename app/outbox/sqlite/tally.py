"""Counts by minute and hour."""

import sqlite3
from collections import Counter
from collections.abc import Iterable

from app.outbox.sqlite.database import as_rows
from app.outbox.sqlite.sql import SQL
from app.types import Tally

MINUTE_S = 60
HOUR_S = 3_600


def add_tallies(
    connection: sqlite3.Connection, tallies: Iterable[tuple[float, Tally]], *, span_s: int = MINUTE_S
) -> None:
    """Add counts, each with the moment at which it happened, to the minutes or hours (`span_s`) that they fall in."""
    counts: Counter[tuple[int, str, str, str]] = Counter()
    for at, tally in tallies:
        counts[int(at // span_s) * span_s, tally.name, tally.preset, tally.label] += tally.count
    if counts:
        rows = as_rows([(*key, count) for key, count in counts.items()])
        connection.execute(SQL["add_tallies"], {"rows": rows, "span_s": span_s})
