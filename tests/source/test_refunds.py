"""What an event that cancels an order pays back of it: all, a part, or an amount."""

from typing import Any

from app.source.refunds import Refund, read_refund
from tests.rows import every_row

ALL = Refund()
PART = Refund(is_part=True)


@every_row(
    ("name", "properties", "refund"),
    [
        ("Order Cancelled", {"total": 5, "currency": "EUR"}, ALL),  # the total is the order's
        ("Order Cancelled", None, ALL),
        (None, {"refund_amount": 5}, ALL),
        ("Order Refunded", {}, ALL),
        ("Order Refunded", {"total": "much"}, ALL),
        ("Order Refunded", {"total": 5, "currency": "eur"}, Refund(amount="5", currency="EUR")),
        ("Order Refunded", {"total": -5.5}, Refund(amount="5.5")),
        ("refund", {"value": 100, "refund_amount": "5 USD"}, Refund(amount="5", currency="USD")),
        ("Order Refunded", {"total": 5, "currency": 978}, Refund(amount="5")),
        ("Order Partially Refunded", {}, PART),
        ("Order Updated", {"financial_status": "partially_refunded"}, PART),
        ("Order Refunded", {"refund_type": "PARTIAL", "total": 5}, PART),
        ("Order Refunded", {"is_partial": "true"}, PART),
        ("Order Refunded", {"partial": False}, ALL),
    ],
)
def test_what_is_paid_back(name: str | None, properties: Any, refund: Refund) -> None:
    assert read_refund({"type": "track", "event": name, "properties": properties}) == refund
