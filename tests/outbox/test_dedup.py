"""Which orders are one, whatever source sends them: the rules, apart from any engine."""

from collections.abc import Sequence
from typing import Any

import pytest

from app.config.settings import OutboxSettings
from app.outbox.dedup import (
    EVENT_ID,
    MAX_PLACES,
    ORDER_ID,
    Deduplicator,
    DedupResult,
    KeyOwner,
    Order,
    every_key_of,
    keys_of,
)
from tests.outbox.build import NOW, new, rules
from tests.rows import every_row

ANN, BEN = "a" * 64, "b" * 64


class Shop:
    """Checks deliveries one after the other; ids are counted from 1."""

    def __init__(self, given: OutboxSettings | None = None) -> None:
        self.rules = given or rules()
        self.dedup = Deduplicator({}, now=NOW, rules=self.rules)
        self.count = 0

    def __call__(self, **changes: Any) -> DedupResult:
        delivery = new(**changes)
        self.count += 1
        return self.dedup.check(delivery, keys_of(delivery, self.rules), self.count)


def order(**changes: Any) -> dict[str, Any]:
    """An order of Ann's of 25 USD."""
    return {"order_id": "SO-1", "buyer": (ANN,), "amount": "25", "currency": "USD"} | changes


SECOND = [
    # what a second event of SO-1 says otherwise, whether it is the same order, what is told
    ({}, True, ""),
    ({"preset": "order_completed", "source": "server"}, True, ""),
    ({"amount": "30"}, True, "the total differs (25 USD then, 30 USD now)"),
    ({"currency": "EUR"}, True, "the total differs (25 USD then, 25 EUR now)"),
    ({"buyer": (BEN,)}, True, "the buyer differs"),
    ({"buyer": (BEN, ANN), "amount": "30"}, True, "the total differs (25 USD then, 30 USD now)"),
    ({"buyer": (BEN,), "amount": "30"}, False, "another buyer and another total"),
    ({"buyer": (BEN,), "currency": "EUR"}, False, "another buyer and another total"),
    # What is not known differs from nothing.
    ({"buyer": (), "amount": "30"}, True, "the total differs (25 USD then, 30 USD now)"),
    ({"buyer": (BEN,), "amount": None, "currency": None}, True, "the buyer differs"),
    ({"buyer": (BEN,), "currency": None}, True, "the buyer differs"),
    ({"ad_account_id": "2", "amount": "30"}, False, ""),
    ({"order_id": "SO-2"}, False, ""),
]


@every_row(("changes", "is_same", "told"), SECOND)
def test_one_order_id_is_one_order_unless_buyer_and_total_both_differ(
    changes: dict[str, Any],
    is_same: bool,  # noqa: FBT001 - a column
    told: str,
) -> None:
    shop = Shop()
    assert shop(**order()).repeats is None
    second = shop(**order(**changes))

    assert (second.repeats is not None) == is_same
    assert told in second.reason + "".join(second.warnings)
    assert bool(told) == bool(second.warnings or "differs" in second.reason)


def test_a_warning_of_another_order_names_the_conflict() -> None:
    shop = Shop()
    shop(**order())
    (warning,) = shop(**order(buyer=(BEN,), amount="30")).warnings

    assert warning == (
        "another order: its order_id came before, as delivery 1, of another buyer and another total "
        "(25 USD then, 30 USD now); both are sent"
    )


def test_each_of_two_orders_with_one_id_is_known_again() -> None:
    shop = Shop()
    shop(**order())
    shop(**order(buyer=(BEN,), amount="30"))

    first, second = shop(**order()), shop(**order(buyer=(BEN,), amount="30"))

    assert [result.repeats and result.repeats.delivery_id for result in (first, second)] == [1, 2]
    assert "differs" not in first.reason + second.reason


def test_of_shops_with_numbers_of_their_own_each_has_its_orders() -> None:
    by_source = Shop(rules(order_scope="source"))
    by_account = Shop()
    for shop in (by_source, by_account):
        shop(**order(source="north"))

    assert by_source(**order(source="south")).repeats is None
    assert by_source(**order(source="north")).repeats is not None
    assert by_account(**order(source="south")).repeats is not None


CHECKOUTS = [
    # checkout ids and order ids of two events, whether they are one
    (("c", None), ("c", "SO-1"), True),
    (("c", "SO-1"), ("c", None), True),
    (("c", None), ("c", None), True),
    (("c", "SO-1"), ("c", "SO-2"), False),
    (("c", "SO-1"), ("d", None), False),
    (("c", "SO-1"), (None, None), False),
    (("c", "SO-1"), ("d", "SO-1"), True),
]


@every_row(("first", "second", "is_same"), CHECKOUTS)
def test_a_checkout_id_joins_an_event_without_an_order_id_with_one_that_has_it(
    first: tuple[str | None, str | None],
    second: tuple[str | None, str | None],
    is_same: bool,  # noqa: FBT001 - a column
) -> None:
    shop = Shop()
    results = [shop(checkout_id=checkout, order_id=order_id) for checkout, order_id in (first, second)]

    assert [result.repeats is not None for result in results] == [False, is_same]
    assert all(result.warnings == () for result in results)


@every_row(
    ("events", "is_same"),
    [
        # The second event joins the third, which shares nothing with the first.
        ([{"checkout_id": "c"}, {"checkout_id": "c", "order_id": "SO-1"}, {"order_id": "SO-1"}], True),
        ([{"order_id": "SO-1"}, {"checkout_id": "c", "order_id": "SO-1"}, {"checkout_id": "c"}], True),
        ([{"event_id": "e"}, {"event_id": "e", "order_id": "SO-1"}, {"order_id": "SO-1"}], True),
        # What it names may be held by an order of its own, which stays that order's.
        ([{"order_id": "SO-1"}, {"order_id": "SO-2"}, {"checkout_id": "c", "order_id": "SO-1"}], True),
        ([{"checkout_id": "c"}, {"checkout_id": "c", "order_id": "SO-1"}, {"order_id": "SO-2"}], False),
    ],
)
def test_a_repetition_teaches_what_the_order_did_not_know(events: Sequence[dict[str, Any]], is_same: bool) -> None:  # noqa: FBT001 - a column
    shop = Shop()
    *_, last = [shop(**event) for event in events]

    assert (last.repeats and last.repeats.delivery_id) == (1 if is_same else None)


def test_what_a_repetition_teaches_is_held_by_the_order_that_it_repeats() -> None:
    shop = Shop()
    shop(checkout_id="c")
    taken = shop(checkout_id="c", order_id="SO-1").taken

    assert [(each.key.kind, each.holder.delivery_id) for each in taken] == [("order_id", 1), ("checkout_id", 1)]
    assert [each.holder.order and each.holder.order.order_id for each in taken] == ["SO-1", "SO-1"]


def test_a_checkout_of_another_buyer_and_another_total_is_another() -> None:
    shop = Shop()
    shop(checkout_id="c", buyer=(ANN,), amount="25")

    assert shop(checkout_id="c", buyer=(BEN,), amount="30").repeats is None


def test_where_orders_are_not_compared_only_events_are() -> None:
    shop = Shop(rules(order_scope="none"))
    results = [shop(**order(checkout_id="c")) for _ in range(2)]

    assert [result.repeats for result in results] == [None, None]
    assert {each.key.kind for result in results for each in result.taken} == {"event_id"}


def test_an_id_that_hundreds_of_orders_have_is_remembered_of_the_first_only() -> None:
    shop = Shop()
    results = [shop(**order(buyer=(f"{n:02}" * 32,), amount=str(n))) for n in range(2 * MAX_PLACES)]

    assert all(result.repeats is None for result in results)
    assert [len(result.taken) for result in results] == [2] * MAX_PLACES + [1] * MAX_PLACES


def test_a_place_whose_time_is_over_is_taken_again() -> None:
    given = rules()
    delivery = new(**order())
    keys = keys_of(delivery, given)
    over, holds = (
        KeyOwner("8", NOW - 9, NOW, 0),
        KeyOwner("9", NOW - 9, NOW + 1, 1, Order("SO-1", (BEN[:32],), "1", None)),
    )
    dedup = Deduplicator({keys[1].digest: [over, holds]}, now=NOW, rules=given)

    result = dedup.check(delivery, keys, "10")

    assert result.repeats is None
    assert [(each.key.kind, each.holder.place) for each in result.taken] == [("event_id", 0), ("order_id", 0)]


def test_a_checkout_that_is_joined_to_an_order_is_of_no_other_order() -> None:
    shop = Shop()
    shop(checkout_id="c")
    shop(checkout_id="c", order_id="SO-1")

    assert shop(checkout_id="c", order_id="SO-2").repeats is None
    assert shop(checkout_id="c", order_id="SO-1").repeats is not None


def test_an_order_comes_back_from_its_text_as_it_was() -> None:
    known = Order.of(new(**order()))
    assert Order.read(known.text) == known


OLD, NEW = "woocommerce-order-727", "checkout_727"


@pytest.mark.parametrize(("first", "second"), [(OLD, NEW), (NEW, OLD), (NEW, NEW)])
def test_an_order_of_woocommerce_is_one_under_its_old_event_id_and_its_new_one(first: str, second: str) -> None:
    shop = Shop(rules(order_scope="none"))
    assert shop(event_id=first, event_name="checkout").repeats is None
    assert shop(event_id=second, event_name="checkout").repeats is not None
    assert shop(event_id=second + "1", event_name="checkout").repeats is None


def test_only_an_order_has_two_event_ids() -> None:
    shop = Shop()
    assert shop(event_id=OLD, event_name="search").repeats is None
    assert shop(event_id=NEW, event_name="search").repeats is None


def test_the_other_event_id_of_an_order_is_kept_as_long_as_the_ledger() -> None:
    delivery, given = new(event_id=NEW, event_name="checkout", order_id=None), rules()
    assert [key.kind for key in keys_of(delivery, given)] == [EVENT_ID, ORDER_ID]
    assert {key.digest for key in keys_of(delivery, given)} <= {key.digest for key in every_key_of(delivery)}
