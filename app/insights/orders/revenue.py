"""What the orders of some days are worth: by currency, and in each by day, preset, source, channel and ad account."""

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

#: What becomes of orders, in the order of their way, in words. What no preset takes was never meant to be sent.
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
#: An amount so many times as large as the median has probably lost its decimal point.
ODD_TIMES: Final = 100
#: Of fewer orders nothing is said.
_FEW: Final = 5
#: So many are named.
_MOST_NAMED: Final = 10
_WEEK: Final = 7


class OrderTotals(NamedTuple):
    """How many orders of one currency there are, and what they are worth."""

    orders: int = 0
    #: Of these, those that name no amount.
    without_amount: int = 0
    amount: Decimal = Decimal(0)

    @property
    def average(self) -> Decimal | None:
        """What one is worth of those that name an amount; None where none does."""
        counted = self.orders - self.without_amount
        return round(self.amount / counted, 2) if counted else None


class OutlierOrder(NamedTuple):
    """An order whose amount is out of all proportion."""

    amount: Decimal
    delivery_id: str
    #: How many medians it is.
    times: int


class OrderTrust(NamedTuple):
    """Who says that there were the orders that were sent."""

    orders: int = 0
    #: Those that anyone could have sent.
    public: int = 0
    #: Those that a shop should have confirmed, and did not.
    unconfirmed: int = 0

    @property
    def share(self) -> float:
        return self.unconfirmed / self.orders if self.orders else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueLine:
    """The orders of one day, preset, source, channel or ad account."""

    #: Of a day its number since 1970, as a text.
    name: str
    #: By name of ORDERS_BECAME, those that there are.
    became: dict[str, OrderTotals]
    #: All of them.
    received: OrderTotals
    #: Of them, those of the days that are over, which are compared.
    compared: OrderTotals
    #: What was received in as many days before, and the same days a week before; of a day: the day, the week before.
    before: OrderTotals
    week_before: OrderTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotals:
    """What the orders of one currency are worth."""

    #: ISO 4217; "" where none was named.
    currency: str
    whole: RevenueLine
    #: By `day`, `preset`, `source`, `channel`, `ad_account_id`; of days the newest first, else what was worth most.
    lines: dict[str, tuple[RevenueLine, ...]]
    #: Each order once, whole and by day: without events that came again, for the ad account that received most orders,
    #: and what reached none.
    once: RevenueLine
    once_by_day: tuple[RevenueLine, ...]
    #: Events that name an order and that no preset takes; they are not among those that were received.
    unmatched: OrderTotals
    #: The largest amounts, each with its delivery: of each sum one.
    largest: tuple[tuple[Decimal, str], ...]
    #: What orders usually are worth; None where there are few.
    median: Decimal | None = None
    odd: tuple[OutlierOrder, ...] = ()
    trust: OrderTrust

    def with_odd(self, deliveries: Sequence[Delivery]) -> "CurrencyTotals":
        """Return the same with what is out of all proportion to some of its orders."""
        amounts = [amount for each in deliveries if each.amount and (amount := _read(each.amount)) is not None]
        if len(amounts) < _FEW or not (usual := median(amounts)):
            return self
        odd = (OutlierOrder(amount, delivery_id, int(amount / usual)) for amount, delivery_id in self.largest)
        return replace(self, median=usual, odd=tuple(each for each in odd if each.times >= ODD_TIMES))


#: By which an `OrderTrust` is summed.
_TRUST: Final = (State.DELIVERED.value, "public", "unconfirmed")


def first_day_read(first_day: int, last_day: int) -> int:
    """Return from which day on sums are needed to compare these days with what was before."""
    return first_day - max(_WEEK, last_day - first_day + 1)


def by_currency(
    rows: Iterable[Revenue], *, first_day: int, last_day: int, over: int | None = None
) -> list[CurrencyTotals]:
    """Return the figures of some days by currency, the one with the most orders first; `rows` reach further back.

    `over` is the last day that is compared; None: the last one.
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
    # All that is shown, what of it is compared, and what that is compared with.
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
    """Return the ad account that received most orders; "" where none reached any."""
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


#: What orders usually are worth is told by so many, the newest, of each of so many currencies.
_SAMPLED: Final = 100
_JUDGED: Final = 4


async def read_revenue(
    outbox: Outbox, wanted: Mapping[str, str | None], *, first_day: int, last_day: int, over: int | None = None
) -> list[CurrencyTotals]:
    """Return the figures of some days (UTC, counted from 1970) as `by_currency` does.

    `wanted` narrows them by `ad_account_id`, `source` and `preset`; None means any. Raises OutboxUnavailable.
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
        if len(sample) < _FEW <= each.whole.received.orders:  # it is rare among them
            sample = (await outbox.search(replace(query, currency=each.currency), limit=_SAMPLED)).deliveries
        judged.append(each.with_odd(sample) if each.currency else each)
    return judged + figures[_JUDGED:]


def _read(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
