"""Names and kinds leave an event, never values."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.values.event_names import CHECKOUT
from app.insights.inventory.counting import LOOKED_FOR, Sampler, properties_of
from app.insights.inventory.figures import split_label
from app.outbox.inventory import MAX_PROPERTIES
from app.pipeline.received_names import kept_name
from tests.assembled import shipped_catalog
from tests.rows import every_row
from tests.whole.planted import PLANTED

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def event(properties: Any = None, **members: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": "m", "properties": properties or {}, **members}


@every_row(
    ("properties", "found"),
    [
        ({"total": 3, "rate": 0.5}, ["properties.total number", "properties.rate number"]),
        ({"coupon": "X", "gift": True, "tax": None}, ["coupon text", "gift yes or no", "tax nothing"]),
        ({"products": [{"price": 1}, {"other": 2}]}, ["products list", "products[].price number"]),
        ({"tags": ["a", 1]}, ["tags list", "tags[] text"]),
        ({"address": {"city": "Ulm"}}, ["address object", "address.city text"]),
        ([], []),
        ("a text", []),
    ],
)
def test_properties_are_told_by_path_and_kind(properties: Any, found: list[str]) -> None:
    expected = [each if each.startswith("properties.") else f"properties.{each}" for each in found]
    assert properties_of(event(properties)) == expected


def test_traits_are_told_beside_properties() -> None:
    assert properties_of({"type": "identify", "traits": {"plan": "x"}}) == ["traits.plan text"]


@every_row(
    ("given_name", "kept"),
    [
        ("Order Completed", "Order Completed"),
        ("Bestellung für Jürgen", "Bestellung für Jürgen"),
        ("jane@shop.example", "[redacted]"),
        ("Mail jane@shop.example sent", "Mail [redacted] sent"),
        ("Call +49 170 1234567", "Call [redacted]"),
        ("/reset?token=abc", "/reset?token=[redacted]"),
        ("a\0b", "a\ufffdb"),
    ],
)
def test_what_is_personal_in_a_name_is_hidden(given_name: str, kept: str) -> None:
    assert kept_name(given_name) == kept


def test_a_name_that_is_none_is_kept_as_its_digest() -> None:
    assert len(kept_name("x" * 300)) == 64


def test_a_property_that_is_named_after_a_person_is_hidden() -> None:
    assert properties_of(event({"jane@shop.example": 1})) == ["properties.[redacted] number"]


@pytest.mark.slow
@given(value=JSON)
def test_of_any_event_at_most_so_many_paths_are_told_and_each_ends_with_its_kind(value: Any) -> None:
    found = properties_of(event(value, traits=value))
    assert len(found) <= MAX_PROPERTIES
    assert all(split_label(label)[0].startswith(("properties.", "traits.")) for label in found)


@given(planted=st.sampled_from(PLANTED), wide=st.integers(1, 200))
def test_no_value_is_told(planted: str, wide: int) -> None:
    made = event({f"n{n}": planted for n in range(wide)} | {"deep": [{"x": planted}]}, traits={"email": planted})
    assert planted not in orjson.dumps(properties_of(made)).decode()


@pytest.mark.parametrize("name", ["Order Completed", "order completed", "Product Viewed"])
def test_what_is_found_is_what_the_mapping_finds(name: str) -> None:
    catalog = shipped_catalog()
    example = next(preset.example for preset in catalog.presets if preset.name == "Order Completed")
    assert example is not None
    found = Sampler(lambda: catalog).found_in({**example, "event": name})
    wanted = {"value", "currency", "order id", "product ids", "e-mail", "external id", "IP address", "user agent"}
    assert set(found) - {CHECKOUT} == wanted
    assert (CHECKOUT in found) == (name == "Order Completed")


@pytest.mark.parametrize("block", ["properties", "context", "traits"])
def test_a_phone_number_is_found_in_whichever_block_it_stands(block: str) -> None:
    person: dict[str, Any] = {"phone": "+4930901820"}
    given = {**event(), "event": "Order Completed", block: {"traits": person} if block == "context" else person}
    assert "phone" in Sampler(shipped_catalog).found_in(given)
    assert "phone" not in Sampler(shipped_catalog).found_in({**event(), "event": "Order Completed"})


def test_all_that_is_looked_for_is_a_field_of_the_action() -> None:
    catalog = shipped_catalog()
    groups = {group: set(catalog.action.fields[group].properties or {}) for group, _ in LOOKED_FOR.values()}
    assert [label for label, (group, member) in LOOKED_FOR.items() if member not in groups[group]] == []


def test_of_an_event_that_cannot_be_mapped_nothing_is_found() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"x": deep}
    assert Sampler(shipped_catalog).found_in({**event(deep), "event": "Order Completed", "context": deep}) is not None
