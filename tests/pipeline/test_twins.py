"""What one side says of an order: its token, its totals, its own event id, and whether another side comes."""

from hashlib import sha256
from typing import Any

import pytest

from app.core.deliveries import OrderSide
from app.pipeline.twins import leave_out_staff, order_side
from tests.rows import every_row


def side(properties: Any, *, is_trusted: bool, sent: dict[str, Any] | None = None, **event: Any) -> OrderSide:
    built = {"event_id": "m-1", "action_source": "web", **(sent or {})}
    given = {"type": "track", "messageId": "m-1", "properties": properties, **event}
    return order_side(given, built, message_id="m-1", is_trusted=is_trusted)


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


TOKENS: list[tuple[str, Any, str | None]] = [
    ("Shopify's webhook", {"checkout_token": "bd5a8aa1"}, "bd5a8aa1"),
    ("Shopify's pixel", {"checkout": {"token": "bd5a8aa1"}}, "bd5a8aa1"),
    ("WooCommerce's order", {"order_key": "wc_order_Ab1"}, "wc_order_Ab1"),
    ("blanks around it", {"checkout_token": " bd5a8aa1 "}, "bd5a8aa1"),
    ("a list of one", {"checkoutToken": ["bd5a8aa1"]}, "bd5a8aa1"),
    ("a number", {"checkout_token": 7712}, "7712"),
    ("the first usable", {"checkout_token": "null", "order_key": "wc_order_Ab1"}, "wc_order_Ab1"),
    ("a placeholder", {"checkout_token": "{{ checkout.token }}"}, None),
    ("an object", {"checkout_token": {"id": 1}, "checkout": "bd5a8aa1"}, None),
    ("the id of a checkout is no token", {"checkout_id": "bd5a8aa1", "cart_token": "x"}, None),
    ("no properties", [], None),
]


@every_row(("properties", "token"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
@every_row("is_trusted", [True, False])
def test_the_token_is_kept_as_its_digest(properties: Any, token: str | None, *, is_trusted: bool) -> None:
    assert side(properties, is_trusted=is_trusted).token == (token and digest(token))


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://shop.example/checkout/order-received/77/?key=wc_order_Ab1&utm=x", "wc_order_Ab1"),
        ("https://shop.example/checkout/order-received/77/?a=b&key=wc_order_Ab1", "wc_order_Ab1"),
        ("https://shop.example/?key=other", None),
        (7, None),
    ],
)
def test_the_key_of_an_order_of_woocommerce_is_read_from_its_page(url: Any, token: str | None) -> None:
    assert side({}, is_trusted=False, context={"page": {"url": url}}).token == (token and digest(token))


def test_the_token_of_one_that_cannot_be_written_is_kept_too() -> None:
    assert side({"checkout_token": "\ud800"}, is_trusted=False).token


#: What a public event says, and its one total.
PUBLIC: list[tuple[str, Any, str | None, str | None]] = [
    ("total first", {"total": 119, "revenue": 100, "currency": "USD"}, None, "USD 119.00"),
    ("then revenue", {"revenue": 100, "value": 90, "currency": "usd"}, None, "USD 100.00"),
    ("then value", {"value": "90.5", "subtotal": 80, "currency": "USD"}, None, "USD 90.50"),
    ("then subtotal", {"subtotal": 80, "currency": "USD"}, None, "USD 80.00"),
    ("what cannot be read is passed over", {"total": "n/a", "revenue": 100, "currency": "USD"}, None, "USD 100.00"),
    ("a negative one is passed over", {"total": -5, "revenue": 100, "currency": "USD"}, None, "USD 100.00"),
    ("so is one too large", {"total": "1e999", "value": 100, "currency": "USD"}, None, "USD 100.00"),
    ("its own currency wins", {"total": "25.00 EUR", "currency": "USD"}, None, "EUR 25.00"),
    ("an object of money", {"total": {"amount": "54", "currencyCode": "EUR"}}, None, "EUR 54.00"),
    ("the currency as it is sent", {"total": 25}, "GBP", "GBP 25.00"),
    ("rounded to the cent", {"total": 0.1 + 0.2, "currency": "USD"}, None, "USD 0.30"),
    ("half a cent up", {"total": "1.005", "currency": "USD"}, None, "USD 1.01"),
    ("thousandths where the currency has them", {"total": 1.2345, "currency": "KWD"}, None, "KWD 1.235"),
    ("nothing paid", {"total": 0, "currency": "USD"}, None, "USD 0.00"),
    ("no currency", {"total": 25}, None, None),
    ("no amount", {"currency": "USD"}, "USD", None),
]


@every_row(("properties", "sent", "total"), [row[1:] for row in PUBLIC], ids=[row[0] for row in PUBLIC])
def test_a_public_side_has_its_first_readable_total(properties: Any, sent: str | None, total: str | None) -> None:
    found = side(properties, is_trusted=False, sent={"custom_data": {"currency": sent}} if sent else None)

    assert found.totals == ((total,) if total else ())


#: What a trusted event names, and amounts of which some bind and some do not.
TRUSTED: list[tuple[str, Any, str, str]] = [
    (
        "total and subtotal with and without each part",
        {"total": 119, "subtotal": 90, "tax": 19, "shipping": 10, "currency": "USD"},
        "119 90 100 109 138 129 148 71 80 99 61",
        "118.99 19 10 29 91",
    ),
    ("a discount", {"total": 80, "discount": 20, "currency": "USD"}, "80 100 60", "40 120 20"),
    ("a gift card", {"subtotal": 50, "gift_card": 12.5, "currency": "USD"}, "50 37.5 62.5", "25 12.5 75"),
    ("nothing twice", {"total": 100, "tax": 10, "currency": "USD"}, "100 90 110", "80 120"),
    ("revenue as well", {"revenue": 100, "tax": 19, "currency": "USD"}, "100 119 81", "19"),
    ("parts alone name no total", {"tax": 19, "shipping": 5, "currency": "USD"}, "", "19 5 24 0"),
    (
        "zero where a total of zero is given",
        {"total": 0, "subtotal": 20, "discount": 20, "currency": "USD"},
        "0 20",
        "",
    ),
    ("no zero that is computed", {"total": 20, "discount": 20, "currency": "USD"}, "20 40", "0"),
    ("no zero of a subtotal", {"subtotal": 0, "shipping": 5, "currency": "USD"}, "5", "0"),
    ("nothing below zero", {"total": 5, "tax": 9, "currency": "USD"}, "5 14", "-4 4"),
    ("tax in another currency is no part", {"total": 100, "tax": "19 EUR", "currency": "USD"}, "100", "119 81"),
]


@every_row(("properties", "bound", "unbound"), [row[1:] for row in TRUSTED], ids=[row[0] for row in TRUSTED])
def test_a_trusted_side_has_every_amount_that_it_names(properties: Any, bound: str, unbound: str) -> None:
    totals = side(properties, is_trusted=True).totals

    assert [each for each in bound.split() if f"USD {float(each):.2f}" not in totals] == []
    assert [each for each in unbound.split() if f"USD {float(each):.2f}" in totals] == []


def money(shop: str, presentment: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": "USD"},
        "presentment_money": {"amount": presentment, "currency_code": "EUR"},
    }


def test_an_order_of_shopify_names_its_amounts_in_both_moneys() -> None:
    body = {
        "currency": "USD",
        "presentment_currency": "EUR",
        "total_price": "59.00",
        "total_price_set": money("59.00", "54.00"),
        "subtotal_price_set": money("48.00", "44.00"),
        "total_tax": "5.00",
        "total_tax_set": money("5.00", "4.50"),
        "total_shipping_price_set": money("6.00", "5.50"),
    }

    totals = side(body, is_trusted=True, sent={"custom_data": {"currency": "EUR"}}).totals

    assert {"USD 59.00", "USD 54.00", "USD 53.00", "USD 48.00"} <= {*totals}
    assert {"EUR 54.00", "EUR 49.50", "EUR 48.50", "EUR 44.00"} <= {*totals}
    assert not {"EUR 59.00", "USD 44.00"} & {*totals}


@every_row(
    ("properties", "event_id", "named"),
    [
        ({"event_id": "tag-1"}, "tag-1", True),
        ({"eventID": "m-1"}, "m-1", True),
        ({"event_id": "pending"}, "m-1", False),
        ({}, "m-1", False),
        ({}, "order-7-by-the-preset", True),
    ],
)
def test_an_event_names_its_id_itself_where_it_is_not_that_of_its_message(
    properties: Any, event_id: str, *, named: bool
) -> None:
    assert side(properties, is_trusted=False, sent={"event_id": event_id}).names_event_id is named


@every_row(
    ("properties", "sent", "waits"),
    [
        ({"source_name": "web"}, {}, True),
        ({"source_name": "pos"}, {}, False),
        ({"source_name": "shopify_draft_order"}, {}, False),
        ({"source_name": "subscription_contract_checkout_one"}, {}, False),
        ({"created_via": "checkout"}, {}, True),
        ({"order_channel": "pos"}, {}, False),
        ({"order_channel": "Renewal"}, {}, False),
        ({"order_channel": "manual"}, {}, False),
        # the channel counts before the names that it was made of
        ({"order_channel": "web", "source_name": "shopify_draft_order"}, {}, True),
        ({"order_channel": "shopify_draft_order", "source_name": "shopify_draft_order"}, {}, True),
        ({"created_via": " Admin "}, {}, False),
        ({"created_via": 7}, {}, True),
        ({}, {"action_source": "offline"}, False),
    ],
)
def test_only_a_trusted_side_says_that_no_other_side_comes(
    properties: Any, sent: dict[str, Any], *, waits: bool
) -> None:
    assert side(properties, is_trusted=True, sent=sent).waits is waits
    assert side(properties, is_trusted=False, sent=sent).waits


STAFF = {"client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla/5.0"}


@every_row(
    ("properties", "user_data", "left", "fault"),
    [
        ({"source_name": "pos"}, {"em": ["a"], **STAFF}, {"em": ["a"]}, False),
        ({"created_via": "admin"}, {"hashed_maids": ["a"], **STAFF}, {"hashed_maids": ["a"]}, False),
        ({"source_name": "pos"}, STAFF, {}, True),
        ({"source_name": "pos"}, {"em": ["a"]}, {"em": ["a"]}, False),
        ({"source_name": "web"}, STAFF, STAFF, False),
        ({"order_channel": "manual"}, {"em": ["a"], "click_id": "dj0", **STAFF}, {"em": ["a"]}, False),
        ({"order_channel": "web", "source_name": "pos"}, STAFF, STAFF, False),
        ({}, STAFF, STAFF, False),
    ],
)
def test_address_and_browser_of_staff_are_not_sent(
    properties: Any, user_data: dict[str, Any], left: dict[str, Any], *, fault: bool
) -> None:
    built = {"user_data": {**user_data}}

    reason, warnings = leave_out_staff({"properties": properties}, built)

    assert built["user_data"] == left
    assert (reason is not None) is fault
    assert bool(warnings) is (left != user_data and not fault)


#: What a shop's event says, the order id that is sent, and the other name of the order.
NAMES: list[tuple[str, Any, str | None, str | None]] = [
    ("WooCommerce: its id is sent", {"id": 1500, "number": "1001", "order_id": 1500}, "1500", "1001"),
    ("WooCommerce without a plugin for numbers", {"id": 727, "number": "727"}, "727", None),
    ("Shopify: its number is sent", {"id": 5001, "order_number": 1001, "name": "#1001"}, "1001", "5001"),
    ("the sign before a number makes no name", {"number": "#1001"}, "1001", None),
    ("nothing that can be read", {"number": {"a": 1}, "id": None}, "1001", None),
    ("no order id is sent", {"id": 5001}, None, None),
    ("no properties", [], "1001", None),
]


@every_row(("properties", "sent", "number"), [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
def test_a_shop_names_an_order_by_its_id_and_its_number(properties: Any, sent: str | None, number: str | None) -> None:
    given = {"custom_data": {"order_id": sent} if sent else {}}
    assert side(properties, is_trusted=True, sent=given).number == number
    assert side(properties, is_trusted=False, sent=given).number is None
