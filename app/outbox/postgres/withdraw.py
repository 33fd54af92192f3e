"""Withdraw what is pending of cancelled orders."""

from app.core.events import Exit
from app.core.values.times import MINUTE_S
from app.outbox.keys import order_digests
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import rows_of
from app.outbox.rows import as_json
from app.outbox.withdrawing import WithdrawCall, reason_of_withdrawal


async def withdraw(connection: Connection, call: WithdrawCall) -> int:
    """Do `Outbox.withdraw`."""
    rows = [
        (digest, asked.preset, reason_of_withdrawal(asked))
        for asked in call.withdrawals
        for digest in order_digests(asked.ad_account_id, asked.order_id, asked.source)
    ]
    ((count,),) = await rows_of(
        connection,
        "withdraw",
        rows=as_json(rows),
        exit=Exit.WITHDRAWN.value,
        now=call.now,
        minute=int(call.now // MINUTE_S) * MINUTE_S,
        slot=connection.slot,
    )
    return int(count)
