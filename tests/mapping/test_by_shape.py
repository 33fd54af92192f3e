"""Functions for one shape of event give what the function for any event gives; what is learnt is bounded."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.mapping import by_shape
from app.mapping.by_shape import ByShape, generate_by_shape
from app.mapping.compiler import Compiler
from app.mapping.directives import DIRECTIVES
from app.mapping.generate import generate
from app.mapping.nodes import Node
from app.mapping.wanted import NO_READERS
from app.values.candidates import PassedOver
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
        assert outcome(lambda told: by_its_shape(event, told)[0]) == (expected, passed_over)


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
        assert by_its_shape(event, [])[0] == resolve(event, [])


@pytest.mark.usefixtures("at_once")
def test_the_layout_names_the_members_that_events_of_a_shape_can_give() -> None:
    _, layout = generate_by_shape(compiled(MAPPING))({"d": {"m": 5}}, [])
    assert layout is not None
    assert layout.members == (("one", None), ("two", ()))


def test_a_shape_that_came_seldom_and_a_mapping_that_asks_little_have_no_function_of_their_own() -> None:
    resolve = generate_by_shape(compiled(MAPPING))
    layouts = [resolve({"a": {"k": 1}}, [])[1] for _ in range(by_shape.SEEN + 1)]
    assert layouts[: by_shape.SEEN - 1] == [None] * (by_shape.SEEN - 1)
    assert layouts[-1] is not None
    assert generate_by_shape(compiled({"x": {"@path": "$.a"}}))({"a": 1}, []) == ({"x": 1}, None)


def known_shapes(resolve: ByShape, names: list[str]) -> int:
    return sum(resolve({"d": {name: 1}}, [])[1] is not None for name in names)


@pytest.mark.usefixtures("at_once")
def test_what_is_learnt_is_bounded_and_begins_anew_where_other_shapes_come_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_shape, "MAX_FUNCTIONS", 3)
    monkeypatch.setattr(by_shape, "MAX_LEFT_OVER", 20)
    resolve = generate_by_shape(compiled(MAPPING))
    assert known_shapes(resolve, list("klmn")) == 3
    for _ in range(21):
        assert resolve({"d": {"z": 7}}, [])[0] == {"one": 7, "two": {}}
    assert resolve({"d": {"z": 7}}, [])[1] is not None  # there is room again
    assert known_shapes(resolve, list("klmn")) == 2


@pytest.mark.usefixtures("at_once")
def test_orders_and_names_of_members_that_nobody_asks_for_take_no_room_for_functions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(by_shape, "MAX_FUNCTIONS", 1)
    monkeypatch.setattr(by_shape, "MAX_ORDERS", 5)
    resolve = generate_by_shape(compiled(MAPPING))
    for number in range(20):
        value, layout = resolve({f"other {number}": 1, "d": {"z": number}}, [])
        assert value == {"one": number, "two": {}}
        assert layout is not None
    assert resolve({"x" * 5_000: 1, "d": {"z": 3}}, []) == ({"one": 3, "two": {}}, None)  # not learnt from
