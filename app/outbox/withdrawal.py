"""Cancelled orders: what a cancellation withdraws, and what is remembered of it for orders that are still to come."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from app.config.settings import OutboxSettings
from app.core.deliveries import NewDelivery, Withdrawal
from app.core.trust import may_change
from app.outbox.dedup import cancelled_digests
from app.outbox.rows import kept


class PendingOrder(NamedTuple):
    """A delivery of an order that is pending."""

    delivery_id: int
    is_proven: bool
    amount: str | None
    currency: str | None


def reason_of_withdrawal(withdrawal: Withdrawal) -> str:
    """Return why a delivery was withdrawn, as the ledger keeps it."""
    return kept(f"withdrawn by message {withdrawal.message_id}")


def withdraws(asked: Withdrawal, order: PendingOrder) -> bool:
    """Return whether a cancellation or refund withdraws an order: one that is not more trusted, and as a whole."""
    if not may_change(by_proven=asked.is_proven, of_proven=bool(order.is_proven)):
        return False
    if asked.amount is None or order.amount is None or (asked.currency or order.currency) != order.currency:
        return True
    return Decimal(asked.amount) >= Decimal(order.amount)


def cancelled_rows(withdrawals: Iterable[Withdrawal], now: float, rules: OutboxSettings) -> list[list[Any]]:
    """Return rows that remember cancellations: digest, place, when it is forgotten, what it says, its trust.

    A proven one and a public one have places of their own, so that neither hides the other.
    """
    rows = {}
    for each in withdrawals:
        said = orjson.dumps({"message_id": each.message_id, "amount": each.amount, "currency": each.currency}).decode()
        for digest in cancelled_digests(each, rules):
            rows[digest, each.is_proven] = [digest, int(not each.is_proven), now + rules.ledger_s, said, each.is_proven]
    return list(rows.values())


def withdrawals_of(
    orders: Sequence[NewDelivery], found: Iterable[tuple[str, str, bool]], rules: OutboxSettings
) -> list[tuple[int, Withdrawal]]:
    """Return the cancellations that are remembered of orders, each with the place of its order.

    `found` are the rows that are remembered: digest, what it says, its trust.
    """
    by_digest: dict[str, list[tuple[Mapping[str, Any], bool]]] = {}
    for digest, said, is_proven in found:
        by_digest.setdefault(digest, []).append((orjson.loads(said), bool(is_proven)))
    return [
        (
            place,
            Withdrawal(
                ad_account_id=order.ad_account_id,
                preset=order.preset,
                order_id=order.order_id or "",
                source=order.source,
                shop=order.shop,
                is_proven=is_proven,
                **said,
            ),
        )
        for place, order in enumerate(orders)
        for digest in cancelled_digests(order, rules)
        for said, is_proven in by_digest.get(digest, ())
    ]
