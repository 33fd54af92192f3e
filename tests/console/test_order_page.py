"""The page of an order: one sentence, and all that happened to it, under every name that a shop uses."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from app.core.deliveries import Delivered, NewDelivery, OrderSide, Rejected, Retry, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import AccountView
from tests.console.world import ACCOUNT, NOW, World, legible, new_delivery, open_world

OTHER = "549755885176"


def order(message_id: str, order_id: str, *, number: str | None = None, **changes: Any) -> NewDelivery:
    """An order over 112.50 EUR, which the shop tells of."""
    payload = orjson.dumps(
        {
            "event_name": "checkout",
            "event_id": message_id,
            "event_time": int(NOW) - 240,
            "action_source": "web",
            "user_data": {"em": ["a" * 64]},
            "custom_data": {"order_id": order_id, "currency": "EUR", "value": "112.50"},
        }
    )
    given: dict[str, Any] = {
        "order_id": order_id,
        "amount": "112.50",
        "currency": "EUR",
        "event_time": int(NOW) - 240,
        "payload": payload,
        "source": "shop",
        "is_trusted": True,
        "buyer": ("a" * 64,),
        "side": OrderSide(totals=("EUR 112.50",), number=number),
    }
    return new_delivery(message_id, **given | changes)


def of_page(message_id: str, order_id: str, **changes: Any) -> NewDelivery:
    """The same, as its page tells of it."""
    given: dict[str, Any] = {"source": "browser", "is_trusted": False, "wait_s": 600.0}
    return order(message_id, order_id, **given | changes)


def noted(outcome: Outcome, **changes: Any) -> DroppedEvent:
    facts = {"message_id": "m-2", "preset": "Checkout", "ad_account_id": ACCOUNT, "reason": "", "source": "shop"}
    return DroppedEvent(outcome=outcome, **(facts | {"order_id": "SO-1", "event_name": "checkout"} | changes))


async def test_the_question_whether_an_order_reached_pinterest_has_one_sentence(tmp_path: Path) -> None:
    accounts = (
        AccountView(ad_account_id=ACCOUNT, name="Shop EU", live=True),
        AccountView(ad_account_id=OTHER, name="Shop US", live=True),
    )
    async with open_world(tmp_path, accounts=accounts) as world:
        await world.enqueue(of_page("b-1", "SO-1001"))
        await world.enqueue(order("w-1", "SO-1001"))
        await world.settle(Delivered(), State.DELIVERED)
        page = await world.page("/console/order/SO-1001")
    assert (
        "Order SO-1001, 112.50 EUR, reached Shop EU 4 minutes after it was placed, merged from browser and shop."
        in page
    )
    assert "Shop US was not asked for it." in page
    steps = [
        "The order was placed",
        "Received, to be sent",
        "Received, and merged into the same delivery",
        "Sent, and Pinterest accepted it",
    ]
    places = [page.find(step) for step in steps]
    assert places == sorted(places)
    assert -1 not in places


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("1001", "1001"),
        ("1001", "#1001"),
        ("#1001", "1001"),
        ("#1001", "#1001"),
        ("1001", "1001.0"),
        ("SO-7", " SO-7 "),
        ("a/b", "a/b"),
    ],
)
async def test_an_order_has_its_page_under_each_spelling(stored: str, asked: str, world: World) -> None:
    await world.enqueue(order("w-1", stored))
    assert "112.50 EUR" in await world.page(f"/console/order/{asked.replace('#', '%23').replace('/', '%2F')}")
    found = await world.browser.post("/console/find", data={"text": asked})
    assert "/console/order/" in found.headers["location"]
    assert "112.50 EUR" in legible(await world.browser.get(found.headers["location"]))


@pytest.mark.parametrize("asked", ["1001", "%231001", "5551001"])
async def test_either_name_of_an_order_shows_the_events_of_both(asked: str, world: World) -> None:
    """The page knows the number, the shop the id."""
    await world.enqueue(of_page("b-1", "1001"))
    await world.enqueue(order("w-1", "5551001", number="#1001"))
    await world.settle(Delivered(), State.DELIVERED)
    page = await world.page(f"/console/order/{asked}")
    assert "merged from browser and shop." in page
    for message in ("b-1", "w-1"):
        assert f"/console/message?id={message}" in page


async def test_a_merged_event_leads_to_its_delivery_when_no_key_remembers_the_other_name(world: World) -> None:
    await world.enqueue(order("w-1", "5551001"))
    await world.enqueue(notes=[noted(Outcome.MERGED, order_id="77", reason="merged with delivery 1, message w-1")])
    assert "112.50 EUR, waits to be sent" in await world.page("/console/order/77")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.WITHHELD, "Order SO-1 was withheld from Pinterest: consent."),
        (Outcome.INVALID, "Order SO-1 could not be sent to Pinterest: consent."),
        (Outcome.WITHDRAWN, "Order SO-1 was withdrawn before it was sent to Pinterest: consent."),
        (Outcome.DUPLICATE, "Order SO-1 was sent before to Pinterest: consent."),
        (Outcome.MATCHED, "Order SO-1 was cancelled for Pinterest: consent."),
    ],
)
async def test_an_order_that_was_not_sent_says_why(outcome: Outcome, said: str, world: World) -> None:
    await world.enqueue(notes=[noted(outcome, reason="consent")])
    assert said in await world.page("/console/order/SO-1")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome.UNMATCHED, "Order SO-1, 5.00 EUR, matched no preset, so it was not sent to Pinterest."),
        (Outcome.WITHHELD, "Order SO-1, 5.00 EUR, was withheld from Pinterest."),
    ],
)
async def test_an_order_that_reached_no_account_says_why(outcome: Outcome, said: str, world: World) -> None:
    note = noted(outcome, ad_account_id=None, preset=None, amount="5", currency="EUR")
    await world.enqueue(notes=[note])
    assert said in await world.page("/console/order/SO-1")


async def test_an_ad_account_without_a_destination_keeps_its_orders(world: World) -> None:
    await world.enqueue(order("w-1", "SO-1", ad_account_id=OTHER))
    assert f"waits to be sent to {OTHER}." in await world.page("/console/order/SO-1")


@pytest.mark.parametrize("waits", [{"wait_s": 600.0}, {"hold_s": 600.0}])
async def test_an_order_that_waits_or_is_held_is_tried_for_the_first_time(waits: dict[str, Any], world: World) -> None:
    await world.enqueue(order("w-1", "SO-1", **waits))
    page = await world.page("/console/order/SO-1")
    assert "Leaves then at the latest, unless it is cancelled before" in page
    assert "Next try" not in page


async def test_each_state_of_a_delivery_is_said(world: World) -> None:
    await world.enqueue(order("w-1", "SO-1"))
    assert "Order SO-1, 112.50 EUR, waits to be sent to Pinterest." in await world.page("/console/order/SO-1")
    await world.settle(Retry(reason="HTTP 503", status=503), State.PENDING, due_at=NOW)
    page = await world.page("/console/order/SO-1")
    assert "Sent, and to be tried again" in page
    await world.outbox.claim(ACCOUNT, limit=1, max_bytes=1_000_000, max_wait_s=0, lease_s=0, now=NOW)
    assert "Order SO-1, 112.50 EUR, is being sent to Pinterest" in await world.page("/console/order/SO-1")
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    assert "Order SO-1, 112.50 EUR, did not reach Pinterest: bad currency." in await world.page("/console/order/SO-1")
    world.now += 60
    await world.browser.post("/console/deliveries/redrive", data={"delivery_id": "1"})
    assert "Put back to be sent again" in await world.page("/console/order/SO-1")
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    await world.browser.post("/console/deliveries/dismiss", data={"delivery_id": "1", "because": "sent by hand"})
    page = await world.page("/console/order/SO-1")
    assert "was dismissed and does not reach Pinterest: bad currency" in page
    assert "sent by hand" in page
    assert "Dismissed" in page


async def test_an_unknown_order_says_what_that_means(world: World) -> None:
    page = await world.page("/console/order/SO-9", status=404)
    assert "its event has not arrived" in page


async def test_what_only_names_an_order_does_not_say_that_it_was_placed(world: World) -> None:
    await world.enqueue(order("m-0", "SO-1", event_name="initiate_checkout", side=None))
    await world.settle(Delivered(), State.DELIVERED)
    found = await world.browser.post("/console/find", data={"text": "SO-1"})
    page = legible(await world.browser.get(found.headers["location"]))
    assert "Nothing says that order SO-1 was placed: events that only name it arrived." in page
    assert "Sent, and Pinterest accepted it" in page
    assert "The order was placed" not in page

    await world.enqueue(order("m-1", "SO-1", event_time=int(NOW) - 60))
    await world.settle(Delivered(), State.DELIVERED)
    assert "Order SO-1, 112.50 EUR, reached" in (page := await world.page("/console/order/SO-1"))
    assert "initiate_checkout" in page
