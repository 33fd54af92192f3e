"""Every fault of a mapping is found at compile, with its place and a remedy."""

from typing import Any

import pytest

from app import mapping as without_conditions
from app.catalog.mappings import compile_mapping
from app.errors import Fault, MappingError
from tests.rows import every_row


def faults_of(mapping: Any, prefix: str = "") -> list[Fault]:
    """Compile what cannot be compiled, and give its faults."""
    with pytest.raises(MappingError) as error:
        compile_mapping(mapping, prefix=prefix)
    return list(error.value.faults)


def nested(levels: int) -> dict[str, Any]:
    """Make an object of so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


P = {"@path": "$.a"}
NET = dict.fromkeys(("amount", "tax", "shipping", "total", "discount", "as_sent"), P)
GOODS = {"list": "$.a", "price": ["price"], "quantity": ["quantity"]}

FAULTS = [
    # what stands there, where the fault is, a part of what it says
    ({"@pth": "$.a"}, "", "unknown directive '@pth'; did you mean '@path'?"),
    ({"@PATH": "$.a"}, "", "did you mean '@path'?"),
    ({"@zzzzzz": 1}, "", "unknown directive '@zzzzzz'"),
    ({"@path": "a", "@template": "b"}, "", "one directive and nothing else but it has '@path', '@template'"),
    ({"@path": "a", "x": 1}, "", "one directive and nothing else"),
    ({"@path": 5}, "/@path", "should be a text or a directive but it is a number"),
    ({"@path": ["a"]}, "/@path", "but it is a list"),
    ({"@path": "a" * 501}, "/@path", "longer than 500 characters"),
    ({"@path": "a[*"}, "/@path", "is not a valid JSONPath"),
    ({"@path": "a[?(@.b =~ '(x+)+$')]"}, "/@path", "regular expression"),
    ({"@path": "$.a[?(@.b == $.c)]"}, "/@path", "has a '$' inside a filter"),
    ({"@path": "$..a[*]..b"}, "/@path", "more than one '..'"),
    ({"@path": "a[*].`len`"}, "/@path", "uses Len"),
    ({"@path": "a[?(@.b == word)]"}, "/@path", "is not a valid JSONPath"),
    ({"@template": 5}, "/@template", "should be a text or a directive"),
    ({"@template": "x" * 5_001}, "/@template", "longer than 5000 characters"),
    ({"@template": "{{a[*}}"}, "/@template", "is not a valid JSONPath"),
    ({"@if": "x"}, "/@if", "should be an object with 'exists', 'blank', 'then', 'else' but it is a text"),
    ({"@if": P}, "/@if", "but it is a directive"),
    ({"@if": {"then": 1}}, "/@if", "should have the key 'exists' or 'blank'"),
    ({"@if": {"exists": P, "esle": 1}}, "/@if", "unknown key 'esle'; did you mean 'else'?"),
    ({"@if": {"exists": P, "qqq": 1}}, "/@if", "it takes 'exists', 'blank', 'then', 'else'"),
    ({"@if": {"exists": P, "then": {"q": {"@x": 1}}}}, "/@if/then/q", "unknown directive '@x'"),
    ({"@coalesce": P}, "/@coalesce", "should be a list of values but it is a directive"),
    ({"@coalesce": [1] * 51}, "/@coalesce", "more than 50 values"),
    ({"@coalesce": [1, {"@x": 1}]}, "/@coalesce/1", "unknown directive"),
    ({"@ifAllowed": 5}, "/@ifAllowed", "should be an object"),
    ({"@ifAllowed": {"then": 1}}, "/@ifAllowed", "should have the key 'value'"),
    ({"@ifEquals": 5}, "/@ifEquals", "should be an object"),
    ({"@ifEquals": {"equals": 1}}, "/@ifEquals", "should have the key 'value'"),
    ({"@ifEquals": {"value": 1}}, "/@ifEquals", "should have the key 'equals'"),
    ({"@ifEquals": {"value": 1, "equals": P}}, "/@ifEquals/equals", "a text, number or boolean but it is a directive"),
    ({"@ifEquals": {"value": 1, "equals": None}}, "/@ifEquals/equals", "but it is null"),
    ({"@arrayPath": {}}, "/@arrayPath", "a list of a path and a shape but it is an object"),
    ({"@arrayPath": []}, "/@arrayPath", "a list of a path and a shape"),
    ({"@arrayPath": [5]}, "/@arrayPath/0", "should be a text or a directive"),
    ({"@arrayPath": ["a", {"b": {"@x": 1}}]}, "/@arrayPath/1/b", "unknown directive"),
    ({"@case": 5}, "/@case", "should be an object"),
    ({"@case": {"value": "a"}}, "/@case", "should have the key 'operator'"),
    ({"@case": {"operator": "uper", "value": "a"}}, "/@case/operator", "did you mean 'upper'?"),
    ({"@case": {"operator": "lower", "value": 5}}, "/@case/value", "should be a text or a directive"),
    ({"@replace": 5}, "/@replace", "should be an object"),
    ({"@replace": {"value": "a"}}, "/@replace", "should have the key 'pattern'"),
    ({"@replace": {"value": "a", "pattern": ""}}, "/@replace/pattern", "should not be empty"),
    ({"@replace": {"value": "a", "pattern": "12345678901"}}, "/@replace/pattern", "longer than 10 characters"),
    ({"@replace": {"value": "a", "pattern": 5}}, "/@replace/pattern", "should be a text but it is a number"),
    ({"@replace": {"value": "a", "pattern": "a", "global": 1}}, "/@replace/global", "should be true or false"),
    ({"@merge": 5}, "/@merge", "should be an object"),
    ({"@merge": {"objects": []}}, "/@merge", "should have the key 'direction'"),
    ({"@merge": {"direction": "right"}}, "/@merge", "should have the key 'objects'"),
    ({"@merge": {"direction": "LEFT", "objects": []}}, "/@merge/direction", "did you mean 'left'?"),
    ({"@merge": {"direction": 5, "objects": []}}, "/@merge/direction", "one of 'left', 'right' but it is 5"),
    ({"@merge": {"direction": "left", "objects": P}}, "/@merge/objects", "should be a list but it is a directive"),
    ({"@merge": {"direction": "left", "objects": [1]}}, "/@merge/objects/0", "should be an object or a directive"),
    ({"@transform": 5}, "/@transform", "should be an object"),
    ({"@transform": {"apply": {}}}, "/@transform", "should have the key 'mapping'"),
    ({"@transform": {"apply": "x", "mapping": {}}}, "/@transform/apply", "should be an object or a directive"),
    ({"@flatten": 5}, "/@flatten", "should be an object"),
    ({"@flatten": {"value": P}}, "/@flatten", "should have the key 'separator'"),
    ({"@flatten": {"value": P, "separator": ""}}, "/@flatten/separator", "should not be empty"),
    ({"@json": 5}, "/@json", "should be an object"),
    ({"@json": {"mode": "encode"}}, "/@json", "should have the key 'value'"),
    ({"@json": {"mode": "encode", "value": ""}}, "/@json/value", "should not be empty, 0, false or null"),
    ({"@sum": 5}, "/@sum", "a list of values or a directive that gives one but it is a number"),
    ({"@sum": []}, "/@sum", "a list of values or a directive"),
    ({"@atMost": [1]}, "/@atMost", "a list of an amount and its limit but it is a list"),
    ({"@atMost": P}, "/@atMost", "a list of an amount and its limit but it is a directive"),
    ({"@money": [1, "USD"]}, "/@money", "a directive that gives an amount but it is a list"),
    ({"@productId": [P]}, "/@productId", "should be an object"),
    ({"@productId": {"of": "$.a"}}, "/@productId", "should have the key 'else'"),
    ({"@productId": {"else": P}}, "/@productId/else", "should be a list of values but it is a directive"),
    ({"@productId": {"of": 5, "else": [P]}}, "/@productId/of", "should be a text but it is a number"),
    ({"@netAmount": {**NET, "goods": 5}}, "/@netAmount/goods", "should be a list of objects but it is a number"),
    ({"@netAmount": {**NET, "goods": [5]}}, "/@netAmount/goods/0", "should be an object"),
    ({"@netAmount": {**NET, "goods": [{"list": "$.a"}]}}, "/@netAmount/goods/0", "should have the key 'price'"),
    (
        {"@netAmount": {**NET, "goods": [GOODS | {"price": []}]}},
        "/@netAmount/goods/0/price",
        "list of names of members",
    ),
    ({"@netAmount": {**NET, "goods": [GOODS | {"quantity": 5}]}}, "/@netAmount/goods/0/quantity", "list of names"),
    ({"@queryParameter": 5}, "/@queryParameter", "should be an object"),
    ({"@queryParameter": {"url": P}}, "/@queryParameter", "should have the key 'name'"),
    ({"@queryParameter": {"url": P, "name": 5}}, "/@queryParameter/name", "should be a text"),
    ({"@liquid": 5}, "/@liquid", "should be a text but it is a number"),
    ({"@liquid": "x" * 1_001}, "/@liquid", "longer than 1000 characters"),
    ({"@liquid": "{{ a"}, "/@liquid", "is no Liquid template"),
    ({"@liquid": "{% for i in a %}{% endfor %}"}, "/@liquid", "the tag 'for' cannot be used in mappings"),
    ({"@each": "$.a"}, "/@each", "should be a list of a path, a shape and perhaps a `where` but it is a text"),
    ({"@each": ["$.a"]}, "/@each", "should be a list of a path, a shape"),
    ({"@each": ["$.a", P, {}, {}]}, "/@each", "should be a list of a path, a shape"),
    ({"@each": ["$.a", P, "item.b = 1"]}, "/@each/2", "should be an object with 'where' but it is a text"),
    ({"@each": ["$.a", P, {}]}, "/@each/2", "should have the key 'where'"),
    ({"@each": ["$.a", P, {"when": "item.b = 1", "where": "item.b = 1"}]}, "/@each/2", "unknown key 'when'"),
    ({"@each": ["$.a", P, {"where": 1}]}, "/@each/2/where", "should be a text but it is a number"),
    ({"@each": ["$.a", P, {"where": "b = 1"}]}, "/@each/2/where", "item"),
    ({"@each": ["$.a", P, {"where": "item.b == 1"}]}, "/@each/2/where", "column 8: `==` is not an operator: use =."),
    ({"@liquid": "{{ a | sort }}"}, "/@liquid", "the filter 'sort', which cannot be used"),
    ({"@liquid": "{% if b %}{{ a | upcse }}{% endif %}"}, "/@liquid", "unknown filter 'upcse'; did you mean 'upcase'?"),
    ({"@liquid": "{{ a | append }}"}, "/@liquid", "gives the filter 'append' the wrong arguments"),
    (nested(40), "/a" * 39, "nested deeper than 40 levels"),
    ({5: 1}, "", "has the key 5, which should be text"),
    (b"bytes", "", "should be a JSON value but it is a bytes"),
    ({"a/b~c": {"@x": 1}}, "/a~1b~0c", "unknown directive"),
]


@every_row(("value", "path", "message"), FAULTS, ids=[f"{path} {text}"[:80] for _, path, text in FAULTS])
def test_a_fault_names_its_place_and_the_remedy(value: Any, path: str, message: str) -> None:
    found = faults_of({"out": value})

    assert [fault.path for fault in found] == [f"/out{path}"]
    assert message in found[0].message


def test_where_needs_conditions() -> None:
    with pytest.raises(MappingError, match="/out/@each/2/where: should be a condition, which this mapping cannot have"):
        without_conditions.compile_mapping({"out": {"@each": ["$.a", P, {"where": "item.b = 1"}]}})


def test_all_faults_are_reported_at_once_below_the_prefix() -> None:
    mapping = {"a": {"@one": 1}, "b": [{"@two": 1}], "c": {"@if": {"exists": {"@x": 1}, "then": {"@y": 1}}}}

    paths = [fault.path for fault in faults_of(mapping, prefix="/mapping")]

    assert paths == ["/mapping/a", "/mapping/b/0", "/mapping/c/@if/exists", "/mapping/c/@if/then"]


@every_row("mapping", ["text", 5, None, [], True])
def test_a_mapping_is_an_object(mapping: Any) -> None:
    assert "should be an object" in faults_of(mapping)[0].message


@pytest.mark.slow
def test_a_mapping_that_is_too_large_is_told_once() -> None:
    assert faults_of({"out": [{"@x": 0}] * 5_000})[-1] == Fault("", "has more than 5000 values; split it")


def test_values_that_are_taken_from_another_mapping_count_too() -> None:
    shared = {"list": [0] * 3_000}
    like = compile_mapping({"a": shared})
    assert compile_mapping({"a": shared, "b": [0] * 1_900}, like=like).resolve({})["b"] == [0] * 1_900
    with pytest.raises(MappingError, match="has more than 5000 values"):
        compile_mapping({"b": [0] * 2_100, "a": shared}, like=like)


@pytest.mark.slow
def test_a_deep_json_is_a_fault_and_no_crash() -> None:
    assert faults_of({"out": nested(100_000)})[0].message.startswith("is nested deeper")
