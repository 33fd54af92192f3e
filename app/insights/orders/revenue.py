"""The value of orders by currency, and in each by day, preset, source, channel and ad account."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from statistics import median
from typing import Any, Final, NamedTuple

from app.core.deliveries import Delivery, State
from app.core.events import Outcome
from app.core.pages import Query, Revenue
from app.core.values.amounts import sum_of_one_currency
from app.core.values.times import DAY_S
from app.outbox import Outbox

#: Labels of the states of orders, in order. Unmatched events are never meant to be sent.
ORDERS_BECAME: Final = {
    State.DELIVERED.value: "sent",
    "waiting": "waiting",
    State.DEAD.value: "given up",
    State.DISMISSED.value: "dismissed",
    Outcome.WITHHELD.value: "withheld",
    Outcome.WITHDRAWN.value: "withdrawn",
    Outcome.INVALID.value: "invalid",
    Outcome.MERGED.value: "merged",
    Outcome.DUPLICATE.value: "duplicate",
    Outcome.REFUSED.value: "refused",
}
#: An event of an order that was received before.
_AGAIN: Final = frozenset({Outcome.MERGED.value, Outcome.DUPLICATE.value})
#: An amount of this many medians has probably lost its decimal point.
ODD_TIMES: Final = 100
#: Fewer orders give no statistics.
_FEW: Final = 5
#: Maximum number of listed orders.
_MOST_NAMED: Final = 10
_WEEK: Final = 7


class OrderTotals(NamedTuple):
    """The number and value of orders in a currency."""

    orders: int = 0
    #: The orders without an amount.
    without_amount: int = 0
    amount: Decimal = Decimal(0)

    @property
    def average(self) -> Decimal | None:
        """Return the average of the orders with an amount; `None` without such orders."""
        counted = self.orders - self.without_amount
        return round(self.amount / counted, 2) if counted else None


class OutlierOrder(NamedTuple):
    """An order with an extreme amount."""

    amount: Decimal
    delivery_id: str
    #: The amount as a multiple of the median.
    times: int


class OrderTrust(NamedTuple):
    """The trust in the sent orders."""

    orders: int = 0
    #: Orders that anyone could have sent.
    public: int = 0
    #: Orders without the expected confirmation by a shop.
    unconfirmed: int = 0

    @property
    def share(self) -> float:
        return self.unconfirmed / self.orders if self.orders else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueLine:
    """The orders of a day, preset, source, channel or ad account."""

    #: For a day, the number of days since 1970, as text.
    name: str
    #: By name in ORDERS_BECAME, without empty entries.
    became: dict[str, OrderTotals]
    #: All received orders.
    received: OrderTotals
    #: Received orders of complete days, for the comparison.
    compared: OrderTotals
    #: Received orders in the same number of days before, and in the same days a week before; for a day: the same day a
    #: week before.
    before: OrderTotals
    week_before: OrderTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotals:
    """The value of orders in a currency."""

    #: ISO 4217; "" if the orders have none.
    currency: str
    whole: RevenueLine
    #: By `day`, `preset`, `source`, `channel`, `ad_account_id`; days the newest first, others by value.
    lines: dict[str, tuple[RevenueLine, ...]]
    #: Each order counted once, in total and by day: without repeated events, only for the ad account with the most
    #: orders, and with orders that reached no ad account.
    once: RevenueLine
    once_by_day: tuple[RevenueLine, ...]
    #: Events with an order that no preset matches; not included in the received orders.
    unmatched: OrderTotals
    #: The largest amounts with their deliveries, one for each sum.
    largest: tuple[tuple[Decimal, str], ...]
    #: The median of orders; `None` if there are few.
    median: Decimal | None = None
    odd: tuple[OutlierOrder, ...] = ()
    trust: OrderTrust

    def with_odd(self, deliveries: Sequence[Delivery]) -> "CurrencyTotals":
        """Return the same totals with the orders whose amounts are extreme."""
        amounts = [amount for each in deliveries if each.amount and (amount := _read(each.amount)) is not None]
        if len(amounts) < _FEW or not (usual := median(amounts)):
            return self
        odd = (OutlierOrder(amount, delivery_id, int(amount / usual)) for amount, delivery_id in self.largest)
        return replace(self, median=usual, odd=tuple(each for each in odd if each.times >= ODD_TIMES))


#: The states that are summed for an `OrderTrust`.
_TRUST: Final = (State.DELIVERED.value, "public", "unconfirmed")


def first_day_read(first_day: int, last_day: int) -> int:
    """Return the first day of the sums that a comparison of these days needs."""
    return first_day - max(_WEEK, last_day - first_day + 1)


def by_currency(
    rows: Iterable[Revenue], *, first_day: int, last_day: int, over: int | None = None
) -> list[CurrencyTotals]:
    """Return the figures of some days by currency, the one with the most orders first; `rows` include earlier days.

    `over` is the last day that is compared; `None`: the last day.
    """
    found: defaultdict[str, list[Revenue]] = defaultdict(list)
    for row in rows:
        found[row.currency].append(row)
    over = last_day if over is None else min(over, last_day)
    figures = [_of_currency(currency, of, first_day, last_day, over) for currency, of in found.items()]
    shown = [each for each in figures if each.whole.received.orders or each.unmatched.orders]
    return sorted(shown, key=lambda each: (-each.whole.received.orders, each.currency))


def _of_currency(currency: str, rows: Sequence[Revenue], first: int, last: int, over: int) -> CurrencyTotals:
    by_day = _grouped(rows, "day")

    def between(begin: int, end: int) -> list[Revenue]:
        return [row for day in range(begin, end + 1) for row in by_day.get(day, ())]

    length = last - first + 1
    # All displayed days, the compared part, and the periods for the comparison.
    spans = between(first, last), *(between(first - back, over - back) for back in (0, length, _WEEK))
    numbers = range(last, first - 1, -1)
    days = [
        _line(str(day), by_day.get(day, []), *(between(day - back, min(day, over) - back) for back in (0, 1, _WEEK)))
        for day in numbers
    ]
    account = _busiest(spans[0])
    mine = {account, ""}
    once = [[row for row in span if row.ad_account_id in mine and row.became not in _AGAIN] for span in spans]
    once_of_day = _grouped(once[0], "day")
    lines = {"day": tuple(days)}
    for kind in ("preset", "source", "channel", "ad_account_id"):
        groups = [_grouped((row for row in span if row.became in ORDERS_BECAME), kind) for span in spans]
        each = [_line(name, *(group.get(name, []) for group in groups)) for name in groups[0]]
        lines[kind] = tuple(sorted(each, key=lambda line: (-line.received.amount, line.name)))
    return CurrencyTotals(
        currency=currency,
        whole=_line("", *spans),
        lines=lines,
        once=_line("", *once),
        once_by_day=tuple(_line(str(day), once_of_day.get(day, []), [], [], []) for day in numbers),
        unmatched=_sum(row for row in spans[0] if row.became == Outcome.UNMATCHED),
        largest=_largest(spans[0]),
        trust=OrderTrust(*(_sum(row for row in spans[0] if row.became == name).orders for name in _TRUST)),
    )


def _busiest(rows: Iterable[Revenue]) -> str:
    """Return the ad account with the most orders; "" if no order reached an ad account."""
    orders: Counter[str] = Counter()
    for row in rows:
        if row.became in ORDERS_BECAME and row.ad_account_id:
            orders[row.ad_account_id] += row.orders
    return max(orders, key=lambda account: orders[account], default="")


def _grouped(rows: Iterable[Revenue], by: str) -> dict[Any, list[Revenue]]:
    found: defaultdict[Any, list[Revenue]] = defaultdict(list)
    for row in rows:
        found[getattr(row, by)].append(row)
    return found


def _line(name: str, now: list[Revenue], *others: list[Revenue]) -> RevenueLine:
    sums = {became: _sum(of) for became, of in _grouped(now, "became").items()}
    compared, before, week_before = map(_received, others)
    return RevenueLine(
        name=name,
        became={became: sums[became] for became in ORDERS_BECAME if became in sums},
        received=_received(now),
        compared=compared,
        before=before,
        week_before=week_before,
    )


def _received(rows: Iterable[Revenue]) -> OrderTotals:
    return _sum(row for row in rows if row.became in ORDERS_BECAME)


def _sum(rows: Iterable[Revenue]) -> OrderTotals:
    summed = list(rows)
    return OrderTotals(
        orders=sum(row.orders for row in summed),
        without_amount=sum(row.without_amount for row in summed),
        amount=sum_of_one_currency((row.currency, row.amount) for row in summed),
    )


def _largest(rows: Iterable[Revenue]) -> tuple[tuple[Decimal, str], ...]:
    found = {(row.largest, row.largest_id) for row in rows if row.largest is not None and row.largest_id is not None}
    return tuple(sorted(found, reverse=True)[:_MOST_NAMED])


#: The median is computed from this number of the newest orders, for each of this number of currencies.
_SAMPLED: Final = 100
_JUDGED: Final = 4


async def read_revenue(
    outbox: Outbox, wanted: Mapping[str, str | None], *, first_day: int, last_day: int, over: int | None = None
) -> list[CurrencyTotals]:
    """Return the figures of some days (UTC, counted from 1970) as `by_currency` does.

    `wanted` restricts them by `ad_account_id`, `source` and `preset`; `None` means any. Raises OutboxUnavailable.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    rows = await outbox.revenue(first_day=first_day_read(first_day, last_day), last_day=last_day)
    meant = [row for row in rows if all(getattr(row, name) == value for name, value in asked.items())]
    figures = by_currency(meant, first_day=first_day, last_day=last_day, over=over)
    since, until = first_day * DAY_S, (last_day + 1) * DAY_S
    query = Query(
        event_name="checkout",
        since=since,
        until=until,
        ad_account_id=asked.get("ad_account_id"),
        source=asked.get("source"),
        preset=asked.get("preset"),
    )
    newest = (await outbox.search(query, limit=_SAMPLED * _JUDGED)).deliveries if figures else ()
    judged = []
    for each in figures[:_JUDGED]:
        sample: Sequence[Delivery] = [one for one in newest if one.currency == each.currency]
        if len(sample) < _FEW <= each.whole.received.orders:  # the currency is rare in the sample
            sample = (await outbox.search(replace(query, currency=each.currency), limit=_SAMPLED)).deliveries
        judged.append(each.with_odd(sample) if each.currency else each)
    return judged + figures[_JUDGED:]


def _read(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
