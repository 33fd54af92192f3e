"""No output adds amounts of different currencies: comparisons, revenue and what stands beside Pinterest's figures."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.console.pinterest_page import attributed_days
from app.core.pages import Attributed, PinterestView, Revenue
from app.core.values.amounts import sum_of_one_currency
from app.insights.orders.revenue import by_currency
from app.insights.orders.shop_orders import ShopOrder
from app.insights.orders.verdicts import BY, SENT_FATES, OrderSums, OrderVerdict, judge_order, judge_unknown
from app.outbox.search import OrderRow
from tests.rounds import examples

CURRENCIES = ("EUR", "USD", "JPY")
#: Each amount has digits that no other has, so that a sum says of which amounts it is.
PLACES = [Decimal(2**place) for place in range(12)]
EXITS = ("delivered", "delivered", "pending", "dead", "duplicate")
DAY = 20_000
#: 4 October 2024.
DATE = "2024-10-04"


def currency_of_none() -> st.SearchStrategy[str | None]:
    """A currency, or none."""
    return st.sampled_from([*CURRENCIES, None])


@st.composite
def compared(draw: st.DrawFn) -> list[tuple[ShopOrder, OrderRow | None, bool]]:
    """Orders of the shop, what the ledger has of each, and whether the file has a column of currencies."""
    has_column = draw(st.booleans())
    orders = []
    for shop, sent in zip(PLACES[::2], PLACES[1::2], strict=True):
        currency = draw(currency_of_none()) if has_column else None
        order = ShopOrder(f"#{shop}", (), draw(st.sampled_from([shop, None])), currency, 1e9)
        outcome = draw(st.sampled_from([*EXITS, None]))
        row = None
        if outcome is not None:
            money = draw(st.sampled_from([f"{sent}", f"{shop}", None])), draw(currency_of_none())
            row = OrderRow(
                f"{shop}",
                outcome,
                "",
                *money,
                "Checkout",
                draw(st.sampled_from("ab")),
                "1",
                draw(st.sampled_from(["", "pos"])),
                1e9,
            )
        orders.append((order, row, has_column))
    return orders


def judged(orders: Iterable[tuple[ShopOrder, OrderRow | None, bool]]) -> list[OrderVerdict]:
    """The verdicts, as a comparison reaches them; and one that the shop knows nothing of, by each row."""
    found = []
    for order, row, has_column in orders:
        readable = order.amount is not None and (order.currency is not None or not has_column)
        rows = [] if row is None else [row]
        found.append(judge_order(order, rows, ledger_begins=0, is_readable=readable))
        found += [judge_unknown(each) for each in rows if each.outcome == "delivered"]
    return found


@given(compared())
@settings(max_examples=examples(200))
def test_a_comparison_sums_each_currency_alone(orders: list[tuple[ShopOrder, OrderRow | None, bool]]) -> None:
    verdicts, sums = judged(orders), OrderSums()
    for order, row, has_column in orders:  # an amount keeps the currency that it is named in
        verdict = judged([(order, row, has_column)])[0]
        assert order.currency in {None, verdict.currency}
        assert verdict.sent_amount is None or row is None or row.currency in {None, verdict.sent_currency}
        assert not has_column or order.currency or order.amount is None or not verdict.currency
    for verdict in verdicts:
        sums.add(verdict)
    shop: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for verdict in verdicts:
        shop[verdict.currency] += verdict.shop_amount or 0  # type: ignore[assignment] # a sum of money
        sent[verdict.sent_currency] += verdict.sent_amount or 0  # type: ignore[assignment] # likewise
    told = sums.json()["sums"]
    for currency in (*CURRENCIES, ""):
        of_it = [each for each in told if each["currency"] == currency]
        assert sum(Decimal(each["shop"]) for each in of_it) == shop[currency]
        assert sum(Decimal(each["sent"]) for each in of_it) == sent[currency]
    assert sum(each["orders"] for each in told) == len(verdicts)
    expected = [each for each in verdicts if each.is_expected]
    for name in BY:
        for currency in (*CURRENCIES, ""):
            lines = [worth for line in sums.by(name).values() for of, worth in line.items() if of == currency]
            assert sum(each.shop for each in lines) == sum(
                each.shop_amount or 0 for each in expected if each.currency == currency
            )
            assert sum(each.sent for each in lines) == sum(
                each.sent_amount or 0 for each in expected if each.sent_currency == currency and each.fate in SENT_FATES
            )


@given(st.lists(st.tuples(st.sampled_from([*CURRENCIES, ""]), st.integers(0, 1)), min_size=12, max_size=12))
@settings(max_examples=examples(100))
def test_revenue_and_what_stands_beside_pinterests_figures_do_too(rows: list[tuple[str, int]]) -> None:
    revenues = [
        Revenue(
            day=DAY - back,
            ad_account_id="1",
            preset="Checkout",
            source="shop",
            channel="",
            currency=currency,
            became="delivered",
            orders=1,
            without_amount=0,
            amount=amount,
            largest=None,
            largest_id=None,
        )
        for (currency, back), amount in zip(rows, PLACES, strict=True)
    ]
    meant = {(each.currency, each.day): Decimal() for each in revenues}
    for each in revenues:
        meant[each.currency, each.day] += each.amount
    for figures in by_currency(revenues, first_day=DAY - 1, last_day=DAY):
        of_days = {line.name: line.received.amount for line in figures.lines["day"]}
        assert of_days == {f"{day}": meant.get((figures.currency, day), 0) for day in (DAY, DAY - 1)}
        assert figures.whole.received.amount == sum(of_days.values())
    attributed = (Attributed(date=DATE, checkouts=1, by_click=1, by_view=0, value="1"),)
    for currency in (*CURRENCIES, ""):
        (day,) = attributed_days(PinterestView(currency=currency, attributed=attributed), revenues)
        # an order that names no currency is one in that of the ad account
        known = meant.get((currency, DAY), 0) + meant.get(("", DAY), 0) if currency else None
        assert day.sent_worth == known


def test_amounts_of_two_currencies_have_no_sum() -> None:
    with pytest.raises(ValueError, match="amounts in EUR and in USD have no sum"):
        sum_of_one_currency([("EUR", Decimal(1)), ("USD", Decimal(1))])
