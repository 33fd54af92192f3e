"""Retention: tables of days are dropped whole, other rows are deleted in small steps."""

import calendar
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from psycopg.errors import LockNotAvailable

from app.config.settings import OutboxSettings
from app.core.values.times import DAY_S
from app.outbox.counts import MINUTES_KEPT_S, due_steps, sum_step_parameters, summed_spans
from app.outbox.postgres.connections import SQL, Connection, about_table
from app.outbox.postgres.database import Database
from app.outbox.postgres.people import forget_ended_suppressions, forget_stale, forget_unseen
from app.outbox.postgres.set_aside import ServerRows
from app.outbox.set_aside import Step, deleting

#: Tables with one partition per day.
PARENTS: Final = ("delivered", "dropped_event", "counter_minute", "counter_hour")
#: The number of days that retention creates ahead.
AHEAD: Final = 2


def day_of(moment: float) -> int:
    """Return the number of the day since 1970."""
    return int(moment // DAY_S)


def table_of(parent: str, day: int) -> str:
    return f"{parent}_{time.strftime('%Y%m%d', time.gmtime(day * DAY_S))}"


class Days:
    """Remember the days with tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: set[int] = set()

    async def ensure_tables(self, moments: Iterable[float]) -> None:
        """Create the missing tables of these times. Raises OutboxUnavailable."""
        missing = {day_of(moment) for moment in moments} - self._made
        if missing:
            await self._database.run(make_days, missing)
            self._made |= missing

    def forget(self) -> None:
        """Check the tables again: another process may have dropped some."""
        self._made.clear()


async def make_days(connection: Connection, days: Iterable[int]) -> None:
    async with connection.transaction():
        await connection.execute(SQL["only_one"])
        there = set(await connection.rows("day_tables"))
        for day in sorted(days):
            for parent in PARENTS:
                table = table_of(parent, day)
                if (parent, table) not in there:
                    start, end = day * DAY_S, (day + 1) * DAY_S
                    await connection.execute(about_table("make_day_table", parent=parent, table=table))
                    await connection.execute(
                        about_table("attach_day_table", parent=parent, table=table, start=start, end=end)
                    )


#: Run one step that skips refused rows, from its name and a limit: `RowByRow.delete`.
DeleteStep: TypeAlias = Callable[[str, Step, int], Awaitable[int]]


async def drop_days(connection: Connection, ends: dict[str, float], past: DeleteStep, limit: int) -> int:
    """Drop at most `limit` tables with a day that ended by the time in `ends` for their parent; return how many.

    Counts of minutes are summed by hour before the drop, within the retention of hours; delivered rows are no longer
    counted by name. A table with readers stays until the next time.
    """
    dropped = 0
    for parent, table in sorted(await connection.rows("day_tables"), key=lambda row: str(row[1])[-8:]):
        if dropped == limit:
            break
        is_summed = parent == "counter_minute" and _end_of(table) > ends["counter_hour"]
        before = "sum_hours" if is_summed else "count_day" if parent == "delivered" else ""
        if _end_of(table) <= ends[parent]:
            dropped += await past(table, partial(_drop, connection, table, before), 1)
    return dropped


async def _drop(connection: Connection, table: str, before: str, _: int, skip: int) -> int:
    """Drop a table, with the named statement `before` it; return 0 for a table with readers, or a refused drop."""
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
    """Return the end of the day of a table, in Unix seconds."""
    return calendar.timegm(time.strptime(table[-8:], "%Y%m%d")) + DAY_S


#: Each deletes rows by a single statement.
_STEPS = (
    "retain_payloads",
    "retain_keys",
    "retain_audit",
    "retain_sessions",
    "retain_imports",
    "retain_owners",
    "retain_memory_hours",
    "retain_consents",
    "retain_inventory",
    "retain_revenue",
    "retain_name_counts",
    "retain_quarantined",
)


async def retain(connection: Connection, now: float, limit: int, rules: OutboxSettings) -> int:
    """Process at most `limit` rows; a dropped table counts as one row."""
    today = day_of(now)
    await make_days(connection, range(today, today + AHEAD + 1))
    rows = ServerRows(connection)
    await rows.look(now)
    ledger_start = now - rules.ledger_s
    ends = {
        "delivered": now - rules.ledger_delivered_s,
        "dropped_event": ledger_start,
        "counter_hour": ledger_start,
        "counter_minute": max(now - MINUTES_KEPT_S, ledger_start),
    }
    steps: dict[str, Step] = {
        "retain_dead": partial(_forget_dead, connection, ledger_start),
        "retain_id_ranges": partial(_forget_id_ranges, connection),
        **{name: deleting(connection, now, rules, name) for name in _STEPS},
        "retain_suppressions": partial(forget_ended_suppressions, connection, now),
        "forget_stale": partial(forget_stale, connection, now, rules),
        "forget_unseen": partial(forget_unseen, connection, rules),
        "sum_next_step": partial(_sum_next_step, connection, now, ledger_start),
    }
    days = partial(drop_days, connection, ends, rows.delete)
    return await rows.retain(steps, limit, rules, others={"drop_days": days})


async def _forget_dead(connection: Connection, ledger_start: float, limit: int, skip: int) -> int:
    which = {"ledger_start": ledger_start, "limit": limit, "skip": skip}
    ((gone,),) = await connection.rows("retain_dead", **which)
    return int(gone)


async def _forget_id_ranges(connection: Connection, _: int, skip: int) -> int:
    return 0 if skip else await connection.count("retain_id_ranges")


async def _sum_next_step(connection: Connection, now: float, ledger_start: float, _: int, skip: int) -> int:
    """Sum one finished step, and drop old sums. Return the number of new sums.

    No enqueue or settlement runs during the sum. If the lock takes long, the step is left for the next time.
    """
    if skip:
        return 0
    with suppress(LockNotAvailable):
        async with connection.transaction():
            ((alone,),) = await connection.rows("only_one_sums")
            if not alone:
                return 0
            await connection.count("forget_sums", minutes_start=now - MINUTES_KEPT_S, ledger_start=ledger_start)
            if await _next_step(connection, now, ledger_start):
                await connection.execute(SQL["impatient"])
                await connection.execute(SQL["stop_counting"])
                step = await _next_step(connection, now, ledger_start)  # a late count is possible
                return await connection.count("sum_step", **step) if step else 0
    return 0


async def _next_step(connection: Connection, now: float, ledger_start: float) -> dict[str, int] | None:
    """Return the parameters of `sum_step` for the next step; `None` if none is due."""
    spans = summed_spans(await connection.rows("summed_spans"))
    for due in due_steps(spans, now=now, ledger_start=ledger_start):
        ((first_at,),) = await connection.rows("first_count", begin=due.since)
        if step := due.step_of(first_at):
            return sum_step_parameters(*step, spans)
    return None
