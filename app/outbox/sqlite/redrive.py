"""Redrive: dead deliveries become pending again, unless that would send something twice."""

import sqlite3

from app.outbox.outbox_rules import OutboxRules
from app.outbox.reviving import REDRIVE_ROWS, DeadLetter, RedriveCall, Redriven, digests_of_dead, next_step, revive
from app.outbox.sqlite.conditions import conditions
from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.sql import SQL
from app.outbox.storing import holders


def redrive(connection: sqlite3.Connection, call: RedriveCall, rules: OutboxRules) -> Redriven:
    """Do one step of `Outbox.redrive`."""
    sql, parameters = conditions(SQL["dead"], call.query)
    found = connection.execute(sql, {**parameters, "before": call.before, "limit": REDRIVE_ROWS}).fetchall()
    dead = [DeadLetter(*row) for row in found]
    taken = one_json(connection, "keys_taken", rows=as_rows(digests_of_dead(dead, rules)))
    revival = revive(dead, holders(taken), call.now, rules)
    connection.execute(SQL["redrive"], {"rows": as_rows(revival.redriven), "now": call.now})
    connection.execute(SQL["take_keys"], {"rows": as_rows(revival.keys)})
    connection.execute(SQL["learn_keys"], {"rows": as_rows(revival.learned)})
    connection.execute(SQL["explain_dead"], {"rows": as_rows(revival.staying)})
    return Redriven(count=len(revival.redriven), before=next_step(dead))
