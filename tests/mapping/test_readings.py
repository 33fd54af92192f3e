"""The explanation of an event names, for each leaf, the paths that gave it."""

from typing import Any

from app.mapping import Explanation, Read, compile_mapping

EVENT: dict[str, Any] = {
    "userId": "U-7",
    "traits": {"email": "", "first": "Ana"},
    "properties": {"email": "a@b.example", "products": [{"sku": "p1"}]},
}


def explain(value: Any) -> list[Explanation]:
    return list(compile_mapping({"user_data": {"x": value}}).explain(EVENT))


def only(value: Any) -> Explanation:
    (explanation,) = explain(value)
    return explanation


def test_a_path_is_named_with_its_raw_value() -> None:
    value = {"@case": {"operator": "upper", "value": {"@path": "$.properties.email"}}}

    assert only(value) == Explanation(
        path="user_data.x",
        value="A@B.EXAMPLE",
        reads=(Read(path="properties.email", value="a@b.example"),),
    )


def test_of_a_choice_only_the_winner_is_named() -> None:
    value = {"@coalesce": [{"@path": "$.traits.email"}, {"@path": "$.properties.email"}, {"@path": "$.userId"}]}

    assert [read.path for read in only(value).reads] == ["properties.email"]


def test_a_condition_that_was_read_is_named_too() -> None:
    value = {"@if": {"exists": {"@path": "$.userId"}, "then": {"@path": "$.traits.first"}}}

    assert [read.path for read in only(value).reads] == ["userId", "traits.first"]


def test_a_tested_condition_chooses_the_branch() -> None:
    value = {"@ifEquals": {"value": {"@path": "$.userId"}, "equals": "no", "then": 1, "else": {"@path": "$.userId"}}}

    assert only(value).value == "U-7"


def test_lists_objects_and_queries_are_read_through() -> None:
    value = {"@json": {"mode": "encode", "value": {"a": [{"@path": "$.properties.products[*].sku"}, {"@path": "$.q"}]}}}

    explanation = only(value)

    assert explanation.value == '{"a":[["p1"],null]}'
    assert explanation.reads == (Read(path="properties.products[*].sku", value=["p1"]),)


def test_what_stands_in_the_mapping_was_read_nowhere() -> None:
    assert only("web").reads == ()


def test_a_leaf_that_gives_nothing_is_left_out() -> None:
    assert explain({"@coalesce": [{"@path": "$.gone"}]}) == []


def test_a_mapping_that_is_one_directive_is_one_leaf() -> None:
    (explanation,) = compile_mapping({"@path": "$.userId"}).explain(EVENT)

    assert (explanation.path, explanation.value) == ("", "U-7")
