"""Our schema and Pinterest's own give the same verdict on the same bodies."""

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from app.sandbox.judge import MAX_EVENTS, UNLISTED, Check, call_problem, compile_schema, event_schema, resolved
from app.sandbox.judge import description as with_unlisted
from tests.rounds import examples
from tests.rows import every_row
from tests.sandbox.events import pinterest_event

Schema = dict[str, Any]
Path_ = tuple[str, ...]


@pytest.fixture(scope="module")
def description() -> Schema:
    """Pinterest's description, with what it requires in prose and what it does not list."""
    return with_unlisted()


@pytest.fixture(scope="module")
def pinterest(description: Schema) -> OAS30Validator:
    """Pinterest's verdict."""
    root = {"$ref": "#/components/schemas/ConversionEvents", "components": description["components"]}
    return OAS30Validator(root, format_checker=oas30_format_checker)


def fields(schema: Schema, description: Schema, path: Path_ = ()) -> Iterator[tuple[Path_, Schema]]:
    """Yield every field of the event, at any depth, with its schema; `[]` in a path is a member of a list."""
    schema = resolved(schema, description)
    if path:
        yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from fields(member, description, (*path, name))
    if "items" in schema:
        yield from fields(schema["items"], description, (*path, "[]"))


def candidates(schema: Schema) -> list[Any]:
    """List values at and beyond every bound of the field, and of every other type."""
    bounds = [schema[name] + step for name in ("minimum", "maximum") if name in schema for step in (-1, 0, 1)]
    lengths = [schema["maxLength"] + step for step in (0, 1)] if "maxLength" in schema else []
    items = [["en"] * (schema["maxItems"] + step) for step in (0, 1)] if "maxItems" in schema else []
    wide = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1] if schema.get("format") == "int64" else []
    junk = [None, True, False, 0, 7, -7, 1.0, 1.5, "", "x", "7", [], ["x"], [7], [None], [["x"]], {}, {"x": 7}]
    return [*junk, *bounds, *("x" * length for length in lengths), *items, *wide, *schema.get("enum", [])]


def with_value(path: Path_, value: Any) -> Schema:
    """Build a valid event and put the value at the path."""
    event: Any = pinterest_event()
    place: Any = {"data": [event]}
    steps: list[Any] = ["data", 0, *(0 if step == "[]" else step for step in path)]
    for step, following in pairwise(steps):
        empty: Any = [None] if following == 0 else {}
        if isinstance(place, list):
            place[0] = place[0] or empty
        elif not place.get(step):
            place[step] = empty
        place = place[step]
    place[steps[-1]] = value
    return {"data": [event]}


def assert_same_verdict(pinterest: OAS30Validator, body: Any) -> bool:
    ours, theirs = call_problem(body), next(iter(pinterest.iter_errors(body)), None)
    assert (ours is None) == (theirs is None), f"{body}: ours {ours!r}, Pinterest's {theirs!r}"
    return ours is None


@pytest.mark.slow
def test_every_field_at_and_beyond_each_bound_and_of_every_other_type(
    description: Schema, pinterest: OAS30Validator
) -> None:
    verdicts = [
        assert_same_verdict(pinterest, with_value(path, value))
        for path, schema in fields(event_schema(description), description)
        for value in candidates(schema)
    ]

    assert len(verdicts) > 2_000
    assert 200 < sum(verdicts) < len(verdicts) - 200  # both verdicts are well represented


def test_an_unknown_key_is_refused_in_every_object_but_user_data(
    description: Schema, pinterest: OAS30Validator
) -> None:
    objects = [path for path, schema in fields(event_schema(description), description) if "properties" in schema]

    verdicts = {path: assert_same_verdict(pinterest, with_value((*path, "new"), "x")) for path in [(), *objects]}

    assert verdicts == {path: path == ("user_data",) for path in verdicts}  # it alone is open


@pytest.mark.parametrize("key", ["event_name", "action_source", "event_time", "user_data", "event_id", "custom_data"])
def test_a_missing_key_is_judged_as_by_the_description(key: str, pinterest: OAS30Validator) -> None:
    assert_same_verdict(pinterest, {"data": [pinterest_event(**{key: None})]})


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("ph",),
        ("em",),
        ("hashed_maids",),
        ("client_ip_address",),
        ("client_user_agent",),
        ("client_ip_address", "client_user_agent"),
        ("em", "client_ip_address"),
        ("external_id", "click_id"),
    ],
)
def test_a_set_of_identifiers_is_judged_as_by_the_description(keys: tuple[str, ...], pinterest: OAS30Validator) -> None:
    values = {"client_ip_address": "203.0.113.7", "client_user_agent": "x", "click_id": "x"}
    user_data = {key: values.get(key, ["x"]) for key in keys}
    assert_same_verdict(pinterest, {"data": [pinterest_event(user_data=user_data)]})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"data": None},
        {"data": {}},
        {"data": []},
        {"data": [None]},
        {"data": [[]]},
        {"data": ["x"]},
        {"data": [pinterest_event()], "more": 1},
        {"data": [pinterest_event()] * MAX_EVENTS},
        {"data": [pinterest_event()] * (MAX_EVENTS + 1)},
        {"data": [pinterest_event(), pinterest_event(event_id=None)]},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_the_shape_of_a_call(body: Any, pinterest: OAS30Validator) -> None:
    assert_same_verdict(pinterest, body)


@every_row(
    "schema",
    [
        {},
        {"type": "number"},
        {"type": "string", "pattern": "^x$"},
        {"type": "string", "format": "uri"},
        {"type": "integer", "format": "int32"},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}},
        {"type": "object", "properties": {}, "anyOf": []},
        {"allOf": [{"type": "string"}], "minLength": 1},
        {"oneOf": [{"type": "string"}]},
    ],
    ids=str,
)
def test_a_rule_that_the_sandbox_cannot_check_stops_it(schema: Schema) -> None:
    with pytest.raises(ValueError, match="the sandbox cannot check all of"):
        compile_schema(schema, {})


@every_row(
    ("path", "is_open"),
    [
        ((), False),
        (("user_data",), True),
        (("custom_data",), False),
        (("custom_data", "contents", "[]"), False),
        (("device_info",), False),
        (("app_info",), False),
    ],
)
def test_a_member_that_no_description_lists_is_taken_and_checked_in_every_object(
    path: Path_,
    is_open: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = with_unlisted()
    rows: Any = UNLISTED
    monkeypatch.setitem(rows, path, {"newer": {"type": "string", "maxLength": 5}})
    description = with_unlisted()
    check = compile_schema(event_schema(description), description["components"]["schemas"])
    listed = compile_schema(event_schema(before), before["components"]["schemas"])

    def faults(value: Any, check: Check) -> int:
        return len(check(with_value((*path, "newer"), value)["data"][0]))

    assert [faults(value, check) for value in ("short", "longer", 7)] == [0, 1, 1]
    assert faults("short", listed) == (0 if is_open else 1)


def test_an_enumeration_by_reference_is_checked() -> None:
    """5.28 refers to named enumerations by an `allOf` of one member."""
    check = compile_schema(
        {"allOf": [{"$ref": "#/x/Kind"}], "nullable": True}, {"Kind": {"type": "string", "enum": ["a"]}}
    )
    assert [bool(check(value)) for value in ("a", None, "b", 7)] == [False, False, True, True]


@given(data=st.data())
@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_several_changes_at_once(data: st.DataObject, description: Schema, pinterest: OAS30Validator) -> None:
    known = list(fields(event_schema(description), description))
    body = {"data": [pinterest_event()]}
    for path, schema in data.draw(st.lists(st.sampled_from(known), max_size=4)):
        value = data.draw(st.sampled_from(candidates(schema)))
        changed = with_value(path, value)["data"][0]
        body["data"].append(copy.deepcopy(changed))
    assert_same_verdict(pinterest, body)
