"""Verdicts summed up: how many, of what worth, for which reasons, by day, preset, source, ad account and currency."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from app.orders.fates import SENT_FATES, OrderFate, OrderVerdict

#: Of each fate and reason so many orders are named.
NAMED: Final = 100
#: So many different reasons are told apart; the rest is told as one.
_REASONS: Final = 500
_OTHERS: Final = "other reasons"
#: By what sums are told, beside the fate.
BY: Final = ("day", "preset", "source", "ad_account_id", "currency")


class Cell(NamedTuple):
    """What the amounts of one sum have in common. An order sent with another currency is counted by the shop's."""

    day: str
    preset: str
    source: str
    ad_account_id: str
    currency: str
    fate: OrderFate
    is_expected: bool


@dataclass(slots=True)
class OrderWorth:
    """How many orders, and what they are worth; amounts that are not known count as nothing."""

    orders: int = 0
    shop: Decimal = Decimal()
    sent: Decimal = Decimal()

    def add(self, orders: int, shop: Decimal | None, sent: Decimal | None) -> None:
        """Add so many orders of one currency, and what they are worth to the shop and as sent."""
        self.orders += orders
        self.shop += shop or 0
        self.sent += sent or 0


@dataclass(slots=True, kw_only=True)
class OrderSums:
    """All verdicts. Grows with the number of days, presets and reasons, not with that of orders."""

    cells: defaultdict[Cell, OrderWorth] = field(default_factory=lambda: defaultdict(OrderWorth))
    reasons: Counter[tuple[OrderFate, str]] = field(default_factory=Counter)
    #: The ids of the first orders of each, as the shop writes them -> as the ledger has them, "" where it does not.
    named: defaultdict[tuple[OrderFate, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, verdict: OrderVerdict) -> None:
        """Add the verdict about one order: each of its amounts to the sum of its own currency."""
        by = (verdict.day, verdict.preset, verdict.source, verdict.ad_account_id, verdict.currency)
        cell = Cell(*by, verdict.fate, verdict.is_expected)
        self.cells[cell].add(1, verdict.shop_amount, None)
        if verdict.sent_amount is not None:
            self.cells[cell._replace(currency=verdict.sent_currency)].add(0, None, verdict.sent_amount)
        why = verdict.fate, verdict.reason
        if why not in self.reasons and len(self.reasons) >= _REASONS:
            why = verdict.fate, _OTHERS
        self.reasons[why] += 1
        if verdict.order_id and len(self.named[why]) < NAMED:
            self.named[why][verdict.order_id] = verdict.ledger_id

    @property
    def expected(self) -> int:
        """How many orders the shop could expect to be sent: none that were rightly withheld, or are no purchases."""
        return sum(worth.orders for cell, worth in self.cells.items() if cell.is_expected)

    @property
    def right(self) -> int:
        """How many of them were sent, with the shop's amount and currency."""
        return sum(
            worth.orders for cell, worth in self.cells.items() if cell.is_expected and cell.fate is OrderFate.SENT
        )

    @property
    def orders(self) -> int:
        """How many orders the shop has."""
        return sum(worth.orders for cell, worth in self.cells.items() if cell.fate is not OrderFate.UNKNOWN)

    def missing_percent(self) -> Decimal:
        """Return which part of the expected orders was not sent as the shop has them, of each 100; 0 of none."""
        if not (expected := self.expected):
            return Decimal()
        return Decimal(100) * (expected - self.right) / expected

    def by(self, name: str) -> dict[str, dict[str, OrderWorth]]:
        """Return the sums by one of `BY` and by currency, of the shop's own expected orders."""
        found: defaultdict[str, defaultdict[str, OrderWorth]] = defaultdict(lambda: defaultdict(OrderWorth))
        for cell, worth in self.cells.items():
            if cell.is_expected:
                sent = worth.sent if cell.fate in SENT_FATES else None
                found[getattr(cell, name)][cell.currency].add(worth.orders, worth.shop, sent)
        return {key: dict(found[key]) for key in sorted(found)}

    def json(self) -> dict[str, Any]:
        """Return all of it, ready for JSON; amounts are texts, since a float is no money."""
        return {
            "orders": self.orders,
            "expected": self.expected,
            "sent_as_the_shop_has_them": self.right,
            "missing_percent": f"{self.missing_percent():.2f}",
            "fates": [
                {"fate": fate.value, "reason": reason, "orders": count, "named": [*self.named[fate, reason]]}
                for (fate, reason), count in self.reasons.most_common()
            ],
            "sums": [
                {**_told(cell), "orders": worth.orders, "shop": str(worth.shop), "sent": str(worth.sent)}
                for cell, worth in sorted(self.cells.items())
            ],
        }


def _told(cell: Cell) -> Mapping[str, Any]:
    return {**cell._asdict(), "fate": cell.fate.value}
