"""An order has two names at its shop, its id and its number: under either it is one order, and no other one."""

from typing import Any

import orjson
import pytest

from app.core.deliveries import NewDelivery, OrderSide
from app.core.events import Outcome
from app.outbox.dedup import order_digests
from tests.outbox.build import NOW, At, new

ANN, BEN = ("a" * 64,), ("b" * 64,)


def _payload(order_id: str, amount: str | None) -> bytes:
    """The finished event."""
    custom_data = {"order_id": order_id, "currency": "EUR"} | ({"value": amount} if amount else {})
    event = {"event_name": "checkout", "event_id": "e", "event_time": int(NOW), "action_source": "web"}
    return orjson.dumps({**event, "user_data": {"em": ANN}, "custom_data": custom_data})


def shop(order_id: str, number: str | None, amount: str | None = "80", **changes: Any) -> NewDelivery:
    """An order as the shop's webhook tells of it."""
    totals = (f"EUR {amount}.00", "EUR 99.00") if amount else ()
    given: dict[str, Any] = {
        "order_id": order_id,
        "amount": amount,
        "currency": "EUR",
        "is_trusted": True,
        "buyer": ANN,
    }
    given["payload"] = _payload(order_id, amount)
    return new(**given | {"side": OrderSide(totals=totals, number=number)} | changes)


def page(order_id: str, amount: str | None = "80", **changes: Any) -> NewDelivery:
    """An order as its page tells of it: under one name."""
    given: dict[str, Any] = {"order_id": order_id, "amount": amount, "currency": "EUR", "buyer": ANN, "source": "web"}
    given["payload"] = _payload(order_id, amount)
    return new(**given | {"side": OrderSide(totals=(f"EUR {amount}.00",) if amount else ())} | changes)


#: What comes first and then, and whether it is the same order.
TABLE: list[tuple[str, NewDelivery, NewDelivery, bool]] = [
    ("the shop's, then a page's under the number", shop("1500", "1001"), page("1001"), True),
    ("the same, written as people do", shop("1500", "#1001"), page("1001"), True),
    ("the page names another amount of the order", shop("1500", "1001"), page("1001", "99"), True),
    (
        "the page's order is of another amount: it may be that with the id 1001",
        shop("1500", "1001"),
        page("1001", "7"),
        False,
    ),
    ("the page's order has no amount", shop("1500", "1001"), page("1001", None), False),
    ("under the id any page's order is the same", shop("1500", "1001"), page("1500", "7"), True),
    (
        "two of the shop's, the number of one being the id of the other",
        shop("1500", "1001"),
        shop("1001", "900"),
        False,
    ),
    ("the same of one buyer and amount, later first", shop("1001", "900"), shop("1500", "1001"), False),
    ("two sources of the shop, each names it its way", shop("1500", "1001"), shop("1001", "1500"), True),
    ("a server that knows the number only", shop("1500", "1001"), shop("1001", None), True),
    ("the same, and the shop tells it later", shop("1001", None), shop("1500", "1001"), True),
    ("a server's order of another amount", shop("1500", "1001"), shop("1001", None, "7"), False),
    ("a server's order of another buyer", shop("1500", "1001"), shop("1001", None, buyer=BEN), False),
    ("a server's order without an amount", shop("1500", "1001"), shop("1001", None, None), False),
    ("two orders of one number, as two shops have them", shop("1500", "1001"), shop("1700", "1001"), False),
    ("the same order again", shop("1500", "1001"), shop("1500", "1001"), True),
]


@pytest.mark.parametrize(("first", "then", "is_same"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_orders_are_the_same_by_either_name(at: At, first: NewDelivery, then: NewDelivery, is_same: bool) -> None:  # noqa: FBT001 - a column
    ((one,), (other,)) = [await at.enqueue(each) for each in (first, then)]
    assert one.outcome is Outcome.ENQUEUED
    assert other.outcome in ({Outcome.DUPLICATE, Outcome.MERGED} if is_same else {Outcome.ENQUEUED})
    assert other.warnings == ()


async def test_a_page_that_waits_is_merged_with_the_order_of_its_number_and_no_other(at: At) -> None:
    await at.enqueue(page("1001", "7", message_id="other", wait_s=600), page("1001", message_id="same", wait_s=600))
    (told,) = await at.enqueue(shop("1500", "1001", message_id="shop"))
    assert told.outcome is Outcome.MERGED
    assert (await at.outbox.message("other")).deliveries
    (merged,) = (await at.outbox.message("same")).deliveries
    assert (merged.order_id, merged.amount, merged.is_trusted) == ("1500", "80", True)


async def test_an_order_is_found_by_its_other_name(at: At) -> None:
    await at.enqueue(shop("1500", "1001"), shop("1501", "#1002"), shop("1502", None), shop("1700", "1001"))
    assert await at.outbox.order_ids(["1001", "1002", "#1002", "1500", "none"]) == {
        "1001": ["1500", "1700"],
        "1002": ["1501"],
        "#1002": ["1501"],
    }
    assert await at.outbox.order_ids([]) == {}


async def test_the_names_of_an_order_are_found_by_its_keys(at: At) -> None:
    await at.enqueue(shop("1500", "1001"), shop("1501", None))
    assert await at.outbox.order_names(order_digests(new().ad_account_id, "1500", new().source)) == ["1001", "1500"]
    assert await at.outbox.order_names(order_digests(new().ad_account_id, "1501", new().source)) == ["1501"]
    assert await at.outbox.order_names([]) == []


async def test_an_order_that_died_lets_go_of_both_names(at: At) -> None:
    await at.dead_letter(shop("1500", "1001"))
    assert await at.outbox.order_ids(["1001"]) == {}
    (told,) = await at.enqueue(page("1001"))
    assert told.outcome is Outcome.ENQUEUED
