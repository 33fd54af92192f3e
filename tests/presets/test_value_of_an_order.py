"""An order is sent with what was paid: the first of revenue, value, subtotal, total less tax and shipping, the products
less discount, total that can be read; and the products never for more than a given total.
"""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent
from tests.assembled import shipped_catalog
from tests.presets.conftest import Make
from tests.rounds import examples
from tests.rows import every_row
from tests.sources.test_shipped_files import sent

LISTS = ["products", "items", "line_items", "contents"]
AT_100 = [{"product_id": "OA-1", "price": 100}]
#: 60 and twice 20: 100.
AT_60_20_20 = [{"id": "OA-1", "price": "60.00"}, {"id": "OA-2", "price": 20, "quantity": "2"}]
SET = {"shop_money": {"amount": "100.00", "currency_code": "USD"}}
NOTHING: list[Any] = [None, "", "n/a", 0, "0.00", False, []]

#: What the order says beside products that are worth 100, and the value that is sent.
CASES: list[tuple[dict[str, Any], str]] = [
    # one amount
    ({}, "100"),
    ({"revenue": 80}, "80"),
    ({"value": 80}, "80"),
    ({"subtotal": 80}, "80"),
    ({"subtotal_price": "80.00"}, "80"),
    ({"total": 80}, "80"),
    ({"total_price": "80.00"}, "80"),
    ({"current_total_price": "80.00"}, "80"),
    ({"discount": 20}, "80"),
    ({"total_discounts": "20.00"}, "80"),
    # the total is no bound of what is less: tax or shipping may be in it
    ({"total": 120}, "100"),
    ({"total": 0}, "0"),
    # revenue, value, subtotal, in this order
    ({"revenue": 80, "value": 81, "subtotal": 82, "total": 90, "tax": 5}, "80"),
    ({"value": 80, "subtotal": 82, "total": 90, "tax": 5}, "80"),
    ({"subtotal": 80, "total": 90, "tax": 5}, "80"),
    # a revenue of 0 beside a total, if anything is left of the total without tax and shipping
    ({"revenue": 0, "total": 80}, "80"),
    ({"revenue": "0.00", "total": 95, "tax": 5, "shipping": 10}, "80"),
    ({"revenue": 0, "total": 15, "tax": 5, "shipping": 10}, "0"),
    ({"revenue": 0, "total": 10, "tax": 5, "shipping": 10}, "0"),
    ({"revenue": 0, "total": 0}, "0"),
    ({"revenue": 0, "tax": 5}, "0"),
    # tax and shipping are in the revenue or the value, as the sum of the products proves
    ({"revenue": 115, "tax": 5, "shipping": 10}, "100"),
    ({"revenue": 95, "tax": 5, "shipping": 10, "discount": 20}, "80"),
    ({"revenue": 110, "shipping": 10}, "100"),
    ({"value": 105, "tax": 5}, "100"),
    ({"value": "115.00", "tax": "5.00", "shipping": "10.00"}, "100"),
    # the products include the tax, which is that of the shipping too
    ({"revenue": 110, "tax": 17.56, "shipping": 10}, "84.04"),
    ({"revenue": 90, "tax": 15, "shipping": 10, "discount": 20}, "66.67"),
    ({"revenue": 110, "tax": 17.56, "shipping": 10, "total": 127.56}, "100"),
    ({"revenue": 110, "tax": 17.56, "shipping": 8.4}, "84.04"),
    ({"revenue": 110, "tax": 17.56, "shipping": 8.43}, "110"),
    # the revenue does not exceed the products, or by something else
    ({"revenue": 100, "tax": 5}, "100"),
    ({"revenue": 100, "tax": 5, "shipping": 10}, "100"),
    ({"revenue": 80, "tax": 5, "shipping": 10, "discount": 20}, "80"),
    ({"revenue": 115.02, "tax": 5, "shipping": 10}, "115.02"),
    ({"revenue": 115, "tax": 0, "shipping": 0}, "115"),
    ({"revenue": 115, "tax": 5, "shipping": "free"}, "115"),
    # what says nothing, or cannot be read, is passed over
    ({"revenue": None, "value": 80}, "80"),
    ({"revenue": "n/a", "value": " ", "subtotal": "80"}, "80"),
    ({"revenue": "1,23,4", "total": 85, "tax": 5}, "80"),
    # total less tax and shipping, of which a missing one counts nothing
    ({"total": 95, "tax": 5, "shipping": 10}, "80"),
    ({"total": 85, "tax": 5}, "80"),
    ({"total": 90, "shipping": 10}, "80"),
    ({"total": 80, "tax": 0}, "80"),
    ({"total": 80, "shipping": "0.00"}, "80"),
    ({"total": 85, "tax": 5, "shipping": None}, "80"),
    ({"total": 90, "tax": "", "shipping": 10}, "80"),
    ({"total_price": "95.00", "total_tax": "5.00", "shipping_total": "10.00"}, "80"),
    ({"total": 95, "tax": 5, "shipping": 10, "discount": 20}, "80"),
    # without a total, tax and shipping say nothing of the products
    ({"tax": 5, "shipping": 10}, "100"),
    # products less discount, at most the total
    ({"total": 80, "discount": 20}, "80"),
    ({"total": 85, "discount": 20}, "80"),
    ({"total": 75, "discount": 20}, "75"),
    ({"total": 80, "discount": 0}, "80"),
    ({"discount": None, "total_discounts": 20}, "80"),
    *[({"discount": nothing}, "100") for nothing in NOTHING],
    # a discount that nobody can read: the products are worth less than their prices
    ({"total": 80, "discount": "20%"}, "80"),
    ({"total": 120, "discount": "SUMMER"}, "120"),
    # the amounts hold the tax where Shopify says so
    ({"taxes_included": True, "subtotal_price": "96.00", "total_tax": "16.00"}, "80"),
    ({"taxes_included": "true", "subtotal": 96, "tax": 16}, "80"),
    ({"taxes_included": False, "subtotal_price": "80.00", "total_tax": "16.00"}, "80"),
    ({"taxes_included": None, "subtotal": 80, "tax": 16}, "80"),
    ({"taxes_included": True, "subtotal": 80}, "80"),
    ({"taxes_included": True, "total_tax": "20.00"}, "80"),
    ({"taxes_included": True, "total_tax": "10.00", "total_discounts": "10.00"}, "80"),
    ({"taxes_included": True, "total_discounts": "20.00"}, "80"),
    # the rate of the order is assumed for shipping
    ({"taxes_included": True, "total_price": "106.00", "total_tax": "16.00", "shipping": 10}, "81.51"),
    ({"taxes_included": True, "subtotal_price": "49.90", "total_tax": "8.76", "shipping": "4.95"}, "41.93"),
    ({"taxes_included": True, "total_price": "54.85", "total_tax": "8.76", "shipping": "4.95"}, "41.93"),
    ({"taxes_included": True, "total_tax": "20.00", "shipping": 25}, "84"),
    ({"taxes_included": False, "total_tax": "20.00"}, "100"),
    ({"taxes_included": True, "revenue": 80, "tax": 16}, "80"),
    ({"taxes_included": True, "value": 80, "tax": 16}, "80"),
]


@every_row("products", [AT_100, AT_60_20_20], ids=["one", "two"])
@every_row("preset", ["Order Completed", "Checkout", "Checkout Started"])
def test_an_order_is_worth_what_was_paid_whatever_its_list_is_called(
    preset: str, products: list[dict[str, Any]], sent_of: Make
) -> None:
    wrong = {}
    for said, value in CASES:
        for name in LISTS:
            found = sent_of(preset, properties={"order_id": "SO-1", "currency": "USD", name: products, **said})
            if found["custom_data"].get("value") != value:
                wrong[name, str(said)] = found["custom_data"].get("value"), value

    assert wrong == {}


@every_row(
    ("name", "product", "value"),
    [
        *[(name, {"price": 50, "quantity": 2}, "100") for name in LISTS],
        *[(name, {"quantity": 2}, None) for name in LISTS],
        ("line_items", {"price_set": SET}, "100"),
        ("line_items", {"price": "n/a", "price_set": SET, "quantity": 2}, "200"),
        ("contents", {"item_price": "100.00"}, "100"),
        ("contents", {"item_price": "n/a", "price": 50}, "50"),
        ("contents", {"item_price": 100, "price": 50}, "100"),
    ],
    ids=str,
)
def test_a_price_is_found_as_each_list_names_it(
    name: str, product: dict[str, Any], value: str | None, sent_of: Make
) -> None:
    found = sent_of(properties={"currency": "USD", name: [{"id": "OA-1", **product}]})

    assert found["custom_data"].get("value") == value


@every_row(
    ("said", "value", "currency"),
    [
        # 150,000 rupiah, not 150
        ({"currency": "IDR", "products": [{"id": "1", "price": 200_000}], "total": "150.000"}, "150000", "IDR"),
        ({"currency": "EUR", "products": [{"id": "1", "price": 200}], "total": "150.000"}, "150", "EUR"),
        ({"currency": "EUR", "products": [{"id": "1", "price": 6, "currency": "USD"}], "total": "5 USD"}, "5", "USD"),
        # dollars are not held against euros: the total is sent
        ({"currency": "EUR", "products": [{"id": "1", "price": 6, "currency": "USD"}], "total": 9}, "9", "EUR"),
        ({"products": [{"id": "1", "price": "€6"}], "total": "9 USD"}, "9", "USD"),
    ],
)
def test_a_sum_is_held_against_a_total_of_its_own_currency(
    said: dict[str, Any], value: str, currency: str, sent_of: Make
) -> None:
    custom_data = sent_of(properties={"order_id": "SO-1", **said})["custom_data"]

    assert (custom_data.get("value"), custom_data.get("currency")) == (value, currency)


@st.composite
def books(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    """Return some of what a shop could say of an order; in cents what the goods cost, and what was paid in all."""
    cents = st.integers(0, 30_000)
    lines = draw(st.lists(st.tuples(cents, st.integers(1, 4)), min_size=1, max_size=4))
    listed = sum(price * pieces for price, pieces in lines)
    discount = draw(st.integers(0, listed))
    shipping = draw(cents)
    has_tax_inside = draw(st.booleans())
    tax = draw(st.integers(0, listed - discount))
    goods = listed - discount - (tax if has_tax_inside else 0)
    total = goods + tax + shipping
    said: dict[str, Any] = {
        "revenue": goods,
        "value": goods,
        "subtotal": listed - discount,
        "total": total,
        "tax": tax,
        "shipping": shipping,
        "discount": discount,
    }
    said = {name: amount / 100 for name, amount in said.items()} | {"taxes_included": has_tax_inside}
    name = draw(st.sampled_from(LISTS))
    said[name] = [
        {"id": f"P-{number}", "price": price / 100, "quantity": pieces} for number, (price, pieces) in enumerate(lines)
    ]
    return {name: each for name, each in said.items() if draw(st.booleans())}, goods, total


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(drawn=books())
@example(drawn=({"value": 0.0, "total": 0.01}, 0, 1))
def test_an_order_is_never_worth_more_than_was_paid_whatever_of_its_books_is_given(
    drawn: tuple[dict[str, Any], int, int],
) -> None:
    properties, goods, total = drawn
    event: dict[str, Any] = {
        "type": "track",
        "messageId": "m-1",
        "timestamp": "2026-11-25T10:15:00.000Z",
        "context": {"traits": {"email": "ada@shop.example"}},
        "properties": {"order_id": "SO-1", "currency": "USD"} | properties,
    }
    (mapping,) = (preset.mapping for preset in shipped_catalog().presets if preset.name == "Order Completed")
    build = ReportConversionEvent(ConversionSettings.model_construct())

    fields = mapping.resolve(event)
    built, warnings = build(mapping.of(event), now=None)
    explained = [each.value for each in mapping.explain(event) if each.path == "custom_data.value"]

    assert build(fields, now=None) == (built, warnings)
    assert explained == [fields["custom_data"]["value"]] if "value" in fields["custom_data"] else explained == []
    told = properties.keys() - {"tax", "shipping", "discount", "taxes_included"}
    value = built["custom_data"].get("value")
    assert (value is not None) is bool(told)
    if value is None:
        return
    # the books tax no shipping, which is assumed if the amounts include the tax
    is_assumed = properties.get("taxes_included") and {"tax", "shipping"} <= properties.keys()
    # a revenue of 0 beside a positive total is not believed
    is_free = goods == 0 and properties.get("total") and {"revenue", "value"} & told
    repairs = [" by assumption, sent as "] * bool(is_assumed) + [": 0 "] * bool(is_free)
    assert all(any(repair in each for repair in repairs) for each in warnings), warnings
    cents = round(float(value) * 100)
    assert cents >= goods
    if "total" in properties:
        assert cents <= total
    from_total = "subtotal" not in told and {"total", "tax", "shipping"} <= properties.keys() and not is_assumed
    if ({"revenue", "value"} & told or from_total) and not is_free:
        assert cents == goods


PAID = [
    ({"value": 80}, "80"),
    ({"total": 80, "discount": 20}, "80"),
    ({"total": 85, "tax": 5}, "80"),
    ({"subtotal": 80, "total": 95, "tax": 5, "shipping": 10}, "80"),
    ({"revenue": 80, "value": 85}, "80"),
    ({"total": 80}, "80"),
]
#: What the cases of the sources say of their own orders.
OWN = [
    "value",
    "tax",
    "shipping",
    "items",
    "subtotal_price",
    "total_price",
    "current_total_price",
    "total_tax",
    "total",
]
OWN += ["total_shipping_price_set", "shipping_total", "line_items", "total_discounts"]


@every_row("name", LISTS)
@every_row(("said", "value"), PAID)
@every_row(
    ("case", "holder"),
    [
        ("gtm_server-purchase", ""),
        ("ga4-datalayer-purchase", "ecommerce."),
        ("ga4-measurement-protocol", "events.0.params."),
        ("hightouch-rows", ""),
        ("shopify-order-paid", ""),
        ("woocommerce-order-paid", ""),
    ],
)
def test_so_is_an_order_of_the_shipped_sources(
    case: str, holder: str, said: dict[str, Any], value: str, name: str
) -> None:
    body = {f"{holder}{key}": each for key, each in (dict.fromkeys(OWN) | {name: AT_100} | said).items()}

    assert sent(case, body)["custom_data"]["value"] == value
