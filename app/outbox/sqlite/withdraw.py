"""Withdraw what is pending of cancelled orders."""

import sqlite3

from app.core.deliveries import Withdrawal
from app.core.events import Exit
from app.core.values.times import MINUTE_S
from app.outbox.keys import order_digests
from app.outbox.rows import as_json
from app.outbox.sqlite.database import one_json
from app.outbox.sqlite.sql import SQL
from app.outbox.withdrawing import WithdrawCall, reason_of_withdrawal


def withdraw(connection: sqlite3.Connection, call: WithdrawCall) -> int:
    """Do `Outbox.withdraw`, within a transaction."""
    return sum(_withdraw(connection, each, call.now) for each in call.withdrawals)


def _withdraw(connection: sqlite3.Connection, asked: Withdrawal, now: float) -> int:
    digests = as_json(order_digests(asked.ad_account_id, asked.order_id, asked.source))
    ids = one_json(connection, "pending_of_order", rows=digests, preset=asked.preset)
    if ids:
        rows = {"rows": as_json(ids), "exit": Exit.WITHDRAWN.value}
        connection.execute(SQL["note_withdrawn"], {**rows, "reason": reason_of_withdrawal(asked), "at": now})
        minute = int(now // MINUTE_S) * MINUTE_S
        connection.execute(SQL["tally_withdrawn"], {**rows, "minute": minute, "span_s": MINUTE_S})
        connection.execute(SQL["reopen_steps"], {"moment": minute})
        connection.execute(SQL["forget_waiting_orders"], rows)
        connection.execute(SQL["withdraw"], rows)
    return len(ids)
