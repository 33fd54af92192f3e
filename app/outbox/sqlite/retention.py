"""Retention: forget what is old, in small steps."""

import sqlite3
from dataclasses import dataclass

from app.outbox.counts import MINUTES_KEPT_S
from app.outbox.inventory_rows import HOURS_KEPT_S
from app.outbox.outbox_rules import OutboxRules
from app.outbox.records import tally_of
from app.outbox.sqlite.id_filter import fill_next_part
from app.outbox.sqlite.people import forget_people
from app.outbox.sqlite.sql import SQL
from app.outbox.sqlite.tally import add_tallies, sum_next_step
from app.values.spans import DAY_S, HOUR_S

_STEPS = (
    "retain_payloads",
    "retain_delivered",
    "retain_dead",
    "retain_notes",
    "retain_keys",
    "retain_hours",
    "retain_audit",
    "retain_sessions",
    "retain_imports",
    "retain_whose",
    "retain_inventory",
    "retain_revenue",
    "retain_name_counts",
    "retain_quarantined",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetainCall:
    """The arguments of one `Outbox.retain`."""

    now: float
    limit: int


def retain(connection: sqlite3.Connection, call: RetainCall, rules: OutboxRules) -> int:
    """Do `Outbox.retain`: touch at most `limit` rows, but of counts a step at once, and of ids a part."""
    parameters = {
        "now": call.now,
        "delivered_start": call.now - rules.ledger_delivered_s,
        "ledger_start": call.now - rules.ledger_s,
        "audit_start": call.now - rules.audit_s,
        "hours_start": call.now - HOURS_KEPT_S,
        "days_start": call.now - rules.ledger_s - DAY_S,
    }
    left = call.limit
    for name in _STEPS:
        left -= connection.execute(SQL[name], {**parameters, "limit": left}).rowcount
    left -= sum_next_step(connection, now=call.now, ledger_start=parameters["ledger_start"])
    left -= fill_next_part(connection)
    left -= _roll_up(connection, call.now, left)
    left -= forget_people(connection, call.now, max(0, left), rules)
    return call.limit - left


def _roll_up(connection: sqlite3.Connection, now: float, limit: int) -> int:
    """Turn the counts of old minutes into counts of their hours. Returns how many rows it took."""
    parameters = {"minutes_start": now - MINUTES_KEPT_S, "limit": max(0, limit)}
    rows = connection.execute(SQL["take_minutes"], parameters).fetchall()
    add_tallies(connection, map(tally_of, rows), span_s=HOUR_S)
    return len(rows)
