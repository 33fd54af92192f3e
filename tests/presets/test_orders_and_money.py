"""Orders and their money as shops send them, through the shipped presets: what is sent of each, and what is told."""

from collections.abc import Callable
from typing import Any

import pytest

from app.destination import report_conversion_event
from app.errors import EventInvalid
from tests.presets.conftest import Make

STOOL = {"product_id": "OA-1", "price": 45, "quantity": 1}
BOTH = {
    "shop_money": {"amount": "25.00", "currency_code": "USD"},
    "presentment_money": {"amount": "23.10", "currency_code": "EUR"},
}
Judge = Callable[[dict[str, Any]], tuple[dict[str, Any], str]]


@pytest.fixture
def judge(fields_of: Make) -> Judge:
    """`judge(properties)` gives custom_data of such an order, and all that is told of it as one text."""

    def make(properties: dict[str, Any]) -> tuple[dict[str, Any], str]:
        fields = fields_of(properties={"order_id": "SO-1", **properties}, context={"traits": {"email": "a@b.example"}})
        event, warnings = report_conversion_event(fields, now=None)
        return event["custom_data"], "\n".join(warnings)

    return make


ORDERS = [
    # what the order says, value and currency as sent, what a warning says
    ({"revenue": "1,23,4", "total": 10, "currency": "USD"}, ("10", "USD"), "custom_data.value (properties.revenue)"),
    ({"revenue": "1,234", "total": "1234.500", "currency": "KWD"}, ("1234.5", "KWD"), "custom_data.value (properties."),
    ({"revenue": "free", "subtotal": "€25", "currency": "USD"}, ("25", "EUR"), "currency: USD left out, the value"),
    ({"revenue": BOTH, "currency": "EUR"}, ("25", "USD"), "currency: EUR left out, the value is written in USD"),
    ({"subtotal": {"amount": 2550, "currency": "USD", "exponent": 2}}, ("25.5", "USD"), ""),
    # 150,000 less 15,000 rupiah
    ({"total": "150.000", "tax": "15.000", "shipping": 0, "currency": "IDR"}, ("135000", "IDR"), "read as 135000"),
    # twice 3,500 pesos; "1,000" pieces are one
    ({"products": [STOOL | {"price": "3.500", "quantity": 2}], "currency": "CLP"}, ("7000", "CLP"), "3500"),
    ({"products": [STOOL | {"quantity": "1,000"}], "currency": "USD"}, ("45", "USD"), '"1,000" sent as 1'),
    ({"total": "25.00 USD", "tax": "5.00", "shipping": 0, "currency": "EUR"}, ("20", "USD"), "EUR left out"),
    # dollars and euros are not subtracted: the total less postage
    ({"total": "25 USD", "tax": "5 EUR", "shipping": 3}, ("22", "USD"), "it cannot be put together with the others"),
    # 10 less 2 and 12 is no refund, it is no sum: 10 less 2
    ({"total": 10, "tax": 2, "shipping": 12, "currency": "USD"}, ("8", "USD"), "an amount cannot be negative"),
    ({"revenue": 0, "currency": "USD"}, ("0", "USD"), ""),
    # 30 less 4 and 5; WooCommerce's `shipping` is an address, and no place is looked at behind the one that is sent
    (
        {"total": "30", "total_tax": 4, "shipping_total": 5, "shipping": {"method": "parcel"}, "currency": "USD"},
        ("21", "USD"),
        "",
    ),
]


@pytest.mark.parametrize(("properties", "sent", "told"), ORDERS)
def test_an_order_is_sent_with_the_first_amount_that_can_be_read(
    properties: dict[str, Any], sent: tuple[str, str], told: str, judge: Judge
) -> None:
    custom_data, warnings = judge(properties)

    assert (custom_data.get("value"), custom_data.get("currency")) == sent
    assert told in warnings
    assert bool(told) == bool(warnings)


JPY_500 = {"product_id": "a", "price": 500, "currency": "JPY"}
USD_6 = {"product_id": "b", "price": 6, "currency": "USD"}
PLAIN_5 = {"product_id": "c", "price": 5}
NO_SUM = "it cannot be put together with the others"
IN_USD = "contents[{}].item_price: a number left out, it is in USD, {} is sent"
PRICED = [
    # what the order says beside its products, these, value and currency as sent, the prices, what a warning says
    ({}, [JPY_500, USD_6], (None, "JPY"), ["500", None], [NO_SUM, IN_USD.format(1, "JPY")]),
    ({"currency": "EUR"}, [USD_6], ("6", "USD"), ["6"], ["EUR left out, the value is written in USD"]),
    ({"currency": "EUR", "revenue": 9}, [USD_6, PLAIN_5], ("9", "EUR"), [None, "5"], [IN_USD]),
    ({"currency": "USD"}, [USD_6 | {"quantity": 2}, PLAIN_5], ("17", "USD"), ["6", "5"], []),
    ({}, [USD_6, PLAIN_5], ("11", "USD"), ["6", "5"], []),
    # What names no currency is in that of the order: 5 euros and 6 dollars are no sum; nothing is nothing in both.
    ({"currency": "EUR"}, [USD_6, PLAIN_5], (None, "EUR"), [None, "5"], ["value: ", IN_USD]),
    ({"currency": "EUR", "value": 9}, [USD_6, PLAIN_5], ("9", "EUR"), [None, "5"], [IN_USD]),
    ({"currency": "USD"}, [USD_6, PLAIN_5 | {"price": 0}], ("6", "USD"), ["6", "0"], []),
    # The price's own currency wins over the one beside it.
    ({"currency": "EUR"}, [USD_6 | {"price": "€6"}], ("6", "EUR"), ["6"], ['"€6" read as 6 EUR']),
    ({"currency": "EUR"}, [USD_6 | {"price": {"amount": 6, "currency": "EUR"}}], ("6", "EUR"), ["6"], []),
    ({"currency": "EUR", "revenue": 9}, [USD_6 | {"price": {"amount": 6}}], ("9", "EUR"), [None], ["it is in USD"]),
    ({"currency": "JPY"}, [JPY_500 | {"price": "1.500"}], ("1500", "JPY"), ["1500"], ['"1.500" read as 1500 JPY']),
    # In other spellings; a sign that several have says nothing, and what is no currency is no money.
    ({"currency": "EUR", "revenue": 9}, [PLAIN_5 | {"currencyCode": "USD"}], ("9", "EUR"), [None], [IN_USD]),
    ({"currency": "EUR", "revenue": 9}, [PLAIN_5 | {"currency_code": "US$"}], ("9", "EUR"), [None], [IN_USD]),
    ({"currency": "EUR", "revenue": 9}, [PLAIN_5 | {"currency": "eur"}], ("9", "EUR"), ["5"], []),
    ({"currency": "EUR"}, [PLAIN_5 | {"currency": "$"}], ("5", "EUR"), ["5"], []),
    ({"currency": "EUR", "revenue": 9}, [PLAIN_5 | {"currency": 840}], ("9", "EUR"), ["5"], []),
    *[
        ({"currency": "EUR"}, [PLAIN_5 | {"currency": nothing}], ("5", "EUR"), ["5"], [])
        for nothing in ("-", "unknown", "{{ shop.currency }}", "[object Object]", "Euro (EUR)", "US Dollar")
    ],
    ({"currency": "USD"}, [PLAIN_5 | {"currency": "unknown", "currencyCode": "USD"}], ("5", "USD"), ["5"], []),
    ({"currency": "EUR", "revenue": 9}, [PLAIN_5 | {"currency": "points"}], ("9", "EUR"), [None], ["without guessing"]),
]


@pytest.mark.parametrize("name", ["products", "line_items", "items"])
@pytest.mark.parametrize(("properties", "products", "sent", "prices", "told"), PRICED)
def test_no_price_is_sent_under_another_currency_than_its_own(
    name: str,
    properties: dict[str, Any],
    products: list[dict[str, Any]],
    sent: tuple[str | None, str],
    prices: list[str | None],
    told: list[str],
    judge: Judge,
) -> None:
    custom_data, warnings = judge({name: products, **properties})

    assert (custom_data.get("value"), custom_data.get("currency")) == sent
    assert [content.get("item_price") for content in custom_data["contents"]] == prices
    for text in told:
        assert text.format(0, "EUR") in warnings
    assert bool(told) == bool(warnings)


@pytest.mark.parametrize(
    "properties",
    [
        {"revenue": -50},
        {"total": "-€50.00"},
        {"revenue": "n/a", "total": -50},
        # What could be computed, or stands in a later place, does not make it a purchase.
        {"total": -50, "products": [STOOL]},
        {"total": "-50", "tax": -5, "shipping": 0, "products": [STOOL]},
        {"value": -50, "total": 5, "subtotal": 5},
        {"subtotal": -50, "total": 5, "tax": -8, "taxes_included": True},
    ],
)
def test_of_the_amounts_that_were_written_the_first_says_whether_it_is_a_refund(
    properties: dict[str, Any], judge: Judge
) -> None:
    with pytest.raises(EventInvalid, match=r"^a refund, not a purchase$"):
        judge(properties)


@pytest.mark.parametrize(
    ("properties", "lacks"),
    [
        ({"value": 5, "currency": "USD", "order_id": " undefined "}, "order_id"),
        ({"currency": "USD"}, "value"),
        ({"value": 5}, "currency"),
        ({"value": 5, "currency": "euro"}, "currency"),
    ],
)
def test_an_order_that_lacks_something_is_sent_and_says_so(
    properties: dict[str, Any], lacks: str, judge: Judge
) -> None:
    custom_data, warnings = judge(properties)

    assert lacks not in custom_data
    assert f"checkout without {lacks}: " in warnings


def test_an_order_id_is_sent_without_the_blanks_around_it(judge: Judge) -> None:
    assert judge({"order_id": "\tSO-7 ", "value": 5, "currency": "USD"})[0]["order_id"] == "SO-7"
