"""Functions for one shape of event give what the function for any event gives; what is learnt is bounded."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.core.values.candidates import PassedOver
from app.mapping import by_shape
from app.mapping.by_shape import generate_by_shape
from app.mapping.compiler import Compiler
from app.mapping.directives import DIRECTIVES
from app.mapping.generate import generate
from app.mapping.nodes import Node, Resolver
from app.mapping.wanted import NO_READERS
from tests.mapping.strategies import EVENTS, MAPPED

PLACES = [f"$.{holder}.{name}" for holder in ("a", "b.c", "d") for name in "klmnopqrstuvwxyz"]
MAPPING = {"one": {"@coalesce": [{"@path": path} for path in PLACES]}, "two": {"x": {"@path": "$.a.k"}}}


def compiled(mapping: Any) -> Node:
    compiler = Compiler(DIRECTIVES, NO_READERS, {})
    node = compiler.compile(mapping, "")
    assert not compiler.faults
    return node


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a function of each shape when it first comes."""
    monkeypatch.setattr(by_shape, "SEEN", 1)
    monkeypatch.setattr(by_shape, "_FEW", 1)


@pytest.mark.usefixtures("at_once")
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mapping=MAPPED, event=EVENTS)
def test_a_function_of_one_shape_gives_what_that_for_any_event_gives(mapping: Any, event: dict[str, Any]) -> None:
    node = compiled(mapping)
    resolve, by_its_shape = generate(node), generate_by_shape(node)
    expected, passed_over = outcome(lambda told: resolve(event, told))
    for _ in range(2):  # learnt, then known
        assert outcome(lambda told: by_its_shape(event, told)) == (expected, passed_over)


def outcome(resolve: Any) -> tuple[str, list[PassedOver]]:
    told: list[PassedOver] = []
    return repr(resolve(told)), told


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("properties", [None, 0, False, "", "text", [], [1], {}, {"k": 1}])
def test_what_stands_where_an_object_should_is_told_from_objects_without_members(properties: Any) -> None:
    node = compiled(MAPPING)
    resolve, by_its_shape = generate(node), generate_by_shape(node)
    others: list[Any] = [{}, None, properties]
    events = [{"a": other, "d": {"z": 2}} for other in others]
    for event in [*events, *events]:
        assert by_its_shape(event, []) == resolve(event, [])


def functions_of(resolve: Resolver) -> dict[Any, Any]:
    """The functions that a resolver has made of shapes."""
    found: dict[Any, Any] = bound_in(bound_in(resolve, "any_way"), "learn").__self__._functions
    return found


def bound_in(function: Any, name: str) -> Any:
    """What a name in the text of a generated function stands for."""
    return dict(zip(function.__code__.co_freevars, function.__closure__, strict=True))[name].cell_contents


def test_only_a_shape_that_came_often_has_a_function_of_its_own() -> None:
    resolve = generate_by_shape(compiled(MAPPING))
    for _ in range(by_shape.SEEN - 1):
        assert resolve({"a": {"k": 1}}, []) == {"one": 1, "two": {"x": 1}}
    assert not functions_of(resolve)
    resolve({"a": {"k": 1}}, [])
    assert len(functions_of(resolve)) == 1
    assert resolve({"a": {"k": 2}}, []) == {"one": 2, "two": {"x": 2}}


@pytest.mark.usefixtures("at_once")
def test_what_is_learnt_is_bounded_and_begins_anew_where_other_shapes_come_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_shape, "MAX_FUNCTIONS", 3)
    monkeypatch.setattr(by_shape, "MAX_LEFT_OVER", 20)
    resolve = generate_by_shape(compiled(MAPPING))
    for name in "klmnz":
        assert resolve({"d": {name: 1}}, []) == {"one": 1, "two": {}}
    before = set(functions_of(resolve))
    assert len(before) == 3
    for _ in range(21):
        assert resolve({"d": {"z": 7}}, []) == {"one": 7, "two": {}}
    assert len(functions_of(resolve)) == 1
    assert before.isdisjoint(functions_of(resolve))


@pytest.mark.usefixtures("at_once")
def test_orders_and_names_of_members_that_nobody_asks_for_take_no_room_for_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_shape, "MAX_ORDERS", 5)
    resolve = generate_by_shape(compiled(MAPPING))
    for number in range(20):
        assert resolve({f"other {number}": 1, "d": {"z": number}}, []) == {"one": number, "two": {}}
    assert len(functions_of(resolve)) == 1
    resolve({"x" * 5_000: 1, "a": {"z": 3}}, [])  # not learnt from
    assert len(functions_of(resolve)) == 1


@pytest.mark.usefixtures("at_once")
def test_shapes_that_somebody_invents_keep_others_out_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_shape, "SEEN", 2)
    monkeypatch.setattr(by_shape, "MAX_ORDERS", 10)
    monkeypatch.setattr(by_shape, "MAX_LEFT_OVER", 20)
    resolve = generate_by_shape(compiled(MAPPING))
    for name in "klmnopqrstuv":
        resolve({"d": {name: 1}}, [])
    for _ in range(30):
        assert resolve({"a": {"z": 1}}, []) == {"one": 1, "two": {}}
    assert len(functions_of(resolve)) == 1


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_what_lies_further_in_is_found_whichever_event_came_first(first: int) -> None:
    paths = ["$.a.b.c.d", "$.a.b.e", "$.a.f.g", "$.h"]
    node = compiled({"one": {"@coalesce": [{"@path": path} for path in paths]}})
    by_its_shape = generate_by_shape(node)
    events = [{"a": {"b": b}} for b in ({"c": {"d": 1}}, {"e": 2}, "text", {})]
    for event in (*events[first:], *events[:first], *events):
        assert by_its_shape(event, []) == generate(node)(event, []), event


@pytest.mark.usefixtures("at_once")
def test_what_only_a_deeper_function_looks_at_is_not_taken_for_missing() -> None:
    node = compiled({"@if": {"blank": {"x": {"@sum": [{"@path": "$.a.b"}]}}, "then": {"@path": "$.c"}}})
    by_its_shape = generate_by_shape(node)
    for a in ({"b": 5}, False, {"b": "no number"}) * 2:
        event = {"a": a, "c": 1}
        assert outcome(lambda told: by_its_shape(event, told)) == outcome(lambda told: generate(node)(event, told))  # noqa: B023 - called at once
