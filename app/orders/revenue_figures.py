"""What the orders of some days are worth: by currency, and in each by day, preset, source and ad account. Pure.

Currencies are never summed together.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from app.types import Exit, Revenue, State

#: What becomes of orders, in the order of their way, in words. What no preset takes was never meant to be sent.
ORDERS_BECAME: Final = {
    State.DELIVERED.value: "sent",
    "waiting": "waiting",
    State.DEAD.value: "given up",
    State.DISMISSED.value: "put away",
    Exit.WITHHELD.value: "withheld",
    Exit.WITHDRAWN.value: "cancelled",
    Exit.INVALID.value: "invalid",
    Exit.DUPLICATE.value: "duplicate",
    Exit.REFUSED.value: "refused",
}
#: An amount so many times as large as the median has probably lost its decimal point.
ODD_TIMES: Final = 100
#: Of fewer orders nothing is said.
_FEW: Final = 5
#: So many are named.
_MOST_NAMED: Final = 10
_WEEK: Final = 7


class Worth(NamedTuple):
    """Some orders of one currency."""

    orders: int = 0
    #: Of these, those that name no amount.
    without_amount: int = 0
    amount: Decimal = Decimal(0)

    @property
    def average(self) -> Decimal | None:
        """What one is worth of those that name an amount; None where none does."""
        counted = self.orders - self.without_amount
        return round(self.amount / counted, 2) if counted else None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; amounts are texts, which lose nothing."""
        average = self.average
        return {
            "orders": self.orders,
            "without_amount": self.without_amount,
            "amount": str(self.amount),
            "average": None if average is None else str(average),
        }


class Odd(NamedTuple):
    """An order whose amount is out of all proportion."""

    amount: Decimal
    delivery_id: str
    #: How many medians it is.
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueLine:
    """The orders of one day, preset, source or ad account."""

    #: Of a day its number since 1970, as a text.
    name: str
    #: By name of ORDERS_BECAME, those that there are.
    became: dict[str, Worth]
    #: All of them.
    received: Worth
    #: What was received in as many days before, and the same days a week before; of a day: the day, the week before.
    before: Worth
    week_before: Worth

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "name": self.name,
            "received": self.received.as_json(),
            "before": self.before.as_json(),
            "week_before": self.week_before.as_json(),
            "became": {became: worth.as_json() for became, worth in self.became.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OfCurrency:
    """What the orders of one currency are worth."""

    #: ISO 4217; "" where none was named.
    currency: str
    whole: RevenueLine
    #: By `day`, `preset`, `source`, `ad_account_id`; of days the newest first, else what was worth most.
    lines: dict[str, tuple[RevenueLine, ...]]
    #: Events that name an order and that no preset takes; they are not among those that were received.
    unmatched: Worth
    #: What is near the middle of all amounts; None where there are few.
    median: Decimal | None
    odd: tuple[Odd, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "currency": self.currency or None,
            **{name: value for name, value in self.whole.as_json().items() if name != "name"},
            "unmatched": self.unmatched.as_json(),
            "by": {kind: [line.as_json() for line in lines] for kind, lines in self.lines.items()},
            "odd": [
                {"amount": str(odd.amount), "delivery_id": odd.delivery_id, "times": odd.times} for odd in self.odd
            ],
        }


def first_day_read(first_day: int, last_day: int) -> int:
    """Return from which day on sums are needed to compare these days with what was before."""
    return first_day - max(_WEEK, last_day - first_day + 1)


def by_currency(rows: Iterable[Revenue], *, first_day: int, last_day: int) -> list[OfCurrency]:
    """Return the figures of some days by currency, the one with the most orders first; `rows` reach further back."""
    found: defaultdict[str, list[Revenue]] = defaultdict(list)
    for row in rows:
        found[row.currency].append(row)
    figures = [_of_currency(currency, of, first_day, last_day) for currency, of in found.items()]
    shown = [each for each in figures if each.whole.received.orders or each.unmatched.orders]
    return sorted(shown, key=lambda each: (-each.whole.received.orders, each.currency))


def _of_currency(currency: str, rows: Sequence[Revenue], first: int, last: int) -> OfCurrency:
    now = [row for row in rows if first <= row.day <= last]
    length = last - first + 1
    days = [
        _line(str(day), _between(rows, day, day), _between(rows, day - 1, day - 1), _between(rows, day - 7, day - 7))
        for day in range(last, first - 1, -1)
    ]
    earlier, week_before = _between(rows, first - length, first - 1), _between(rows, first - _WEEK, last - _WEEK)
    lines = {"day": tuple(days)}
    for kind in ("preset", "source", "ad_account_id"):
        names = {getattr(row, kind) for row in now if row.became in ORDERS_BECAME}
        each = [_line(name, *(_named(of, kind, name) for of in (now, earlier, week_before))) for name in names]
        lines[kind] = tuple(sorted(each, key=lambda line: (-line.received.amount, line.name)))
    median = _median(now)
    return OfCurrency(
        currency=currency,
        whole=_line("", now, earlier, week_before),
        lines=lines,
        unmatched=_sum(row for row in now if row.became == Exit.UNMATCHED),
        median=median,
        odd=_odd(now, median) if median else (),
    )


def _between(rows: Iterable[Revenue], first: int, last: int) -> list[Revenue]:
    return [row for row in rows if first <= row.day <= last]


def _named(rows: Iterable[Revenue], kind: str, name: str) -> list[Revenue]:
    return [row for row in rows if getattr(row, kind) == name]


def _line(name: str, now: list[Revenue], before: list[Revenue], week_before: list[Revenue]) -> RevenueLine:
    sums = {became: _sum(row for row in now if row.became == became) for became in ORDERS_BECAME}
    return RevenueLine(
        name=name,
        became={became: worth for became, worth in sums.items() if worth.orders},
        received=_received(now),
        before=_received(before),
        week_before=_received(week_before),
    )


def _received(rows: Iterable[Revenue]) -> Worth:
    return _sum(row for row in rows if row.became in ORDERS_BECAME)


def _sum(rows: Iterable[Revenue]) -> Worth:
    orders, without, amount = 0, 0, Decimal(0)
    for row in rows:
        orders, without, amount = orders + row.orders, without + row.without_amount, amount + row.amount
    return Worth(orders, without, amount)


def _median(rows: Iterable[Revenue]) -> Decimal | None:
    """Return what lies near the middle of all amounts: each sum counts with its average, without its largest."""
    middles: list[tuple[Decimal, int]] = []
    for row in rows:
        counted = row.orders - row.without_amount
        if row.largest is not None and counted > 1 and row.largest <= row.amount:
            middles.append(((row.amount - row.largest) / (counted - 1), counted))
        elif counted:
            middles.append((row.amount / counted, counted))
    half = sum(count for _, count in middles)
    if half < _FEW:
        return None
    for middle, count in sorted(middles):
        half -= 2 * count
        if half <= 0:
            return middle
    return None  # pragma: no cover - the counts add up to the whole


def _odd(rows: Iterable[Revenue], median: Decimal) -> tuple[Odd, ...]:
    """Return the orders, the largest of each sum, that are out of all proportion."""
    found = {
        row.largest_id: Odd(row.largest, row.largest_id, int(row.largest / median))
        for row in rows
        if row.largest is not None and row.largest_id is not None and row.largest >= ODD_TIMES * median
    }
    return tuple(sorted(found.values(), reverse=True)[:_MOST_NAMED])
