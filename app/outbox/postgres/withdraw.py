"""Withdraw what is pending of cancelled orders."""

from app.outbox.keys import order_digests
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import rows_of
from app.outbox.withdrawing import WithdrawCall, reason_of_withdrawal
from app.types import Exit
from app.values.spans import MINUTE_S


async def withdraw(connection: Connection, call: WithdrawCall) -> int:
    """Do `Outbox.withdraw`."""
    count = 0
    async with connection.transaction():
        for asked in call.withdrawals:
            ((found,),) = await rows_of(
                connection,
                "withdraw",
                digests=order_digests(asked.ad_account_id, asked.order_id, asked.source),
                preset=asked.preset,
                exit=Exit.WITHDRAWN.value,
                reason=reason_of_withdrawal(asked),
                now=call.now,
                minute=int(call.now // MINUTE_S) * MINUTE_S,
                slot=connection.slot,
            )
            count += found
    return count
