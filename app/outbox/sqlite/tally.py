"""Counts by minute and hour."""

import sqlite3
from collections import defaultdict
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
    rows = summed(tallies, span_s=span_s)
    if rows:
        connection.execute(SQL["add_tallies"], {"rows": as_rows(rows), "span_s": span_s})


def summed(tallies: Iterable[tuple[float, Tally]], *, span_s: int) -> list[tuple[int, str, str, str, int]]:
    """Sum counts by the minute or hour in which they happened: its start, name, preset, label and count."""
    counts: defaultdict[tuple[int, str, str, str], int] = defaultdict(int)
    for at, tally in tallies:
        counts[int(at // span_s) * span_s, tally.name, tally.preset, tally.label] += tally.count
    return [(*key, count) for key, count in counts.items()]
