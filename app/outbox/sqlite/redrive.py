"""Redrive: dead deliveries become pending again, unless that would send something twice."""

import sqlite3
from collections.abc import Sequence

from app.outbox.keys import Key
from app.outbox.outbox_rules import OutboxRules
from app.outbox.reviving import REDRIVE_ROWS, DeadLetter, RedriveCall, Redriven, next_step, revive
from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.sql import SQL


def redrive(connection: sqlite3.Connection, call: RedriveCall, rules: OutboxRules) -> Redriven:
    """Do one step of `Outbox.redrive`."""
    sql, parameters = conditions(SQL["dead"], call.query)
    found = connection.execute(sql, {**parameters, "before": call.before, "limit": REDRIVE_ROWS}).fetchall()
    dead = [DeadLetter(*row) for row in found]
    taken = _taken(connection, [key for each in dead for key in each.keys(rules)], call.now)
    revival = revive(dead, taken, call.now, rules)
    connection.execute(SQL["redrive"], {"rows": as_rows(revival.redriven), "now": call.now})
    connection.execute(SQL["take_keys"], {"rows": as_rows(revival.keys), "first_id": 0})
    connection.execute(SQL["explain_dead"], {"rows": as_rows(revival.staying)})
    return Redriven(count=len(revival.redriven), before=next_step(dead))


def _taken(connection: sqlite3.Connection, keys: Sequence[Key], now: float) -> dict[str, int]:
    """Look up which keys are held within their window: digest -> delivery id."""
    rows = one_json(connection, "keys_taken", rows=as_rows([key.digest for key in keys]))
    return {digest: holder for digest, holder, until in rows if until > now}
