"""Withdraw what is pending of cancelled orders."""

import sqlite3

from app.outbox.keys import order_digests
from app.outbox.sqlite.database import as_rows, one_json
from app.outbox.sqlite.sql import SQL
from app.outbox.sqlite.tally import add_tallies
from app.outbox.withdrawing import WithdrawCall, reason_of_withdrawal
from app.types import Exit, Tally, Withdrawal


def withdraw(connection: sqlite3.Connection, call: WithdrawCall) -> int:
    """Do `Outbox.withdraw`, within a transaction."""
    return sum(_withdraw(connection, each, call.now) for each in call.withdrawals)


def _withdraw(connection: sqlite3.Connection, asked: Withdrawal, now: float) -> int:
    digests = as_rows(order_digests(asked.ad_account_id, asked.order_id, asked.source))
    ids = one_json(connection, "pending_of_order", rows=digests, preset=asked.preset, order_id=asked.order_id)
    if ids:
        rows, reason = {"rows": as_rows(ids)}, reason_of_withdrawal(asked)
        connection.execute(SQL["note_withdrawn"], {**rows, "exit": Exit.WITHDRAWN.value, "reason": reason, "at": now})
        connection.execute(SQL["withdraw"], rows)
        add_tallies(connection, [(now, Tally(name=Exit.WITHDRAWN.value, preset=asked.preset, count=len(ids)))])
    return len(ids)
