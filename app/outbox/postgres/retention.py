"""Retention: forget what is old. Tables of days are dropped whole, the rest goes in small steps."""

from contextlib import suppress

from psycopg.errors import LockNotAvailable

from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.inventory_rows import HOURS_KEPT_S
from app.outbox.outbox_rules import OutboxRules
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import count_of, rows_of
from app.outbox.postgres.days import AHEAD, day_of, drop_days, make_days
from app.outbox.postgres.people import forget_people
from app.outbox.postgres.sql import SQL
from app.outbox.step_sums import due_steps, made_of, spans_of
from app.values.spans import DAY_S


async def retain(connection: Connection, now: float, limit: int, rules: OutboxRules) -> int:
    """Do `Outbox.retain`: touch at most `limit` rows, a table that is dropped counting as one."""
    today = day_of(now)
    await make_days(connection, range(today, today + AHEAD + 1))
    ledger_start = now - rules.ledger_s
    left = limit
    left -= await count_of(connection, "retain_payloads", now=now, limit=left)
    ((dead,),) = await rows_of(connection, "retain_dead", ledger_start=ledger_start, limit=left, slot=connection.slot)
    left -= int(dead)
    left -= await count_of(connection, "retain_parts")
    left -= await count_of(connection, "retain_keys", now=now, limit=left)
    left -= await count_of(connection, "retain_audit", audit_start=now - rules.audit_s, limit=left)
    left -= await count_of(connection, "retain_sessions", now=now, limit=left)
    left -= await count_of(connection, "retain_imports", ledger_start=ledger_start, limit=left)
    left -= await count_of(connection, "retain_whose", ledger_start=ledger_start, limit=left)
    starts = {"hours_start": now - HOURS_KEPT_S, "days_start": ledger_start - DAY_S}
    left -= await count_of(connection, "retain_inventory", **starts, limit=left)
    left -= await count_of(connection, "retain_revenue", days_start=starts["days_start"], limit=left)
    left -= await count_of(connection, "retain_name_counts", days_start=starts["days_start"], limit=left)
    left -= await count_of(connection, "retain_quarantined", now=now, limit=left)
    left -= await forget_people(connection, now, left, rules)
    left -= await _sum_next_step(connection, now, ledger_start)
    ends = {
        "delivered": now - rules.ledger_delivered_s,
        "note": ledger_start,
        "tally_hour": ledger_start,
        "tally_minute": max(now - MINUTES_KEPT_S, ledger_start),
    }
    left -= await drop_days(connection, ends=ends, limit=max(0, left))
    return limit - left


async def _sum_next_step(connection: Connection, now: float, ledger_start: float) -> int:
    """Sum one step that is over, and drop sums that are old. Returns how many rows that made.

    Nobody enqueues or settles while a step is summed. Where somebody takes long to, it is left for the next time.
    """
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
