"""What orders are worth: sums that add up, comparisons like with like, and amounts that look wrong."""

from decimal import Decimal
from typing import Any

import pytest

from app.core.deliveries import Delivery, State
from app.core.pages import Revenue
from app.insights.orders.revenue import CurrencyTotals, OrderTrust, by_currency, first_day_read

TODAY = 20_000


def revenue(amount: str = "100", **changes: Any) -> Revenue:
    standard: dict[str, Any] = {
        "day": TODAY,
        "ad_account_id": "1",
        "preset": "checkout",
        "source": "shop",
        "channel": "",
        "currency": "EUR",
        "became": "delivered",
        "orders": 10,
        "without_amount": 0,
        "amount": Decimal(amount),
        "largest": None,
        "largest_id": None,
    }
    return Revenue(**(standard | changes))


def figures(*rows: Revenue, days: int = 7) -> list[CurrencyTotals]:
    return by_currency(rows, first_day=TODAY - days + 1, last_day=TODAY)


def test_currencies_are_never_summed_together() -> None:
    found = figures(
        revenue("0.1"), revenue("0.2", source="b"), revenue("5", currency="USD", orders=50), revenue("1", currency="")
    )
    assert [(each.currency, str(each.whole.received.amount)) for each in found] == [
        ("USD", "5"),
        ("EUR", "0.3"),
        ("", "1"),
    ]


def test_what_became_of_orders_adds_up_to_what_was_received() -> None:
    outcomes = ("delivered", "waiting", "dead", "dismissed", "withheld", "withdrawn", "invalid", "duplicate", "refused")
    (eur,) = figures(
        *(revenue(str(n), became=became) for n, became in enumerate(outcomes, 1)), revenue("500", became="unmatched")
    )
    assert list(eur.whole.became) == list(outcomes)
    assert eur.whole.received == (90, 0, Decimal(45))
    assert eur.unmatched == (10, 0, Decimal(500))
    for kind, lines in eur.lines.items():
        assert sum(line.received.orders for line in lines) == 90, kind
        assert sum(line.received.amount for line in lines) == 45, kind


def test_an_order_that_came_again_or_went_to_two_accounts_counts_once() -> None:
    (eur,) = figures(
        revenue("100", orders=4),
        revenue("25", orders=1, became="duplicate"),
        revenue("25", orders=1, became="merged"),
        revenue("75", orders=3, ad_account_id="2"),
        revenue("30", orders=2, ad_account_id="", preset="", became="withheld", day=TODAY - 1),
        revenue("9", orders=1, became="unmatched"),
        revenue("60", orders=3, day=TODAY - 7),
    )
    assert eur.once.received == (6, 0, Decimal(130))
    assert eur.once.before == (3, 0, Decimal(60))
    assert {name: worth.orders for name, worth in eur.once.became.items()} == {"delivered": 4, "withheld": 2}
    assert [(day.name, day.received.amount) for day in eur.once_by_day[:3]] == [
        (str(TODAY), Decimal(100)),
        (str(TODAY - 1), Decimal(30)),
        (str(TODAY - 2), Decimal(0)),
    ]


def test_days_presets_sources_and_accounts_are_told_apart() -> None:
    (eur,) = figures(
        revenue("1"),
        revenue("2", preset="other"),
        revenue("4", source="pos", channel="pos"),
        revenue("8", day=TODAY - 1, ad_account_id="2"),
    )
    told = {
        kind: [(line.name, int(line.received.amount)) for line in lines if line.received.orders]
        for kind, lines in eur.lines.items()
    }
    assert told == {
        "day": [(str(TODAY), 7), (str(TODAY - 1), 8)],
        "preset": [("checkout", 13), ("other", 2)],
        "source": [("shop", 11), ("pos", 4)],
        "channel": [("", 11), ("pos", 4)],
        "ad_account_id": [("2", 8), ("1", 7)],
    }


@pytest.mark.parametrize(
    ("days", "before", "week_before"),
    [(1, TODAY - 1, TODAY - 7), (7, TODAY - 7, TODAY - 13), (14, TODAY - 14, TODAY - 7)],
)
def test_a_span_is_compared_with_the_same_before(days: int, before: int, week_before: int) -> None:
    read = first_day_read(TODAY - days + 1, TODAY)
    assert read <= min(before, week_before)
    (eur,) = figures(revenue("1"), *(revenue("10", day=day) for day in {before, week_before}), days=days)
    assert eur.whole.before.amount >= 10
    assert eur.whole.week_before.amount >= 10
    (other,) = figures(revenue("1"), revenue("3", day=TODAY - 1), revenue("5", day=TODAY - 7), days=days)
    today = other.lines["day"][0]
    assert (str(today.before.amount), str(today.week_before.amount)) == ("3", "5")


def test_the_average_leaves_out_what_names_no_amount() -> None:
    (eur,) = figures(revenue("100", orders=5, without_amount=1))
    assert str(eur.whole.received.average) == "25.00"
    (none,) = figures(revenue("0", orders=5, without_amount=5))
    assert none.whole.received.average is None


def sent(**changes: Any) -> Delivery:
    """Return an order as the store shows it."""
    standard: dict[str, Any] = {
        "delivery_id": "1",
        "ad_account_id": "42",
        "preset": "Order Completed",
        "message_id": "m-1",
        "event_name": "checkout",
        "event_id": "e-1",
        "action_source": "web",
        "order_id": "SO-1",
        "event_time": 0,
        "state": State.DELIVERED,
        "reason": "",
        "attempts": 1,
        "enqueued_at": 0.0,
        "due_at": None,
        "settled_at": 0.0,
        "warnings": (),
    }
    return Delivery(**(standard | changes))


def test_the_share_that_the_shop_did_not_confirm_is_told_of_all_that_was_sent() -> None:
    told = {"delivered": 4, "public": 3, "unconfirmed": 1, "waiting": 2, "dead": 5}
    (eur,) = figures(*(revenue(became=became, orders=orders) for became, orders in told.items()))
    assert (eur.trust, eur.trust.share) == (OrderTrust(orders=4, public=3, unconfirmed=1), 0.25)
    assert eur.whole.received.orders == 11  # what is public, or unconfirmed, is counted once
    (eur,) = figures(revenue(became="waiting"))
    assert eur.trust.share == 0


@pytest.mark.parametrize(
    ("largest", "amounts", "odd"),
    [
        ("1999", ["19.99", "19", "21", "1999", "19.5"], [100]),  # one has lost its comma
        ("1990", ["19.99", "19", "21", "1990", "20"], []),  # not a hundred times as much
        ("1999", ["19.99", "19", "21", "1999"], []),  # of few orders nothing is said
        ("1999", ["0", "0", "0", "0", "1999"], []),
    ],
)
def test_an_amount_a_hundred_times_the_median_is_named(largest: str, amounts: list[str], odd: list[int]) -> None:
    (eur,) = figures(
        revenue(largest=Decimal(largest), largest_id="77"), revenue(source="b", largest=Decimal(30), largest_id="78")
    )
    judged = eur.with_odd([sent(amount=amount) for amount in (*amounts, None, "NaN", "much")])
    assert [each.times for each in judged.odd] == odd
    assert all(each.delivery_id == "77" for each in judged.odd)


@pytest.mark.parametrize(
    ("days", "compared", "before", "week_before"), [(1, 0, 0, 0), (2, 10, 30, 80), (7, 10 + 20 + 30, 80, 80)]
)
def test_a_day_that_is_not_over_is_compared_with_nothing(
    days: int, compared: int, before: int, week_before: int
) -> None:
    """Today has one order so far; each earlier day has as many as it lies back, in tens."""
    rows = [revenue("1"), *(revenue(str(10 * back), day=TODAY - back) for back in (1, 2, 3, 8))]
    (eur,) = by_currency(rows, first_day=TODAY - days + 1, last_day=TODAY, over=TODAY - 1)
    for line in (eur.whole, eur.once):
        assert [int(each.amount) for each in (line.compared, line.before, line.week_before)] == [
            compared,
            before,
            week_before,
        ]
    today, *others = eur.lines["day"]
    assert [int(each.amount) for each in (today.received, today.compared, today.before)] == [1, 0, 0]
    assert all(each.compared == each.received for each in others)
