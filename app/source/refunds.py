"""Refunds: whether an event that cancels an order is a partial refund."""

from decimal import Decimal
from typing import Any, Final, NamedTuple

from app.core.events import Event
from app.core.values.amounts import read_amount
from app.core.values.placeholders import read_flag

#: Properties that mark a partial refund by a flag, and by a word.
_FLAGS: Final = ("partial", "is_partial", "isPartial", "partial_refund", "partialRefund")
_STATES: Final = ("financial_status", "financialStatus", "refund_status", "refund_type", "status")
#: Properties with the refunded amount, the most specific first.
_AMOUNTS: Final = (
    *("refund_amount", "refundAmount", "refunded_amount", "amount_refunded", "total_refunded"),
    *("total", "revenue", "value", "amount"),
)


class Refund(NamedTuple):
    """The refund in an event that cancels an order."""

    #: The event marks the refund as partial.
    is_part: bool = False
    #: `None` if the whole order is refunded, according to the event.
    amount: str | None = None
    currency: str | None = None


def read_refund(event: Event) -> Refund:
    """Return the refund in an event that cancels an order.

    >>> read_refund({"event": "Order Refunded", "properties": {"total": 5, "currency": "EUR"}})
    Refund(is_part=False, amount='5', currency='EUR')
    >>> read_refund({"event": "Order Cancelled", "properties": {"total": 5}})
    Refund(is_part=False, amount=None, currency=None)
    """
    given = event.get("properties")
    properties: dict[str, Any] = given if isinstance(given, dict) else {}
    name = str(event.get("event") or "").lower()
    states = (str(properties[each]).lower() for each in _STATES if each in properties)
    if "partial" in name or any("partial" in state for state in states):
        return Refund(is_part=True)
    if any(read_flag(properties.get(each)) is True for each in _FLAGS):
        return Refund(is_part=True)
    if "refund" not in name:
        return Refund()
    found = next((amount for each in _AMOUNTS if (amount := read_amount(properties.get(each)))), None)
    if found is None:
        return Refund()
    currency = found.currency or properties.get("currency")
    number = abs(Decimal(found.number))
    return Refund(amount=str(number), currency=currency.upper() if isinstance(currency, str) else None)
