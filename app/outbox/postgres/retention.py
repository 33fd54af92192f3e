"""Retention: forget what is old. Tables of days are dropped whole, the rest goes in small steps."""

from contextlib import suppress
from functools import partial

from psycopg.errors import LockNotAvailable

from app.core.values.times import DAY_S
from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.inventory_rows import HOURS_KEPT_S
from app.outbox.outbox_rules import OutboxRules
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import count_of, rows_of
from app.outbox.postgres.days import AHEAD, day_of, drop_days, make_days
from app.outbox.postgres.people import forget_stale, forget_unseen
from app.outbox.postgres.set_aside import Around, Step
from app.outbox.postgres.sql import SQL
from app.outbox.step_sums import due_steps, made_of, spans_of

#: Each deletes rows by one statement.
_STEPS = (
    "retain_payloads",
    "retain_keys",
    "retain_audit",
    "retain_sessions",
    "retain_imports",
    "retain_whose",
    "retain_inventory",
    "retain_revenue",
    "retain_name_counts",
    "retain_quarantined",
)


async def retain(connection: Connection, now: float, limit: int, rules: OutboxRules) -> int:
    """Do `Outbox.retain`: touch at most `limit` rows, a table that is dropped counting as one.

    What the database refuses to change stays, and keeps nothing else.
    """
    today = day_of(now)
    await make_days(connection, range(today, today + AHEAD + 1))
    around = await Around.read(connection, now)
    left = limit - await around.try_again(rules)
    for name, step in _steps(connection, now, rules).items():
        left -= await around.delete(name, step, max(0, left))
    ledger_start = now - rules.ledger_s
    ends = {
        "delivered": now - rules.ledger_delivered_s,
        "note": ledger_start,
        "tally_hour": ledger_start,
        "tally_minute": max(now - MINUTES_KEPT_S, ledger_start),
    }
    left -= await drop_days(connection, ends=ends, limit=max(0, left), past=around.delete)
    return limit - left


def _steps(connection: Connection, now: float, rules: OutboxRules) -> dict[str, Step]:
    """Return the steps of retention, but for the tables of days, by name."""
    ledger_start = now - rules.ledger_s
    starts = {
        "now": now,
        "ledger_start": ledger_start,
        "audit_start": now - rules.audit_s,
        "hours_start": now - HOURS_KEPT_S,
        "days_start": ledger_start - DAY_S,
    }

    def rows(name: str) -> Step:
        return lambda limit, skip: count_of(connection, name, **starts, limit=limit, skip=skip)

    return {
        "retain_dead": partial(_forget_dead, connection, ledger_start),
        "retain_parts": partial(_forget_parts, connection),
        **{name: rows(name) for name in _STEPS},
        "forget_stale": partial(forget_stale, connection, now, rules),
        "forget_unseen": partial(forget_unseen, connection, rules),
        "sum_next_step": partial(_sum_next_step, connection, now, ledger_start),
    }


async def _forget_dead(connection: Connection, ledger_start: float, limit: int, skip: int) -> int:
    which = {"ledger_start": ledger_start, "limit": limit, "skip": skip, "slot": connection.slot}
    ((gone,),) = await rows_of(connection, "retain_dead", **which)
    return int(gone)


async def _forget_parts(connection: Connection, _: int, skip: int) -> int:
    return 0 if skip else await count_of(connection, "retain_parts")


async def _sum_next_step(connection: Connection, now: float, ledger_start: float, _: int, skip: int) -> int:
    """Sum one step that is over, and drop sums that are old. Returns how many rows that made.

    Nobody enqueues or settles while a step is summed. Where somebody takes long to, it is left for the next time.
    """
    if skip:
        return 0
    with suppress(LockNotAvailable):
        async with connection.transaction():
            ((alone,),) = await rows_of(connection, "only_one_sums")
            if not alone:
                return 0
            await count_of(connection, "forget_sums", hours_start=now - MINUTES_KEPT_S, ledger_start=ledger_start)
            if await _next_step(connection, now, ledger_start):
                await connection.execute(SQL["impatient"])
                await connection.execute(SQL["stop_counting"])
                step = await _next_step(connection, now, ledger_start)  # something may have been counted late meanwhile
                return await count_of(connection, "sum_step", **step) if step else 0
    return 0


async def _next_step(connection: Connection, now: float, ledger_start: float) -> dict[str, int] | None:
    """Return the parameters of `sum_step` for the step that comes next; None where none is due."""
    spans = spans_of(await rows_of(connection, "summed_spans"))
    for due in due_steps(spans, now=now, ledger_start=ledger_start):
        ((first_at,),) = await rows_of(connection, "first_count", begin=due.since)
        if step := due.step_of(first_at):
            return made_of(*step, spans)
    return None
