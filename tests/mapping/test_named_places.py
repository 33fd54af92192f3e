"""Which places of an event the text of a mapping names."""

from typing import Any

from app.mapping import named_places
from tests.rows import every_row

LIST = "$.properties.items"


@every_row(
    ("mapping", "places"),
    [
        ({"value": {"@path": "$.properties.total"}}, {"properties.total"}),
        ({"value": "properties.total", "flag": True, "none": None, "list": [1, "a"]}, set()),
        (
            {"@coalesce": [{"@path": "$.a"}, {"@if": {"blank": {"@path": "b"}, "then": {"@path": "c"}}}]},
            {"a", "b", "c"},
        ),
        ({"@if": {"exists": {"@path": "$.list"}, "then": 1, "else": {"@path": "$.a"}}}, {"list.", "a"}),
        ({"@path": "$.properties.products[*].sku"}, {"properties.products.sku"}),
        ({"@path": "$.products[0].sku"}, {"products.sku"}),
        ({"@path": "products.0.sku"}, {"products.sku"}),
        ({"@path": "$.list[?(@.kind == 'a')].sku"}, {"list"}),
        ({"@path": '$["unit price"].a'}, {"unit price.a"}),
        ({"@path": "$"}, {""}),
        ({"@path": "$..sku"}, {""}),
        ({"@path": "$.a.*.b"}, {""}),
        ({"@path": {"@path": "$.which"}}, {"which"}),
        ({"@template": "{{a.b}} and {{{ c }}}"}, {"a.b", "c"}),
        (
            {"@liquid": "{% if a.b %}{{ items[0].sku | upcase }}{% endif %}"},
            {"if", "a.b", "items.sku", "upcase", "endif"},
        ),
        (
            {"@each": [LIST, {"id": {"@path": "$.sku"}, "all": {"@path": "$"}}]},
            {"properties.items.sku", "properties.items"},
        ),
        (
            {"@each": [LIST, {"@path": "$.sku"}, {"where": 'item.type != "child" and item.parent.id = null'}]},
            {"properties.items.sku", "properties.items.type.", "properties.items.parent.id."},
        ),
        ({"@arrayPath": [LIST, {"id": {"@path": "$.sku"}}]}, {"properties.items.sku"}),
        ({"@arrayPath": [LIST]}, {"properties.items"}),
        ({"@arrayPath": [{"@path": LIST}, {"id": {"@path": "$.sku"}}]}, {"properties.items", "sku"}),
        ({"@transform": {"apply": {"a": {"@path": "$.b"}}, "mapping": {"c": {"@path": "$.a"}}}}, {"b"}),
        ({"@merge": {"direction": "right", "objects": [{"@path": "$.a"}, {"b": {"@path": "$.c"}}]}}, {"a", "c"}),
        (
            {
                "@blocks": {
                    "members": {"city": ["city", "ct"]},
                    "within": ["address"],
                    "places": ["$.traits", {"place": "$.u"}],
                }
            },
            {
                f"{place}{within}.{name}"
                for place in ("traits", "u")
                for within in ("", ".address")
                for name in ("city", "ct")
            },
        ),
        (
            {
                "@blocks": {
                    "members": {},
                    "beside": {"email": ["email"]},
                    "places": [],
                    "recipients": [{"place": "$.to", "members": {"name": ["name"]}}],
                }
            },
            {"to.name", "to.email"},
        ),
    ],
)
def test_a_mapping_names_places(mapping: Any, places: set[str]) -> None:
    assert set(named_places(mapping)) == places


def test_every_id_of_a_product_is_named_since_a_setting_chooses_one() -> None:
    found = set(named_places({"@each": [LIST, {"@productId": {"else": [{"@path": "$.own"}]}}]}))
    assert {f"properties.items.{name}" for name in ("own", "product_id", "variant_id", "sku")} <= found
    assert "properties.sku" in set(named_places({"@productId": {"of": "$.properties", "else": []}}))
