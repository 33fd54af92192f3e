"""Liquid templates give what LiquidJS 10 gave for them, and nothing makes them raise."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

import app.mapping.liquid.template  # noqa: F401 - imported on demand, and measured only where that is done here
from app.errors import MappingError
from app.mapping import MISSING, compile_mapping
from app.mapping.liquid.filters import DISABLED_FILTERS, FILTERS
from tests.mapping.strategies import JSON, unhurried
from tests.rows import every_row

#: Templates of ours; the results were recorded by running Segment's engine with the time zone UTC.
RECORDED = json.loads((Path(__file__).parent / "liquid_results.json").read_text(encoding="utf-8"))


def render(template: str, event: dict[str, Any]) -> Any:
    return compile_mapping({"out": {"@liquid": template}}).resolve(event).get("out", MISSING)


@pytest.mark.slow
def test_every_template_gives_what_liquidjs_gives() -> None:
    assert {template: render(template, RECORDED["event"]) for template in RECORDED["results"]} == RECORDED["results"]


DIFFERENT = [
    # template, our result, why LiquidJS's is not followed
    ("{{ 'Été' | slugify: 'latin' }}", "ete"),  # LiquidJS leaves capitals their accents
    ("{{ 'now' | date: '%Y' }}", "now"),  # a result depends on the event alone
    ("{{ 1767225600000 | date: '%Y' }}", "1767225600000"),  # the year 57971 is no date to Python
    ("{{ true | date: '%Y' }}", "true"),
    ("{{ 'a' | base64_decode }}", ""),  # LiquidJS loses the event
    ("{{ 0 | date: '%Y', 'Nowhere/Land' }}", "0"),
    ("{{ 0 | date: '%H:%M %z', 90 }}", "22:30 -0130"),
    ("{{ 'a b' | truncate: nope }}", "a b"),
    ("{{ huge | floor }}", "Infinity"),
    ("{{ huge | round }}", "Infinity"),
    ("{{ huge | modulo: 2 }}", "NaN"),
    ("{{ 12345678901234567890 | round: 2 }}", "12345678901234567000"),
    ("{{ huge | plus: 1 }}", "Infinity"),
    ("{{ low | plus: 1 }}", "-Infinity"),
    (r"{{ '\ud83d\udc4d' }}", "\U0001f44d"),  # as LiquidJS
    (r"{{ '\ud83d' }}", "\ufffd"),  # half an emoji is no text
]


@every_row(("template", "expected"), DIFFERENT)
def test_where_we_differ_from_liquidjs(template: str, expected: str) -> None:
    assert render(template, {"huge": 10**400, "low": -(10**400)}) == expected


@unhurried
@given(
    name=st.sampled_from(sorted(FILTERS)),
    value=JSON,
    arguments=st.lists(JSON, max_size=3),
)
def test_no_value_makes_a_filter_raise(name: str, value: Any, arguments: list[Any]) -> None:
    names = [f"a{index}" for index in range(len(arguments))]
    template = f"{{{{ v | {name}{': ' if names else ''}{', '.join(names)} }}}}"
    try:
        mapping = compile_mapping({"out": {"@liquid": template}})
    except MappingError:
        reject()  # a count of arguments that the filter does not take

    out = mapping.resolve({"v": value, **dict(zip(names, arguments, strict=True))}).get("out", "")

    assert isinstance(out, str)


@unhurried
@given(operator=st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "contains"]), left=JSON, right=JSON)
def test_no_values_make_a_comparison_raise(operator: str, left: Any, right: Any) -> None:
    template = f"{{% if l {operator} r %}}yes{{% else %}}no{{% endif %}}"

    assert render(template, {"l": left, "r": right}) in ("yes", "no")


@every_row(
    "template",
    ["{{ (1..n) }}", "{{ (1..n) | size }}", "{% assign r = (1..n) %}{{ r[0] }}", "{% assign r = (1..n) %}{{ r.size }}"],
)
@every_row("n", [10**5, 10**30])
def test_a_range_that_an_event_makes_too_large_leaves_the_field_out(template: str, n: int) -> None:
    assert render(template, {"n": n}) is MISSING


def test_an_item_that_is_no_object_has_no_variables() -> None:
    value = {"@arrayPath": ["$.l", {"x": {"@liquid": "[{{ a }}]"}}]}

    assert compile_mapping({"out": value}).resolve({"l": [1, {"a": 2}]}) == {"out": [{"x": "[]"}, {"x": "[2]"}]}


def test_no_disabled_filter_is_there() -> None:
    assert not DISABLED_FILTERS & FILTERS.keys()
