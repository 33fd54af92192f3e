"""A signature covers the body alone: what a body of a shop does that is sent again under another topic."""

from functools import cache
from typing import Any

import orjson
import yaml

from app import assemble
from app.core.events import Outcome
from app.errors import EventRefused
from app.pipeline.pipeline import Pipeline
from tests.assembled import settings, shipped_catalog
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW

SHOPIFY = yaml.safe_load((ROOT / "sources/shopify.yaml").read_text("utf-8"))
WOOCOMMERCE = yaml.safe_load((ROOT / "sources/woocommerce.yaml").read_text("utf-8"))
#: Bodies as the shop signs them, by what they are.
BODIES: dict[str, Any] = {each["headers"]["X-Shopify-Topic"]: each["event"] for each in SHOPIFY["tests"]}
ORDER = BODIES["orders/paid"]
BODIES |= {
    "orders/create": ORDER | {"financial_status": "pending"},
    "checkouts/create": {"id": 1, "token": "t", "email": "ann@shop.example", "total_price": "9.00", "currency": "USD"},
    "draft_orders/create": {"id": 2, "name": "#D2", "status": "open", "line_items": [], "currency": "USD"},
    "refunds/create": {"id": 3, "order_id": ORDER["id"], "note": None, "transactions": []},
    "carts/create": {"id": "c", "token": "c", "line_items": []},
    "customers/data_request": {"shop_id": 1, "shop_domain": "a.b", "customer": {"id": 7}, "orders_requested": [1]},
}
TOPICS = [event["subscribe"].split('"')[1] for event in SHOPIFY["events"]]
#: What is not refused, and why it does no harm.
HARMLESS = {
    ("orders/cancelled", "orders/paid"): "its event says that it is no purchase, and is withheld",
    ("orders/create", "orders/paid"): "its event says that it is not paid, and is withheld",
    ("carts/create", "checkouts/create"): "a cart names no buyer",
}


@cache
def pipeline() -> Pipeline:
    return assemble.pipeline(settings(), shipped_catalog())


def told(source: str, headers: dict[str, str], body: Any) -> list[Any]:
    headers = {"Content-Type": "application/json"} | headers
    return pipeline().preview_request(source, orjson.dumps(body), headers, now=NOW)


@every_row("topic", TOPICS)
@every_row("signed_as", BODIES)
def test_a_body_of_shopify_under_another_topic_changes_nothing(signed_as: str, topic: str) -> None:
    """An order's body withdrew the order as `orders/cancelled`, and erased its buyer as `customers/redact`."""
    (found,) = told("shopify", {"X-Shopify-Topic": topic}, BODIES[signed_as])
    if signed_as == topic:
        assert not isinstance(found, EventRefused), found
    elif (signed_as, topic) in HARMLESS:
        assert not isinstance(found, EventRefused)
        assert {line.outcome for line in found} <= {Outcome.WITHHELD, Outcome.INVALID, Outcome.UNMATCHED}
    else:
        assert isinstance(found, EventRefused)
        assert "the record has not the form of" in found.reason
        assert "does not hold" in found.reason


def test_the_error_names_the_event_and_what_the_body_lacks() -> None:
    (found,) = told("shopify", {"X-Shopify-Topic": "orders/cancelled"}, ORDER)
    assert isinstance(found, EventRefused)
    assert found.reason == (
        'the record has not the form of "An order is cancelled": body.cancelled_at != null does not hold; '
        "it was sent under another name, or its webhook leaves fields out"
    )


@every_row("topic", ["order.created", "order.updated", "order.deleted", "product.updated"])
@every_row("body", [each["event"] for each in WOOCOMMERCE["tests"]], ids=lambda body: body["status"])
def test_a_body_of_woocommerce_says_itself_what_became_of_the_order(body: dict[str, Any], topic: str) -> None:
    """No topic makes a paid order a cancelled one, or the other way round: the signed status decides."""
    (found,) = told("woocommerce", {"X-WC-Webhook-Topic": topic}, body)
    is_sent = not isinstance(found, EventRefused) and any(line.outcome is Outcome.ENQUEUED for line in found)
    assert not (is_sent and body["status"] not in {"processing", "completed"})
    cancelled = topic == "order.updated" and body["status"] in {"cancelled", "refunded"}
    paid = topic in {"order.created", "order.updated"} and body["status"] in {"processing", "completed"}
    assert isinstance(found, EventRefused) is not (cancelled or paid)
