"""Builders of what a page and a shop tell of one order."""

from typing import Any

import orjson

from app.core.deliveries import NewDelivery, OrderSide
from tests.outbox.build import NOW, new

WAIT_S = 600.0


def _event(
    order_id: str | None, event_id: str, amount: str | None, currency: str, *, opt_out: bool = False, **user_data: Any
) -> bytes:
    custom_data = {"order_id": order_id, "currency": currency} | ({"value": amount} if amount else {})
    event = {"event_name": "checkout", "event_id": event_id, "event_time": int(NOW), "action_source": "web"}
    flags = {"opt_out": True} if opt_out else {}
    return orjson.dumps({**event, **flags, "user_data": user_data, "custom_data": custom_data})


def page(
    amount: str | None = "249.00", *, currency: str = "USD", event_id: str = "tag-1", **changes: Any
) -> NewDelivery:
    """What a page tells of an order, by a public key; it waits for the shop."""
    order_id = changes.get("order_id", "SO-1")
    side = OrderSide(
        token=changes.pop("token", None),
        totals=(f"{currency} {amount}",) if amount else (),
        names_event_id=event_id.startswith("tag"),
        facts=changes.pop("facts", ()),
        at=changes.pop("at", None),
    )
    payload = _event(
        order_id, event_id, amount, currency, opt_out=changes.pop("opt_out", False), click_id=f"dj0-{event_id}"
    )
    standard = {
        "message_id": f"web-{event_id}-{amount}",
        "event_id": event_id,
        "order_id": order_id,
        "amount": amount,
        "currency": currency,
        "payload": payload,
        "side": side,
        "wait_s": WAIT_S,
        "source": "web",
    }
    return new(**(standard | changes))


def shop(
    amount: str = "249.00", *names: str, currency: str = "USD", event_id: str = "shop-1", **changes: Any
) -> NewDelivery:
    """What the shop tells of an order, by a secret; it names amounts beside that which is sent, with their currency."""
    order_id = changes.get("order_id", "SO-1")
    facts, created = changes.pop("facts", ()), changes.pop("at", None)
    side = OrderSide(token=changes.pop("token", None), totals=(f"{currency} {amount}", *names), facts=facts, at=created)
    standard = {
        "message_id": f"message-{event_id}",
        "event_id": event_id,
        "order_id": order_id,
        "amount": amount,
        "currency": currency,
        "payload": _event(order_id, event_id, amount, currency, em=["a" * 64]),
        "side": side,
        "wait_s": WAIT_S,
        "is_trusted": True,
        "source": "shop",
    }
    return new(**(standard | changes))
