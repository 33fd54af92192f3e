"""A choice that is a field of the action can be asked for its next places; what it passes over is told."""

from typing import Any

import pytest
from hypothesis import given

from app.core.values.candidates import Fields
from app.mapping import Readers, compile_mapping
from tests.mapping.strategies import EVENTS, MAPPED, unhurried
from tests.rows import every_row


def path(text: str) -> dict[str, Any]:
    return {"@path": f"$.{text}"}


FIRST_A = {"@coalesce": [path("a"), path("b"), path("c")]}
EVENT = {"a": "x", "b": "undefined", "c": 3, "list": [{"p": " ", "q": "2"}, {"p": "1"}, {"p": {}, "q": []}]}


def fields_of(mapping: Any, event: dict[str, Any] | None = None, readers: Readers | None = None) -> Fields:
    fields = compile_mapping(mapping, readers=readers or Readers()).resolve(event or EVENT)
    assert isinstance(fields, Fields)
    return fields


def found_in(fields: Fields, *path: str) -> list[tuple[str, Any]]:
    """The candidates of a field, by place and value."""
    return [(each.place, each.value) for each in fields.places.candidates(path)]


@every_row(
    ("mapped", "candidates"),
    [
        (FIRST_A, [("a", "x"), ("c", 3)]),
        ({"@if": {"exists": path("a"), "then": FIRST_A, "else": 1}}, [("a", "x"), ("c", 3)]),
        ({"@if": {"exists": path("gone"), "then": 1, "else": FIRST_A}}, [("a", "x"), ("c", 3)]),
        (
            {"@coalesce": [path("gone"), {"@coalesce": [path("c"), path("a")]}, "z"]},
            [("c", 3), ("a", "x"), ("the mapping", "z")],
        ),
        ({"@case": {"operator": "upper", "value": FIRST_A}}, [("a, b, c", "X"), ("a, b, c", 3)]),
        ({"@coalesce": [path("gone")]}, []),
        (path("a"), []),
        ("x", []),
    ],
    ids=str,
)
def test_the_candidates_of_a_field_come_in_order(mapped: Any, candidates: list[tuple[str, Any]]) -> None:
    fields = fields_of({"user_data": {"email": mapped}})

    assert found_in(fields, "user_data", "email") == candidates


def test_a_field_that_the_mapping_does_not_make_has_no_candidates() -> None:
    fields = fields_of({"user_data": {"@coalesce": [path("gone"), path("list[1]")]}, "x": 1})

    assert found_in(fields, "user_data", "p") == found_in(fields, "gone") == []
    assert found_in(fields, "user_data") == [("list[1]", {"p": "1"})]


def test_what_is_passed_over_is_told_with_field_place_and_value() -> None:
    fields = fields_of({"user_data": {"email": {"@coalesce": [path("b"), path("gone"), path("a")]}}})

    (told,) = fields.places.passed_over
    assert (told.field, told.place, told.value) == ("user_data.email", "b", "undefined")


def test_what_later_places_pass_over_is_told_when_they_are_looked_at() -> None:
    fields = fields_of({"email": FIRST_A})

    assert fields.places.passed_over == []
    assert len(list(fields.places.candidates(("email",)))) == 2
    assert [told.place for told in fields.places.passed_over] == ["b"]


@every_row(
    "items",
    [
        [{"p": 1}, {"p": 2, "q": "b"}],
        [{"p": 1}, {"p": " "}, {"q": "b"}],
        [{"p": 1}, "n/a", 3],
        [{}],
        [],
        {"p": 1, "q": "b"},
        '[{"p": 1}]',
        "none",
    ],
)
def test_fields_that_share_a_list_each_find_and_tell_what_they_do_alone(items: Any) -> None:
    ones = {"a": {"@each": ["$.l", {"x": path("p")}]}, "b": {"@each": ["$.l", path("q")]}}
    both = fields_of(ones, {"l": items})
    alone = [fields_of({name: one}, {"l": items}) for name, one in ones.items()]
    assert both == alone[0] | alone[1]
    assert both.places.passed_over == [told for each in alone for told in each.places.passed_over]


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_are_passed_over_in_silence(nothing: Any) -> None:
    assert fields_of({"email": FIRST_A}, {"a": nothing, "c": 1}).places.passed_over == []


def test_an_item_of_a_list_has_the_reader_of_its_part() -> None:
    shape = {"id": {"@coalesce": [path("p"), path("q")]}}
    is_digit = {"contents.id": lambda value: isinstance(value, str) and value.isdigit()}

    fields = fields_of({"contents": {"@arrayPath": ["$.list", shape]}}, readers=Readers(of_parts=is_digit))

    assert fields == {"contents": [{"id": "2"}, {"id": "1"}, {}]}
    assert [(told.field, told.place) for told in fields.places.passed_over] == [
        ("contents.id", "list[*].p"),
        ("contents.id", "list[*].p"),
        ("contents.id", "list[*].q"),
    ]


def test_a_number_is_wanted_in_arithmetic_and_what_is_none_is_told() -> None:
    value = {
        "@coalesce": [{"@multiply": [path("c"), path("a")]}, {"@multiply": [path("c"), {"@coalesce": [path("a"), 2]}]}]
    }

    fields = fields_of({"value": value})

    assert fields == {"value": "6"}
    assert {(told.field, told.place, told.why) for told in fields.places.passed_over} == {
        ("value", "a", "it is no number")
    }


def test_a_privacy_flag_is_passed_over_only_where_it_is_blank() -> None:
    readers = Readers(at_once={"opt_out": lambda value: value is not None})

    assert fields_of({"opt_out": {"@coalesce": [path("b"), path("a")]}}, readers=readers) == {"opt_out": "undefined"}
    allowed = {"@ifAllowed": {"value": {"@coalesce": [path("d"), path("b")]}, "then": 1, "else": 2}}
    assert fields_of({"opt_out": allowed}, EVENT | {"d": " "}) == {"opt_out": 2}


@pytest.mark.slow
@unhurried
@given(value=MAPPED, event=EVENTS)
def test_the_first_candidate_is_what_resolves(value: Any, event: dict[str, Any]) -> None:
    fields = fields_of({"out": value}, {"a": event})

    for candidate in list(fields.places.candidates(("out",)))[:1]:
        assert repr(fields.get("out")) == repr(candidate.value)


@every_row(
    ("mapped", "written"),
    [
        ({"@coalesce": [{"@sum": [path("c"), 1]}, path("a"), path("c")]}, [("a", "x"), ("c", 3)]),
        (
            {"@if": {"exists": path("a"), "then": {"@coalesce": [{"@sum": [path("c")]}, path("c")]}, "else": 1}},
            [("c", 3)],
        ),
        ({"@coalesce": [{"@coalesce": [{"@multiply": [path("c"), 2]}, path("c")]}]}, [("c", 3)]),
        ({"@sum": [{"@coalesce": [path("c"), 1]}]}, []),
        (path("a"), []),
    ],
    ids=str,
)
def test_what_arithmetic_makes_is_not_among_what_is_written(mapped: Any, written: list[tuple[str, Any]]) -> None:
    places = fields_of({"custom_data": {"value": mapped}}).places

    assert [(each.place, each.value) for each in places.written(("custom_data", "value"))] == written
    assert places.passed_over == []


def test_what_is_passed_over_comes_in_the_order_of_the_fields_whatever_is_read_first() -> None:
    nothing = {"@coalesce": [path("b")]}
    mapping = compile_mapping({"first": nothing, "user_data": {"email": nothing, "phone": nothing}, "last": nothing})
    fields = mapping.resolve(EVENT)

    fields.places.told.reverse()
    told = [each.field for each in fields.places.passed_over]
    assert told == ["first", "user_data.email", "user_data.phone", "last"]


@unhurried
@given(value=MAPPED, event=EVENTS)
def test_what_is_recorded_of_a_leaf_is_what_resolves(value: Any, event: dict[str, Any]) -> None:
    mapping = compile_mapping({"out": [value]})  # a list is a leaf, whatever is in it
    fields = mapping.resolve({"a": event})

    explained = {each.path: each.value for each in mapping.explain({"a": event})}
    assert repr(explained) == repr(dict(fields))
