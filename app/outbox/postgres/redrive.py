"""Redrive: dead deliveries become pending again, unless that would send something twice."""

from app.outbox.outbox_rules import OutboxRules
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import rows_of
from app.outbox.postgres.enqueue import json_rows
from app.outbox.postgres.ledger import asked
from app.outbox.postgres.sql import SQL
from app.outbox.reviving import REDRIVE_ROWS, DeadLetter, RedriveCall, Redriven, digests_of_dead, next_step, revive
from app.outbox.rows import as_json
from app.outbox.storing import holders


async def redrive(connection: Connection, call: RedriveCall, rules: OutboxRules) -> Redriven:
    """Do one step of `Outbox.redrive`."""
    async with connection.transaction():
        rows = await rows_of(connection, "dead", **asked(call.query), before=call.before, limit=REDRIVE_ROWS)
        dead = [DeadLetter(*row) for row in rows]
        taken = await rows_of(connection, "keys_taken", digests=digests_of_dead(dead, rules))
        revival = revive(dead, holders(taken), call.now, rules)
        await connection.execute(SQL["redrive"], {"ids": revival.redriven, "now": call.now, "slot": connection.slot})
        await connection.execute(SQL["take_keys"], {"rows": as_json(revival.keys)})
        await connection.execute(SQL["learn_keys"], {"rows": as_json(revival.learned)})
        await connection.execute(SQL["explain_dead"], {"rows": json_rows(revival.staying)})
    return Redriven(count=len(revival.redriven), before=next_step(dead))
