"""Retention: forget what is old, in small steps."""

from app.config.settings import OutboxSettings
from app.core.values.times import DAY_S, HOUR_S
from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.inventory import HOURS_KEPT_S
from app.outbox.records import counter_of
from app.outbox.set_aside import FairShares
from app.outbox.sqlite.counters import add_counters, sum_next_step
from app.outbox.sqlite.database import SQL, Connection
from app.outbox.sqlite.ledger import fill_next_id_range
from app.outbox.sqlite.people import forget_stale, forget_unseen
from app.outbox.sqlite.set_aside import SetAsideRows, Step

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


def retain(connection: Connection, now: float, limit: int, rules: OutboxSettings) -> int:
    """Touch at most `limit` rows, but of counts a step at once, and of ids a range.

    What the file refuses to change stays, and keeps nothing else.
    """
    ledger_start = now - rules.ledger_s
    starts = {
        "now": now,
        "delivered_start": now - rules.ledger_delivered_s,
        "ledger_start": ledger_start,
        "audit_start": now - rules.audit_s,
        "hours_start": now - HOURS_KEPT_S,
        "days_start": ledger_start - DAY_S,
    }

    def rows(name: str) -> Step:
        return lambda limit, skip: connection.execute(SQL[name], {**starts, "limit": limit, "skip": skip}).rowcount

    steps: dict[str, Step] = {
        **{name: rows(name) for name in _STEPS},
        "sum_next_step": lambda _, skip: 0 if skip else sum_next_step(connection, now=now, ledger_start=ledger_start),
        "fill_next_id_range": lambda _, skip: 0 if skip else fill_next_id_range(connection),
        "roll_up": lambda limit, skip: _roll_up(connection, now, limit, skip),
        "forget_stale": lambda limit, skip: forget_stale(connection, limit, skip, now, rules),
        "forget_unseen": lambda limit, skip: forget_unseen(connection, limit, skip, rules),
    }
    set_aside_rows = SetAsideRows(connection, now)
    shares = FairShares(steps, limit - set_aside_rows.try_again(rules))
    while task := shares.next():
        name, size = task
        shares.take(name, set_aside_rows.delete(name, steps[name], size))
    return limit - shares.left


def _roll_up(connection: Connection, now: float, limit: int, skip: int) -> int:
    """Turn the counts of old minutes into counts of their hours. Returns how many rows it took."""
    parameters = {"minutes_start": now - MINUTES_KEPT_S, "limit": limit, "skip": skip}
    rows = connection.execute(SQL["take_minutes"], parameters).fetchall()
    add_counters(connection, map(counter_of, rows), span_s=HOUR_S)
    return len(rows)
