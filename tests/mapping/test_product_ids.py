"""CONTENT_ID says which of their ids products are sent under (rule 13 of the world beside Pinterest's catalogue)."""

from typing import Any

import pytest

from app.errors import MappingError
from app.mapping import check_content_id, compile_mapping
from tests.rows import every_row

ELSE = [{"@path": "$.product_id"}, {"@path": "$.id"}]
ONE = {"product_id": 7, "variant_id": 71, "sku": "S-7"}

CASES = [
    # CONTENT_ID, the product, its id
    ("product_id", ONE, 7),
    ("variant_id", ONE, 71),
    ("sku", ONE, "S-7"),
    ("{{ product_id }}_{{ sku }}", ONE, "7_S-7"),
    ("shop_{{product_id}}_{{ variant_id }}", ONE, "shop_7_71"),
    # the names that other shops use
    ("variant_id", {"id": 1, "variantId": "2"}, "2"),
    ("variant_id", {"product_id": 1, "variation_id": 2}, 2),
    ("variant_id", {"product_id": 1, "product_variant_id": "2"}, "2"),
    ("sku", {"id": 1, "item_sku": "s"}, "s"),
    # a product without that id keeps its own
    ("variant_id", {"product_id": 7}, 7),
    ("variant_id", {"product_id": 7, "variation_id": 0}, 7),
    ("variant_id", {"product_id": 7, "variant_id": "n/a"}, 7),
    ("variant_id", {"product_id": 7, "variant_id": {"id": 1}}, 7),
    ("sku", {"product_id": 7, "sku": ""}, 7),
    ("{{ product_id }}_{{ sku }}", {"product_id": 7}, 7),
    # what a filter stands in for is not missed
    ("{{ sku | default: product_id }}", {"id": 7}, "7"),
    # the product's own id is that of `else` where it has no other name
    ("{{ product_id }}_{{ sku }}", {"id": 7, "sku": "s"}, "7_s"),
    ("sku", {}, None),
]


@every_row(("content_id", "product", "expected"), CASES)
def test_a_product_is_sent_under_the_id_that_is_asked_for(content_id: str, product: Any, expected: Any) -> None:
    shape = {
        "item": {"@each": ["$.items", {"@productId": {"else": ELSE}}]},
        "flat": {"@productId": {"of": "$.items", "else": [{"@path": "$.items.product_id"}, {"@path": "$.items.id"}]}},
    }
    mapping = compile_mapping(shape).under(content_id)
    found = mapping.resolve({"items": product})
    assert found.get("flat") == expected
    assert found.get("item", [None]) == [expected]


def test_what_does_not_ask_is_the_same_under_every_setting() -> None:
    mapping = compile_mapping({"a": {"@path": "$.sku"}})
    assert mapping.under("product_id") is mapping
    assert mapping.under("sku") is mapping.under("sku")
    assert mapping.under("sku").resolve({"sku": "s"}) == {"a": "s"}


@pytest.mark.parametrize("text", ["{{ product_id", "{{ sku | nosuch }}", "{% for x in y %}{{ sku }}{% endfor %}"])
def test_a_text_that_is_no_template_is_a_fault(text: str) -> None:
    with pytest.raises(MappingError, match=r"Liquid|filter"):
        check_content_id(text)
    check_content_id("{{ product_id }}_{{ sku }}")
