"""The ledger can account for every order, by whatever outcome it left: its id, amount and currency are kept."""

from collections import Counter
from hashlib import sha256
from typing import Any

import pytest

from app.core.deliveries import Withdrawal
from app.core.pages import Message
from app.errors import EventHeldBack
from app.source import Intake
from tests import assembled
from tests.outbox.build import ACCOUNT, NOW, At

PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
REFUSED = {"consent": {"categoryPreferences": {"ads": False}}}
ADDRESS = "order of ann@shop.example"
DIGEST = sha256(ADDRESS.encode()).hexdigest()
#: How an order differs from the plain one of 25 EUR, by which outcome it leaves, and what is kept of its id and total.
EXITS: list[tuple[dict[str, Any], str, tuple[str | None, ...]]] = [
    ({}, "delivered", ("checkout", "SO-0", "25", "EUR")),
    ({"properties": {"revenue": "1,299.50"}}, "dead", ("checkout", "SO-1", "1299.5", "EUR")),
    ({"properties": {"currency": None}}, "withdrawn", ("checkout", "SO-2", "25", "USD")),
    ({"properties": {"order_id": "SO-0"}}, "duplicate", ("checkout", "SO-0", "25", "EUR")),
    ({"context": {}}, "invalid", ("checkout", "SO-4", "25", "EUR")),
    ({"context": {}, "properties": {"order_id": ADDRESS}}, "invalid", ("checkout", DIGEST, "25", "EUR")),
    ({"properties": {"revenue": -25}}, "invalid", ("checkout", "SO-6", None, "EUR")),
    ({"properties": {"revenue": "much", "total": 30}, "context": {}}, "invalid", ("checkout", "SO-7", "30", "EUR")),
    ({"context": REFUSED | PERSON}, "withheld", ("checkout", "SO-8", "25", "EUR")),
    ({"properties": {"test": True}}, "withheld", ("checkout", "SO-9", "25", "EUR")),
    ({"properties": {"status": "cancelled"}}, "withheld", ("checkout", "SO-10", "25", "EUR")),
    ({"event": "Purchase Made"}, "unmatched", (None, "SO-11", "25", "EUR")),
    ({"source": "shop"}, "withheld", ("checkout", "SO-12", "25", "EUR")),
    ({"type": "page", "context": {}}, "invalid", ("page_visit", "SO-13", "25", "EUR")),
    ({"event": "Checkout Started", "context": {}}, "invalid", ("initiate_checkout", "SO-14", "25", "EUR")),
    ({"event": "Checkout Started"}, "claimed", ("initiate_checkout", "SO-15", "25", "EUR")),
    ({"event": "Checkout Started", "properties": {"order_id": None}, "context": {}}, "invalid", (None,) * 4),
    ({"event": "Seen", "properties": {"order_id": None}}, "", ()),
    ({"event": "Seen", "properties": "nothing"}, "", ()),
]


def order(number: int, changes: dict[str, Any]) -> dict[str, Any]:
    """One event, which differs so from the plain order of its number."""
    given = {"order_id": f"SO-{number}", "revenue": 25, "currency": "EUR"}
    properties = changes.get("properties", {})
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m-{number}",
        "timestamp": NOW,
        "context": PERSON,
        **{name: value for name, value in changes.items() if name != "source"},
        "properties": {**given, **properties} if isinstance(properties, dict) else properties,
    }


def known(message: Message) -> tuple[str, tuple[str | None, ...]]:
    """By which outcome, or in which state, a message left, and what is kept of its order; nothing where none is."""
    kept = [(each.state.value, each) for each in message.deliveries]
    noted = [(note.outcome.value, note) for _, note in message.dropped_events]
    if not (found := kept + noted):
        return "", ()
    ((outcome, one),) = found
    return outcome, (one.event_name, one.order_id, one.amount, one.currency)


@pytest.mark.slow
async def test_an_order_is_known_by_every_exit(at: At) -> None:
    live: dict[str, Any] = {"pinterest_ad_account_id": ACCOUNT, "pinterest_conversion_token": "t" * 20}
    pipeline = assembled.pipeline(outbox=at.outbox, consent_categories=("ads",), default_currency="USD", **live)
    for number, (changes, _, _) in enumerate(EXITS):
        event = order(number, changes)
        off = EventHeldBack("the source is switched off", event)
        await pipeline.accept(Intake([off if "source" in changes else event], now=NOW))
    withdrawal = Withdrawal(ad_account_id=ACCOUNT, preset="Order Completed", order_id="SO-2", message_id="cancelled")
    await at.outbox.withdraw([withdrawal], now=NOW)
    claimed = {each.message_id: each for each in await at.claim()}
    await at.deliver(claimed["m-0"])
    await at.kill(claimed["m-1"])

    listed = [row async for rows in at.outbox.orders_since(NOW - 60) for row in rows]
    assert Counter(row[1:2] + row[:1] + row[3:5] for row in listed) == Counter(
        (outcome, *told[1:]) for _, outcome, told in EXITS if told[:1] == ("checkout",) or outcome == "unmatched"
    )
    assert {(row.source, row.at) for row in listed} == {("default", NOW)}
    assert [rows async for rows in at.outbox.orders_since(NOW + 60)] == [[], []]

    found = [known(await at.outbox.message(f"m-{number}")) for number in range(len(EXITS))]
    assert found == [(outcome, told) for _, outcome, told in EXITS]
