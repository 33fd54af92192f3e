"""The value of an order is that of its goods, after discounts, without tax and shipping, whoever sends it."""

from pathlib import Path
from typing import Any

import orjson

from app.core.receipts import PresetResult
from tests.assembled import pipeline
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW, told_of
from tests.sources.test_cases import CASES
from tests.sources.test_order_channels import made_of
from tests.sources.test_shipped_files import lines_of


def money(amount: str, shown: str | None = None) -> dict[str, Any]:
    """Return an amount as Shopify writes it in the money of the shop, and in that of the customer."""
    return {
        "shop_money": {"amount": amount, "currency_code": "EUR"},
        "presentment_money": {"amount": shown or amount, "currency_code": "EUR"},
    }


def taxed(amount: str) -> list[dict[str, Any]]:
    """Return the tax of a line."""
    return [{"title": "MwSt", "rate": 0.19, "price": amount, "price_set": money(amount)}]


def both(**amounts: str) -> dict[str, Any]:
    """Return each amount as a text and in a `_set`."""
    return amounts | {f"{name}_set": money(amount) for name, amount in amounts.items()}


LINE = {"id": 1, "product_id": 11, "title": "Mug", "price": "49.90", "price_set": money("49.90"), "quantity": 1}
TAXED_LINE = LINE | {"current_quantity": 1, "tax_lines": taxed("7.97")}
SHIPPING = {"price": "4.95", "price_set": money("4.95"), "tax_lines": taxed("0.79")}
#: 49.90 and 4.95 for shipping, both with 19 % tax inside.
GERMAN: dict[str, Any] = {
    "currency": "EUR",
    "taxes_included": True,
    **both(subtotal_price="49.90", total_tax="8.76", total_price="54.85", total_shipping_price="4.95"),
    **both(current_subtotal_price="49.90", current_total_tax="8.76", current_total_price="54.85"),
    "shipping_lines": [SHIPPING],
    "line_items": [TAXED_LINE],
    "refunds": [],
}
WITHOUT_SETS = {name: value for name, value in GERMAN.items() if not name.endswith("_set")}
WITHOUT_CURRENT = {name: None for name in GERMAN if name.startswith("current_")}
REMOVED = {"id": 2, "product_id": 12, "title": "Cup", "price": "20.00", "price_set": money("20.00"), "quantity": 1}
EDITED = {
    **both(current_subtotal_price="49.90", subtotal_price="69.90", current_total_price="49.90", total_price="69.90"),
    "taxes_included": False,
    "currency": "EUR",
    "line_items": [LINE | {"quantity": 3, "current_quantity": 1}, REMOVED | {"current_quantity": 0}],
}
ASSUMED = "custom_data.value: 49.9 includes tax, as do 4.95 of shipping by assumption, sent as 41.93"

SHOPIFY: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("the tax of shipping is stated", {}, "41.93", []),
    ("in texts alone", dict.fromkeys(name for name in GERMAN if name.endswith("_set")), "41.93", []),
    ("by an older version", WITHOUT_CURRENT, "41.93", []),
    ("shipping that was removed", {"shipping_lines": [SHIPPING, SHIPPING | {"is_removed": True}]}, "41.93", []),
    ("shipping that was not", {"shipping_lines": [SHIPPING | {"is_removed": False}]}, "41.93", []),
    ("nothing is shipped", {"shipping_lines": [], "current_total_tax": "7.97", "current_total_tax_set": money("7.97"),
                            "total_shipping_price_set": money("0.00")}, "41.93", []),
    ("the tax of shipping is not stated", {"shipping_lines": None}, "41.93", [ASSUMED]),
    ("nor any set", dict.fromkeys(name for name in GERMAN if name.endswith("_set"))
     | {"shipping_lines": None, "shipping": "4.95"}, "41.93", [ASSUMED]),
    # 49.90 - (8.76 + 1.90) + 0.79 would be 40.03
    ("duties are taxed", {"line_items": [TAXED_LINE | {"duties": [{"tax_lines": taxed("1.90")}]}],
                          "current_total_tax_set": money("10.66")}, "41.93", []),
    # the tax of the shipping is not in `current_total_tax` any more
    ("shipping was paid back",
     {"refunds": [{"id": 1, "order_adjustments": [{"kind": "shipping_refund"}], "refund_line_items": []}],
      "current_total_tax_set": money("7.97")}, "41.93", []),
    ("shipping was paid back, a line taken out",
     {"line_items": [TAXED_LINE, REMOVED | {"current_quantity": 0, "tax_lines": taxed("3.19")}],
      "refunds": [{"id": 1, "refund_shipping_lines": [{"id": 1}],
                   "refund_line_items": [{"total_tax": 3.19, "total_tax_set": money("3.19")}]}],
      "current_total_tax_set": money("7.97")}, "41.93", []),
    ("a refund of something else", {"refunds": [{"id": 1, "order_adjustments": [{"kind": "refund_discrepancy"}]}]},
     "41.93", []),
    # goods of an Australian shop that is sent abroad: the shipping alone is taxed
    ("shipping alone is taxed",
     {"current_total_tax_set": money("0.79"), "line_items": [LINE | {"tax_lines": taxed("0.00")}]}, "49.9", []),
    ("no tax abroad", {"current_total_tax_set": money("0.00"), "line_items": [LINE],
                       "shipping_lines": [SHIPPING | {"tax_lines": []}]}, "49.9", []),
    ("tax is added", {"taxes_included": False}, "49.9", []),
]  # fmt: skip


def first(case: str, said: dict[str, Any]) -> PresetResult:
    return next(line for line in lines_of(case, said) if line.event)


def value_of(line: PresetResult) -> str | None:
    assert line.event
    value: str | None = line.event["custom_data"].get("value")
    return value


@every_row(("about", "said", "value", "warnings"), SHOPIFY, ids=[about for about, *_ in SHOPIFY])
def test_shopify_with_taxes_included(about: str, said: dict[str, Any], value: str, warnings: list[str]) -> None:
    line = first("shopify-order-paid", GERMAN | said)
    assert about
    assert (value_of(line), list(line.warnings)) == (value, warnings)


@every_row(
    ("shop_money", "sent"), [("shop", ("41.93", "EUR", "49.9")), ("presentment", ("36.13", "GBP", "43"))], ids=str
)
def test_all_amounts_of_an_order_are_from_one_side(shop_money: str, sent: tuple[str, str, str]) -> None:
    case = CASES["shopify-order-paid"]
    shown = {"49.90": "43.00", "8.76": "7.55", "4.95": "4.27", "0.79": "0.68", "7.97": "6.87"}

    def in_pounds(value: Any) -> Any:
        if isinstance(value, list):
            return [in_pounds(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "presentment_money" in value:
            amount = shown[value["shop_money"]["amount"]]
            return value | {"presentment_money": {"amount": amount, "currency_code": "GBP"}}
        return {name: in_pounds(each) for name, each in value.items()}

    body = orjson.dumps(
        case["request"]["body"] | in_pounds(GERMAN | {"total_price_set": None, "current_total_price_set": None})
    )
    asked = pipeline(shop_money=shop_money)
    (line,) = told_of(asked.preview_request("shopify", body, case["request"]["headers"], now=NOW))
    about = line["event"]["custom_data"]
    assert (about["value"], about["currency"], about["contents"][0]["item_price"]) == sent


def test_an_order_of_shopify_that_was_edited_before_it_was_paid_is_what_is_left_of_it() -> None:
    line = first("shopify-order-paid", EDITED)
    assert line.event
    about = line.event["custom_data"]
    assert (about["value"], about["num_items"], about["content_ids"]) == ("49.9", 1, ["11"])
    assert [(each["id"], each["quantity"]) for each in about["contents"]] == [("11", 1)]
    assert line.warnings == ()


ITEM = {"item_id": "A-1", "item_name": "Mug", "price": 49.95, "quantity": 2}
PAID = {"tax": 8, "shipping": 5.99, "items": [ITEM]}
GTM = "gtm_server-purchase"
NO_OTHER = {"revenue": None, "subtotal": None, "total": None, "discount": None, "currency": "USD"}

TAGS: list[tuple[dict[str, Any], str, str]] = [
    # value, tax and shipping of items that are worth 99.90; what is sent, and the reason
    ({"value": 99.9}, "99.9", ""),
    ({"value": 113.89}, "99.9", "113.89 includes tax or shipping"),
    ({"value": "113.89", "tax": "8.00", "shipping": "5.99"}, "99.9", "113.89 includes tax or shipping"),
    ({"value": 107.9, "shipping": 0}, "99.9", "107.9 includes tax or shipping"),
    ({"value": 105.89, "tax": 0}, "99.9", "105.89 includes tax or shipping"),
    ({"value": 105.89, "tax": None}, "99.9", "105.89 includes tax or shipping"),
    # the tax is in the items, and at the same rate in the shipping
    ({"value": 105.89, "tax": 16.91}, "83.95", "105.89 includes tax or shipping"),
    # a shop that follows GA4's specification, though its items include tax
    ({"value": 99.9, "tax": 15.95, "shipping": 0}, "99.9", ""),
    ({"value": 120, "tax": 8}, "120", ""),
    ({"value": 113.88}, "113.88", ""),
    ({"value": 113.89, "items": []}, "113.89", ""),
    ({"value": 113.89, "discount": 10}, "99.9", "113.89 includes tax or shipping"),
    # a total proves that the tax is not in the items
    ({"value": 105.89, "total": 113.89}, "99.9", "105.89 includes tax or shipping"),
    # all that was paid, at 19 %: the price of shipping is stated without its tax, as WooCommerce does
    ({"value": 107.03, "tax": 17.09, "shipping": 5.99}, "83.95", "107.03 includes tax or shipping"),
    ({"value": 107.05, "tax": 17.09, "shipping": 5.99}, "107.05", ""),
    # WooCommerce's own tag (issue 642 of its integration): the items without tax, the value with it
    ({"value": 95, "tax": 5.38, "shipping": 0, "items": [{"item_id": "1", "price": 89.62, "quantity": 1}]},
     "89.62", "95 includes tax or shipping"),
    ({"value": 85.5, "tax": 4.84, "shipping": 0, "items": [{"item_id": "1", "price": 80.66, "quantity": 1}]},
     "80.66", "85.5 includes tax or shipping"),
]  # fmt: skip


@every_row(
    ("case", "holder"),
    [(GTM, ""), ("ga4-datalayer-purchase", "ecommerce."), ("ga4-measurement-protocol", "events.0.params.")],
)
@every_row(("said", "value", "reason"), TAGS, ids=str)
def test_a_value_of_ga4_with_tax_and_shipping(
    case: str, holder: str, said: dict[str, Any], value: str, reason: str
) -> None:
    line = first(case, {f"{holder}{name}": each for name, each in (NO_OTHER | PAID | said).items()})
    about = [warning for warning in line.warnings if warning.startswith("custom_data.value")]
    assert value_of(line) == value
    assert about == ([f"custom_data.value: {reason}, sent as {value}"] if reason else [])


STRIPE: list[tuple[dict[str, Any], str]] = [
    # the tax is in the prices: 249.90 with 39.90 tax, of which 0.80 is the shipping's
    ({"shipping_cost": {"amount_subtotal": 500, "amount_tax": 80, "amount_total": 500}}, "205.8"),
    ({"shipping_cost": {"amount_subtotal": 500, "amount_tax": 95, "amount_total": 595}}, "205"),
    ({"shipping_cost": {"amount_subtotal": 500, "amount_total": 500}}, "205"),
    ({"shipping_cost": None}, "205"),
    ({"shipping_cost": None, "total_details": {"amount_shipping": 0, "amount_tax": 3990}}, "210"),
]


@every_row(("said", "value"), STRIPE, ids=str)
def test_a_session_of_stripe_with_taxed_shipping(said: dict[str, Any], value: str) -> None:
    found = first("stripe-checkout-in-euros", {f"data.object.{name}": each for name, each in said.items()})
    assert value_of(found) == value
    assert found.warnings == ()


INVOICES: list[tuple[dict[str, Any], str]] = [
    ({}, "15.97"),
    # older API versions state the tax of the invoice alone
    ({"total_excluding_tax": None, "tax": 303}, "15.97"),
    ({"total_excluding_tax": None, "tax": None}, "19"),
    # a balance paid a part
    ({"amount_paid": 900}, "15.97"),
    ({"amount_paid": 900, "total_excluding_tax": None, "tax": 303}, "15.97"),
    ({"amount_paid": 900, "total_excluding_tax": None, "tax": None}, "19"),
    ({"shipping_cost": {"amount_subtotal": 500, "amount_tax": 80, "amount_total": 580}}, "10.97"),
    ({"currency": "jpy"}, "1597"),
    ({"currency": "kwd"}, "1.597"),
]


@every_row(("said", "revenue"), INVOICES, ids=str)
def test_an_invoice_of_stripe_is_worth_its_goods(said: dict[str, Any], revenue: str) -> None:
    event = made_of(
        "stripe-invoice-of-a-new-subscription", {f"data.object.{name}": each for name, each in said.items()}
    )
    assert event["properties"]["revenue"] == revenue


#: Recorded payments whose presets are off, so their cases hold no amount.
OFF = {
    "stripe-recorded-intent-of-an-older-version": "1902",
    "stripe-recorded-invoice-by-hand": "227.07",
    "stripe-recorded-invoice-in-brazil-of-a-newer-version": "29.9",
    "stripe-recorded-invoice-of-a-year-in-singapore": "1000",
    "stripe-recorded-invoice-of-an-association": "10",
    "stripe-recorded-invoice-with-tax-of-an-older-version": "17.39",
    "stripe-recorded-payment-intent-in-rupees": "1200",
}


@every_row(("case", "revenue"), list(OFF.items()))
def test_a_recorded_payment_whose_preset_is_off_has_its_amount(case: str, revenue: str) -> None:
    assert made_of(case, {})["properties"]["revenue"] == revenue


@every_row(
    ("gift_cards", "value"),
    [
        ([], "18"),
        ([{"id": 2, "code": "SU9F", "amount": 20}, {"id": 4, "code": "NZR8", "amount": "4.00"}], "42"),
        (None, "18"),
    ],
)
def test_a_gift_card_pays_for_goods_of_woocommerce(gift_cards: Any, value: str) -> None:
    line = first("woocommerce-order-paid", {"gift_cards": gift_cards})
    assert (value_of(line), line.warnings) == (value, ())


@every_row(
    ("currency", "price", "item_price"),
    [
        ("GBP", 16.8067226891, "16.81"),
        ("GBP", "16.805", "16.81"),
        ("GBP", "16.804999", "16.8"),
        ("GBP", 2.675, "2.68"),
        ("JPY", 1050.5, "1051"),
        ("KWD", 1.2345, "1.235"),
        ("IDR", 10.505, "10.51"),
        ("CLF", 1.23456, "1.2346"),
    ],
)
def test_a_unit_price_has_the_decimals_of_its_currency(currency: str, price: Any, item_price: str) -> None:
    line = first("woocommerce-order-paid", {"currency": currency, "line_items.0.price": price})
    assert line.event
    assert line.event["custom_data"]["contents"][0]["item_price"] == item_price


@every_row(("said", "value"), [({"value": 113.89}, "113.89"), ({"revenue": 0, "total": 113.89}, "99.9")])
def test_a_source_may_send_its_amounts_as_they_are(tmp_path: Path, said: dict[str, Any], value: str) -> None:
    text = (ROOT / "sources" / f"{GTM.partition('-')[0]}.yaml").read_text(encoding="utf-8")
    (tmp_path / "gtm_server.yaml").write_text(text.replace("kind: mapped", "kind: mapped\namounts: as_sent"))
    request = CASES[GTM]["request"]
    body = orjson.dumps(request["body"] | NO_OTHER | {"value": None} | PAID | said)
    told = told_of(pipeline(sources_dir=(tmp_path,)).preview_request("gtm_server", body, request["headers"], now=NOW))
    assert [each["event"]["custom_data"]["value"] for each in told] == [value]


@every_row("context", [None, {}, [], {"amounts": "as_sent"}, "no object"], ids=str)
def test_so_may_a_source_of_segments_events(tmp_path: Path, context: Any) -> None:
    text = "name: mine\nkind: segment\nproofs: [{kind: anyone}]\namounts: as_sent\n"
    (tmp_path / "mine.yaml").write_text(text)
    properties = {"revenue": 113.89, "products": [{"id": "A-1", "price": 99.9}], "tax": 8, "shipping": 5.99}
    event = {"type": "track", "event": "Order Completed", "messageId": "m-1", "traits": {"email": "ada@shop.example"}}
    body = orjson.dumps({**event, "properties": properties, "context": context})
    (line,) = told_of(pipeline(sources_dir=(tmp_path,)).preview_request("mine", body, {}, now=NOW))
    assert line["event"]["custom_data"]["value"] == ("99.9" if context == "no object" else "113.89")
