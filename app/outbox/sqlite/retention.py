"""Retention: forget what is old, in small steps."""

from functools import partial

from app.config.settings import OutboxSettings
from app.core.values.times import HOUR_S
from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.ledger import counter_of
from app.outbox.set_aside import Step, deleting
from app.outbox.sqlite.counters import add_counters, sum_next_step
from app.outbox.sqlite.database import Connection
from app.outbox.sqlite.ledger import fill_next_id_range
from app.outbox.sqlite.people import forget_stale, forget_unseen
from app.outbox.sqlite.set_aside import FileRows

_STEPS = (
    "retain_payloads",
    "retain_delivered",
    "retain_dead",
    "retain_dropped_events",
    "retain_keys",
    "retain_hours",
    "retain_audit",
    "retain_sessions",
    "retain_imports",
    "retain_owners",
    "retain_suppressions",
    "retain_consents",
    "retain_memory_hours",
    "retain_inventory",
    "retain_revenue",
    "retain_name_counts",
    "retain_quarantined",
)


async def retain(connection: Connection, now: float, limit: int, rules: OutboxSettings) -> int:
    """Touch at most `limit` rows, but of counts a step at once, and of ids a range."""
    rows = FileRows(connection)
    await rows.look(now)
    steps: dict[str, Step] = {
        **{name: deleting(connection, now, rules, name) for name in _STEPS},
        "sum_next_step": partial(sum_next_step, connection, now, now - rules.ledger_s),
        "fill_next_id_range": partial(fill_next_id_range, connection),
        "roll_up": partial(_roll_up, connection, now),
        "forget_stale": partial(forget_stale, connection, now, rules),
        "forget_unseen": partial(forget_unseen, connection, rules),
    }
    return await rows.retain(steps, limit, rules)


async def _roll_up(connection: Connection, now: float, limit: int, skip: int) -> int:
    """Turn the counts of old minutes into counts of their hours. Returns how many rows it took."""
    rows = await connection.rows("take_minutes", minutes_start=now - MINUTES_KEPT_S, limit=limit, skip=skip)
    add_counters(connection, map(counter_of, rows), span_s=HOUR_S)
    return len(rows)
