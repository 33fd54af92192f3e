"""What a call of `Outbox.withdraw` asks, whichever engine answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.deliveries import Withdrawal
from app.outbox.rows import kept


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawCall:
    """The arguments of one `Outbox.withdraw`."""

    withdrawals: Sequence[Withdrawal]
    now: float


def reason_of_withdrawal(withdrawal: Withdrawal) -> str:
    """Return why the ledger notes a delivery as withdrawn."""
    return kept(f"withdrawn by message {withdrawal.message_id}")
