"""Adobe Commerce and BigCommerce: which amounts of an order are its value, and which of its rows are its products."""

from typing import Any

from tests.rows import every_row
from tests.sources.test_amounts import first, value_of
from tests.sources.test_relays_of_events import events_of
from tests.sources.test_shipped_files import lines_of

MAGENTO, BIGCOMMERCE = "magento-order-paid", "bigcommerce-order-paid"


def order(subtotal: float, discount: float | None, **others: Any) -> dict[str, Any]:
    """Return the amounts of an order of Adobe Commerce, which leaves out fields that are null."""
    amounts = {"shipping_discount_amount": None, "discount_tax_compensation_amount": None} | others
    return {"subtotal": subtotal, "discount_amount": discount, **amounts}


AMOUNTS: list[tuple[str, dict[str, Any], str]] = [
    (MAGENTO, order(160, 0, grand_total=165, shipping_amount=5, tax_amount=0), "160"),
    (MAGENTO, order(505.75, -101.15, grand_total=409.6, shipping_amount=5, tax_amount=0), "404.6"),
    (MAGENTO, order(199.13, None, grand_total=249, shipping_amount=20, tax_amount=29.87), "199.13"),
    # 2.00 of the discount of 12.00 are for the shipping
    (MAGENTO, order(100, -12, shipping_discount_amount=2, grand_total=93, shipping_amount=5, tax_amount=0), "90"),
    # the discount of 11.90 includes tax, as the prices do: 10.00 of it are for the goods
    (MAGENTO, order(100, -11.9, discount_tax_compensation_amount=1.9, grand_total=107.1, tax_amount=17.1), "90"),
    # paid with a gift card of 50
    (MAGENTO, order(100, 0, grand_total=55, shipping_amount=5, tax_amount=0), "100"),
    (MAGENTO, {"subtotal": None, "grand_total": 101.75, "tax_amount": 15.2, "shipping_amount": 5.55}, "81"),
    (BIGCOMMERCE, {}, "53.44"),
    (BIGCOMMERCE, {"total_ex_tax": "66.5300", "handling_cost_ex_tax": "1.5", "wrapping_cost_ex_tax": "0.5"}, "53.44"),
    (
        BIGCOMMERCE,
        {"shipping_cost_ex_tax": None, "handling_cost_ex_tax": None, "wrapping_cost_ex_tax": None},
        "62.6793",
    ),
    # as the documentation of BigCommerce has it: the total without tax is the one with tax
    (BIGCOMMERCE, {"subtotal_ex_tax": "336.3200", "total_ex_tax": "361.9500", "shipping_cost_ex_tax": "0"}, "336.32"),
    (BIGCOMMERCE, {"total_ex_tax": None}, "62.6793"),
    (BIGCOMMERCE, {"total_ex_tax": None, "subtotal_ex_tax": None}, "53.44"),
]


@every_row(("case", "said", "value"), AMOUNTS, ids=str)
def test_the_value_is_that_of_the_goods(case: str, said: dict[str, Any], value: str) -> None:
    line = first(case, said)
    assert (value_of(line), list(line.warnings)) == (value, [])


def row(number: int, kind: str, price: float, parent: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """Return a row of an order of Adobe Commerce; the row of a part has its parent in it."""
    found = {"item_id": number, "product_id": number, "product_type": kind, "sku": f"S-{number}", "price": price}
    below = {"parent_item_id": parent["item_id"], "parent_item": parent} if parent else {}
    return found | {"name": f"Product {number}", "qty_ordered": 1} | below | others


SIMPLE, CONFIGURABLE = row(1, "simple", 5), row(2, "configurable", 40, sku="S-3", qty_ordered=2)
VARIANT = row(3, "simple", 0, CONFIGURABLE, qty_ordered=2)
BUNDLE = row(4, "bundle", 30)
PARTS = [row(5, "simple", 10, BUNDLE), row(6, "simple", 20, BUNDLE)]
LINK = {"url": "https://api.bigcommerce.com/stores/abc123/v2/orders/218/products", "resource": "/orders/218/products"}
MUG = {"id": 16, "product_id": 173, "variant_id": 412, "price_ex_tax": "31.3396", "quantity": 2}

PRODUCTS: list[tuple[str, dict[str, Any], list[tuple[str | None, str | None, int]], int]] = [
    # what is sent: ids, prices and quantities of the products, and the number of items
    (MAGENTO, {"items": [SIMPLE]}, [("1", "5", 1)], 1),
    (MAGENTO, {"items": [CONFIGURABLE, VARIANT]}, [("3", "40", 2)], 2),
    (MAGENTO, {"items": [SIMPLE, CONFIGURABLE, VARIANT]}, [("1", "5", 1), ("3", "40", 2)], 3),
    (MAGENTO, {"items": [BUNDLE, *PARTS]}, [("4", "30", 1)], 1),
    (MAGENTO, {"items": [row(7, "grouped", 8), row(8, "virtual", 9)]}, [("7", "8", 1), ("8", "9", 1)], 2),
    # without the rows of the variants
    (MAGENTO, {"items": [CONFIGURABLE]}, [("2", "40", 2)], 2),
    # without the parent in the row
    (MAGENTO, {"items": [CONFIGURABLE, VARIANT | {"parent_item": None}]}, [("3", None, 2)], 2),
    (BIGCOMMERCE, {"products": [MUG]}, [("173", "31.34", 2)], 2),
    (
        BIGCOMMERCE,
        {"products": [MUG, MUG | {"parent_order_product_id": 16, "product_id": 174}]},
        [("173", "31.34", 2)],
        2,
    ),
    (BIGCOMMERCE, {"products": [MUG | {"price_ex_tax": None, "base_price": "33.92"}]}, [("173", "33.92", 2)], 2),
    # the order without its products
    (BIGCOMMERCE, {"products": LINK, "items_total": 4}, [], 4),
    # a product that staff invented for the order has no product id, but may have a SKU
    (BIGCOMMERCE, {"products": [MUG | {"product_id": 0, "variant_id": 0, "sku": "C-1"}]}, [("C-1", "31.34", 2)], 2),
    (
        BIGCOMMERCE,
        {"products": [MUG, MUG | {"product_id": 0, "variant_id": 0}]},
        [("173", "31.34", 2), (None, "31.34", 2)],
        4,
    ),
]


@every_row(("case", "said", "products", "num_items"), PRODUCTS, ids=str)
def test_each_product_is_sent_once(
    case: str, said: dict[str, Any], products: list[tuple[str | None, str | None, int]], num_items: int
) -> None:
    line = first(case, said)
    assert line.event
    about = line.event["custom_data"]
    sent = [(each.get("id"), each.get("item_price"), each["quantity"]) for each in about.get("contents", [])]
    assert sent == products
    assert about.get("content_ids", []) == [product_id for product_id, *_ in products if product_id]
    assert about["num_items"] == num_items
    assert line.warnings == ()


STATES: list[tuple[str, dict[str, Any], bool]] = [
    *((MAGENTO, {"state": state}, is_paid) for state, is_paid in {
        "new": False, "pending_payment": False, "payment_review": False, "holded": False, "processing": True,
        "complete": True, "closed": False, "canceled": False,
    }.items()),
    *((BIGCOMMERCE, {"status_id": write(status)}, status in {2, 3, 8, 9, 10, 11, 14})
      for status in range(15) for write in (int, str)),
]  # fmt: skip


@every_row(("case", "said", "is_paid"), STATES, ids=str)
def test_an_order_is_sent_when_it_is_paid(case: str, said: dict[str, Any], is_paid: bool) -> None:  # noqa: FBT001
    assert any(line.event for line in lines_of(case, said)) is is_paid


@every_row("status", [4, 5, 6, "4", "5", "6"])
def test_an_order_of_bigcommerce_is_cancelled_by_its_number_or_the_same_as_text(status: Any) -> None:
    (event,) = events_of(BIGCOMMERCE, {"status_id": status})
    assert event["event"] == "Order Cancelled"
