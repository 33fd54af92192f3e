"""The tables of days: what is settled, noted or counted on one day (UTC) lies in tables that are dropped whole.

They are made a few days ahead, and at the latest when something is written that belongs to them.
"""

import calendar
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

from psycopg.errors import LockNotAvailable

from app.core.values.times import DAY_S
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import Database, rows_of
from app.outbox.postgres.sql import SQL, about_table

#: Of which tables there is one a day.
PARENTS: Final = ("delivered", "note", "tally_minute", "tally_hour")
#: So many days ahead are made by retention.
AHEAD: Final = 2


def day_of(moment: float) -> int:
    """Return the number of the day since 1970."""
    return int(moment // DAY_S)


def table_of(parent: str, day: int) -> str:
    """Return the name of the table of a day."""
    return f"{parent}_{time.strftime('%Y%m%d', time.gmtime(day * DAY_S))}"


class Days:
    """Remembers which days have their tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: set[int] = set()

    async def be_ready(self, moments: Iterable[float]) -> None:
        """Make the tables of these moments where they are missing. Raises OutboxUnavailable."""
        missing = {day_of(moment) for moment in moments} - self._made
        if missing:
            await self._database.run(make_days, missing)
            self._made |= missing

    def forget(self) -> None:
        """Look again what there is: another process may have dropped some."""
        self._made.clear()


async def make_days(connection: Connection, days: Iterable[int]) -> None:
    """Make the tables of these days where they are missing."""
    async with connection.transaction():
        await connection.execute(SQL["only_one"])
        there = set(await rows_of(connection, "day_tables"))
        for day in sorted(days):
            for parent in PARENTS:
                table = table_of(parent, day)
                if (parent, table) not in there:
                    start, end = day * DAY_S, (day + 1) * DAY_S
                    await connection.execute(about_table("make_day_table", parent=parent, table=table))
                    await connection.execute(
                        about_table("attach_day_table", parent=parent, table=table, start=start, end=end)
                    )


#: Does one step past what is refused, given its name and a limit: `Around.delete`.
Past: TypeAlias = Callable[[str, Callable[[int, int], Awaitable[int]], int], Awaitable[int]]


async def drop_days(connection: Connection, *, ends: dict[str, float], limit: int, past: Past) -> int:
    """Drop at most `limit` tables whose day was over by the moment of `ends` for their parent; return how many.

    Counts of minutes are summed by hour before they go, while those are kept; what was delivered is no longer counted
    by name.
    A table that somebody is reading stays until the next time.
    """
    dropped = 0
    for parent, table in sorted(await rows_of(connection, "day_tables"), key=lambda row: str(row[1])[-8:]):
        if dropped == limit:
            break
        is_summed = parent == "tally_minute" and _end_of(table) > ends["tally_hour"]
        before = "sum_hours" if is_summed else "count_day" if parent == "delivered" else ""
        if _end_of(table) <= ends[parent]:
            dropped += await past(table, partial(_drop, connection, table, before), 1)
    return dropped


async def _drop(connection: Connection, table: str, before: str, _: int, skip: int) -> int:
    """Drop a table, with the named statement `before` it; return 0 where somebody was reading it, or it is refused."""
    if skip:
        return 0
    try:
        async with connection.transaction():
            await connection.execute(SQL["impatient"])
            if before:
                await connection.execute(about_table("stop_writing", table=table))
                end = _end_of(table)
                span = {"start": end - DAY_S, "end": end, "slot": connection.slot}
                await connection.execute(SQL[before], span)
            await connection.execute(about_table("drop_day_table", table=table))
    except LockNotAvailable:
        return 0
    return 1


def _end_of(table: str) -> int:
    """Return when the day of a table is over, in Unix seconds."""
    return calendar.timegm(time.strptime(table[-8:], "%Y%m%d")) + DAY_S
