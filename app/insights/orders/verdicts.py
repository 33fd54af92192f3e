"""The result for each order of the shop, and the sums of these results."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.values.times import DAY_S
from app.insights.orders.shop_orders import ShopOrder
from app.outbox.search import OrderRow


class OrderFate(StrEnum):
    """The result for an order. The list is closed."""

    SENT = "sent"
    OTHER_AMOUNT = "sent with another amount"
    OTHER_CURRENCY = "sent with another currency"
    #: The amount or currency in the shop's file is unreadable, so it cannot be compared.
    UNREADABLE = "sent, unreadable in the file"
    WAITING = "waiting"
    DEAD = "dead"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"
    INVALID = "invalid"
    WITHHELD = "withheld"
    DUPLICATE = "duplicate"
    NO_PRESET = "no preset"
    NEVER_RECEIVED = "never received"
    #: The ledger no longer has that day.
    FORGOTTEN = "older than the ledger"
    #: Not a sale according to the shop, and not sent.
    NO_PURCHASE = "no purchase"
    #: Not a sale according to the shop, but sent.
    SENT_FOR_NOTHING = "sent, though no purchase"
    #: Sent, but missing in the shop's file.
    UNKNOWN = "unknown to the shop"


#: Fates of orders that reached Pinterest.
SENT_FATES: Final = frozenset({OrderFate.SENT, OrderFate.OTHER_AMOUNT, OrderFate.OTHER_CURRENCY, OrderFate.UNREADABLE})
#: Fates of orders that should not be sent.
UNEXPECTED: Final = frozenset(
    {OrderFate.FORGOTTEN, OrderFate.NO_PURCHASE, OrderFate.SENT_FOR_NOTHING, OrderFate.UNKNOWN}
)
#: Prefixes of the reasons for correctly withheld orders.
_RIGHTLY: Final = ("consent:", "integrations:", "a test:", "a crawler:", "the order is no purchase")
#: States in the ledger, the best first.
_RANK: Final = (
    (State.DELIVERED, OrderFate.SENT),
    (State.CLAIMED, OrderFate.WAITING),
    (State.PENDING, OrderFate.WAITING),
    (State.DEAD, OrderFate.DEAD),
    (State.DISMISSED, OrderFate.DISMISSED),
    (Outcome.WITHDRAWN, OrderFate.WITHDRAWN),
    (Outcome.INVALID, OrderFate.INVALID),
    (Outcome.WITHHELD, OrderFate.WITHHELD),
    (Outcome.MERGED, OrderFate.DUPLICATE),
    (Outcome.DUPLICATE, OrderFate.DUPLICATE),
    (Outcome.UNMATCHED, OrderFate.NO_PRESET),
)
_PLACES: Final = {outcome.value: place for place, (outcome, _) in enumerate(_RANK)}
_FATES: Final = {outcome.value: fate for outcome, fate in _RANK}
#: Ids inside a reason, which would make every reason unique.
_IDS: Final = re.compile(r"(delivery|message) \S+?(?=[;,]|$)")
_MAX_REASON: Final = 160
#: Amounts with a smaller difference are equal: half of the smallest coin of most currencies.
_COIN: Final = Decimal("0.005")


class OrderVerdict(NamedTuple):
    """The result for an order of the shop, with the amounts that decide it."""

    #: In the shop's notation; as sent if the shop does not know the order.
    order_id: str
    fate: OrderFate
    #: Why the order was not sent; "" without a reason.
    reason: str
    #: Of the delivery or note that decided; "" without one.
    preset: str
    source: str
    ad_account_id: str
    #: The channel of the order; "" if no trusted event states it.
    channel: str
    #: The currency of `shop_amount`: the shop's; if the file has none, the sent one; "" if both are unknown.
    currency: str
    #: The day of the order in UTC, such as 2026-11-26; "" if the file has no time.
    day: str
    #: `None` if unknown.
    shop_amount: Decimal | None
    #: `None` if no order or no amount was sent.
    sent_amount: Decimal | None
    #: The currency of `sent_amount`; the shop's if the event had none.
    sent_currency: str
    #: The id in the ledger; "" if the ledger has no such order.
    ledger_id: str

    @property
    def is_expected(self) -> bool:
        """Return whether the shop could expect the order to be sent."""
        return self.fate not in UNEXPECTED and not (
            self.fate is OrderFate.WITHHELD and self.reason.startswith(_RIGHTLY)
        )


def judge_order(order: ShopOrder, rows: Sequence[OrderRow], *, ledger_begins: float, is_readable: bool) -> OrderVerdict:
    """Return the result for a shop's order from the ledger's rows under its ids.

    Of several deliveries and notes the best decides: delivered before waiting, and so on; of several delivered ones,
    one with the shop's amount. Orders before `ledger_begins` (Unix seconds) are forgotten. The sent amount only counts
    as equal if `is_readable`.
    """
    known = [row for row in rows if row.outcome in _PLACES]
    best = min(known, key=lambda row: (_PLACES[row.outcome], _difference(order, row) is not None), default=None)
    if best is None:
        forgotten = order.at is not None and order.at < ledger_begins
        fate = OrderFate.FORGOTTEN if forgotten else OrderFate.NEVER_RECEIVED
    else:
        fate = _FATES[best.outcome]
    if fate is OrderFate.SENT and best is not None:
        fate = _difference(order, best) or (fate if is_readable else OrderFate.UNREADABLE)
    if not order.is_purchase:
        fate = OrderFate.SENT_FOR_NOTHING if fate in SENT_FATES else OrderFate.NO_PURCHASE
    is_sent = fate in SENT_FATES or fate is OrderFate.SENT_FOR_NOTHING
    sent_currency = (best and best.currency) or ""
    # An unreadable currency may differ from the sent one.
    currency = order.currency or (sent_currency if is_readable or order.amount is None else "")
    return OrderVerdict(
        order_id=order.shown,
        fate=fate,
        reason="" if best is None or is_sent or fate is OrderFate.NO_PRESET else _reason_of(best),
        preset=(best and best.preset) or "",
        source=best.source if best else "",
        ad_account_id=(best and best.ad_account_id) or "",
        channel=(best and best.channel) or next((row.channel for row in known if row.channel), ""),
        currency=currency,
        day=_day_of(order.at),
        shop_amount=order.amount,
        sent_amount=_sent_amount(best) if best and is_sent else None,
        sent_currency=sent_currency or currency,
        ledger_id=(best and best.order_id) or "",
    )


def judge_unknown(row: OrderRow) -> OrderVerdict:
    """Return the result for a delivery that is missing in the shop's file."""
    return OrderVerdict(
        order_id=row.order_id or "",
        fate=OrderFate.UNKNOWN,
        reason="it names no order id" if row.order_id is None else "",
        preset=row.preset or "",
        source=row.source,
        ad_account_id=row.ad_account_id or "",
        channel=row.channel,
        currency=row.currency or "",
        day=_day_of(row.at),
        shop_amount=None,
        sent_amount=_sent_amount(row),
        sent_currency=row.currency or "",
        ledger_id=row.order_id or "",
    )


def _reason_of(row: OrderRow) -> str:
    """Return a reason without ids, cut to the length of counted reasons."""
    return _IDS.sub(r"another \1", row.reason)[:_MAX_REASON]


def _sent_amount(row: OrderRow) -> Decimal | None:
    """Return the sent amount, or `None`."""
    return None if row.amount is None else Decimal(row.amount)


def _day_of(at: float | None) -> str:
    """Return the day of a time, in UTC; "" for `None`."""
    return "" if at is None else _day(int(at // DAY_S))


@lru_cache(1_000)
def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(number * DAY_S, UTC):%Y-%m-%d}"


def _difference(order: ShopOrder, row: OrderRow) -> OrderFate | None:
    """Return the difference between the sent order and the shop's order; `None` if equal or if a value is missing."""
    if order.currency is not None and row.currency is not None and order.currency != row.currency:
        return OrderFate.OTHER_CURRENCY
    sent = _sent_amount(row)
    if order.amount is not None and (sent is None or abs(order.amount - sent) >= _COIN):
        return OrderFate.OTHER_AMOUNT
    return None


#: Maximum number of listed orders for each result and reason.
NAMED: Final = 100
#: Maximum number of different reasons; the rest is combined.
_REASONS: Final = 500
_OTHERS: Final = "other reasons"
#: The dimensions of sums, in addition to the fate.
BY: Final = ("day", "preset", "source", "channel", "ad_account_id", "currency")


class SumKey(NamedTuple):
    """The common properties of the amounts in a sum. An order sent with another currency is counted by the shop's."""

    day: str
    preset: str
    source: str
    channel: str
    ad_account_id: str
    currency: str
    fate: OrderFate
    is_expected: bool


@dataclass(slots=True)
class OrderWorth:
    """The number and value of orders; unknown amounts count as 0."""

    orders: int = 0
    shop: Decimal = Decimal()
    sent: Decimal = Decimal()

    def add(self, orders: int, shop: Decimal | None, sent: Decimal | None) -> None:
        """Add orders of a currency, with their value for the shop and as sent."""
        self.orders += orders
        self.shop += shop or 0
        self.sent += sent or 0


@dataclass(slots=True, kw_only=True)
class OrderSums:
    """All results. The size depends on the number of days, presets and reasons, not of orders."""

    cells: defaultdict[SumKey, OrderWorth] = field(default_factory=lambda: defaultdict(OrderWorth))
    reasons: Counter[tuple[OrderFate, str]] = field(default_factory=Counter)
    #: The first order ids of each reason, in the shop's notation -> the id in the ledger, or "".
    named: defaultdict[tuple[OrderFate, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, verdict: OrderVerdict) -> None:
        """Add the result of an order: each of its amounts to the sum of its currency."""
        by = {name: getattr(verdict, name) for name in BY}
        cell = SumKey(**by, fate=verdict.fate, is_expected=verdict.is_expected)
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
        """Return the number of orders that the shop could expect to be sent.

        Correctly withheld and cancelled orders do not count.
        """
        return sum(worth.orders for cell, worth in self.cells.items() if cell.is_expected)

    @property
    def right(self) -> int:
        """Return the number of orders that were sent with the shop's amount and currency."""
        return sum(
            worth.orders for cell, worth in self.cells.items() if cell.is_expected and cell.fate is OrderFate.SENT
        )

    @property
    def orders(self) -> int:
        return sum(worth.orders for cell, worth in self.cells.items() if cell.fate is not OrderFate.UNKNOWN)

    def missing_percent(self) -> Decimal:
        """Return the percentage of expected orders that were not sent as in the shop's file; 0 without orders."""
        if not (expected := self.expected):
            return Decimal()
        return Decimal(100) * (expected - self.right) / expected

    def by(self, name: str) -> dict[str, dict[str, OrderWorth]]:
        """Return the sums by a dimension of `BY` and by currency, of the shop's expected orders."""
        found: defaultdict[str, defaultdict[str, OrderWorth]] = defaultdict(lambda: defaultdict(OrderWorth))
        for cell, worth in self.cells.items():
            if cell.is_expected:
                sent = worth.sent if cell.fate in SENT_FATES else None
                found[getattr(cell, name)][cell.currency].add(worth.orders, worth.shop, sent)
        return {key: dict(found[key]) for key in sorted(found)}

    def json(self) -> dict[str, Any]:
        """Return the sums for JSON; amounts are texts, because a float is unsuitable for money."""
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


def _told(cell: SumKey) -> Mapping[str, Any]:
    return {**cell._asdict(), "fate": cell.fate.value}
