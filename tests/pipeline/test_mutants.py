"""`pinrelay test --mutants`: which changes of a file no test finds, and whether a suggested test finds the change."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.catalog.catalog import Draft
from app.catalog.document import read_document
from app.catalog.mutations import changes
from app.errors import CatalogError
from app.pipeline.mapping_cases import MappingCases
from app.pipeline.mutants import Mutant, Mutants
from tests.assembled import settings
from tests.pipeline import guarded
from tests.process import ROOT
from tests.rounds import LEVEL

ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "timestamp": "2026-11-25T10:15:00.000Z",
    "context": {"traits": {"email": "Ada@Example.com"}},
    "properties": {"order_id": "SO-1", "revenue": 20.5, "currency": "USD", "products": [{"product_id": "P-1"}]},
}
PRESET: dict[str, Any] = {
    "name": "Own order",
    "subscribe": 'type = "track" AND (event = "Order Paid" OR event = "Order Placed")',
    "action": "report_conversion_event",
    "mapping": {
        "event_name": "checkout",
        "custom_data": {
            "value": {
                "@coalesce": [
                    {"@path": "$.properties.total"},
                    {"@sum": [{"@path": "$.properties.goods"}, {"@path": "$.properties.extras"}]},
                ]
            },
            "content_name": {"@case": {"operator": "lower", "value": {"@path": "$.properties.label"}}},
            "content_category": {"@template": "shop {{properties.kind}}"},
        },
        "user_data": {"email": {"@path": "$.properties.mail"}},
    },
    "example": {**ORDER, "event": "Order Paid", "properties": {"order_id": "1", "mail": "ada@example.com"}},
}
#: For each change of the preset the beginning of the sentence.
SENTENCES = [
    "`AND` can become `OR` in `subscribe`",
    'the condition `type = "track"` can be removed from `subscribe`',
    'the condition `type = "track"` can be negated in `subscribe`',
    "`OR` can become `AND` in `subscribe`",
    'the condition `event = "Order Paid"` can be removed from `subscribe`',
    'the condition `event = "Order Paid"` can be negated in `subscribe`',
    'the condition `event = "Order Placed"` can be removed from `subscribe`',
    'the condition `event = "Order Placed"` can be negated in `subscribe`',
    "`event_name` can be removed",
    "the text `checkout` in `event_name` can change",
    "`custom_data.value` can be removed",
    "`$.properties.total` can be removed from `custom_data.value`",
    "`@sum` of `$.properties.goods` can be removed from `custom_data.value`",
    "`$.properties.goods` can be removed from `custom_data.value`",
    "`$.properties.extras` can be removed from `custom_data.value`",
    "`@sum` in `custom_data.value` can become `@subtract`",
    "`$.properties.total` and `@sum` of `$.properties.goods` can change places in `custom_data.value`",
    "`custom_data.content_name` can be removed",
    "`$.properties.label` in `custom_data.content_name` can be another path",
    "`@case` can be removed from `custom_data.content_name`",
    "`custom_data.content_category` can be removed",
    "`{{properties.kind}}` in `custom_data.content_category` can be another path",
    "`user_data.email` can be removed",
    "`$.properties.mail` in `user_data.email` can be another path",
    "the preset can be disabled",
]


IS_POS, IS_WEB = (
    {"@ifEquals": {"value": {"@path": "$.properties.channel"}, "equals": name, "then": name}} for name in ("pos", "web")
)
HAS_PAGE = {"@if": {"exists": {"@path": "$.context.page"}, "then": "web"}}
PATHS = [{"@path": "$.properties.a"}, {"@path": "$.properties.b"}, {"@path": "$.properties.c"}]


def mutants(draft: Draft, **more: Any) -> list[Mutant]:
    return list(Mutants(assemble.file_tests(), assemble.running_catalog(settings()), draft, **more).run())


def of_preset(*tests: dict[str, Any], **more: Any) -> list[Mutant]:
    text = json.dumps({**PRESET, "tests": [{"name": f"test {number}", **test} for number, test in enumerate(tests)]})
    return mutants(Draft(presets={"own.yaml": text}), **more)


def test_each_place_condition_and_function_is_changed() -> None:
    found = of_preset()
    assert sorted(each.sentence for each in found) == sorted(SENTENCES)
    assert {each.sentence for each in found if each.is_found} == {
        "`event_name` can be removed",  # the changed file is refused
        "the text `checkout` in `event_name` can change",
        "`AND` can become `OR` in `subscribe`",  # the preset takes examples of shipped presets
        'the condition `event = "Order Paid"` can be negated in `subscribe`',
        'the condition `event = "Order Placed"` can be negated in `subscribe`',
    }


@pytest.mark.parametrize(
    ("value", "swaps"),
    [
        ({"@coalesce": PATHS}, 2),
        ({"@subtract": PATHS}, 1),  # the subtrahends can be in any order
        ({"@sum": PATHS}, 0),
        ({"@coalesce": [IS_POS, IS_WEB]}, 0),  # at most one has a result
        ({"@coalesce": [IS_WEB, HAS_PAGE]}, 0),  # both have the same result
        ({"@coalesce": [IS_POS, HAS_PAGE]}, 1),
        ({"@coalesce": [IS_WEB, PATHS[0]]}, 1),
        ({"@coalesce": [PATHS[0], "none"]}, 1),
        (
            {
                "@coalesce": [
                    {"@if": {"exists": PATHS[1], "then": PATHS[0]}},
                    {"@if": {"exists": PATHS[2], "then": PATHS[0]}},
                ]
            },
            0,
        ),
        ({"@if": {"exists": {"@coalesce": PATHS}, "then": PATHS[0]}}, 0),
        ({"@if": {"blank": {"@coalesce": PATHS}, "then": PATHS[0]}}, 2),
    ],
    ids=str,
)
def test_options_change_places_if_their_order_counts(value: Any, swaps: int) -> None:
    preset = {"mapping": {"custom_data": {"content_name": value}}}
    assert sum("can change places" in each.sentence for each in changes(preset)) == swaps


def test_a_suggested_test_finds_its_change_and_together_they_find_all() -> None:
    suggested = [each.suggestion for each in of_preset() if each.suggestion]
    left = [str(each) for each in of_preset(*suggested) if not each.is_found]
    assert left == []


def test_a_recorded_event_is_preferred_for_a_suggested_test() -> None:
    recorded = {**ORDER, "event": "Order Paid", "properties": {"total": 99, "mail": "eva@example.com"}}
    found = {each.sentence: each.suggestion for each in of_preset(recorded=[recorded])}
    suggestion = found["`$.properties.total` can be removed from `custom_data.value`"]
    assert suggestion is not None
    assert (suggestion["event"], suggestion["expect"]) == (recorded, {"fields": {"custom_data.value": "99"}})


def test_a_mutant_names_file_line_and_change() -> None:
    text = (ROOT / "presets/search.yaml").read_text("utf-8")
    first, *_ = mutants(Draft(presets={"search.yaml": text}))
    assert str(first).startswith("search.yaml:")
    line = text.splitlines()[first.line - 1]
    assert re.match(r"subscribe|name|enabled", line)


PROVED = pytest.mark.prove


def shipped(kind: str, name: str) -> Draft:
    file = ROOT / kind / f"{name}.yaml"
    return Draft(**{kind: {str(file): file.read_text("utf-8")}})


#: Files that `make test` measures too, because a change of `app/` can lower their result.
MEASURED = (
    "sources/hightouch.yaml",
    "sources/snowplow.yaml",
    "presets/search.yaml",
    *[each for each in guarded.shipped_files() if each.startswith("presets/")][::9],
)


@PROVED
@pytest.mark.parametrize("name", guarded.shipped_files())
def test_at_least_98_percent_of_the_changes_of_a_shipped_file_are_found(name: str) -> None:
    """`make prove` measures each file, `make test` some files, and files that changed since they were recorded."""
    result, left = guarded.recorded().get(name, {}), [f"run `python -m tests.pipeline.guarded {name}`"]
    if LEVEL == "prove" or name in MEASURED or result.get("digest") != guarded.digest(name):
        result, left = guarded.measure(name)
    assert result["found"] >= guarded.LEAST * result["changes"], left


@pytest.mark.parametrize("count", [5, pytest.param(60, marks=PROVED)])
def test_the_verdict_on_a_change_of_the_mapping_is_that_of_all_tests(count: int) -> None:
    draft = shipped("mappings", "report_conversion_event")
    ((file, text),) = draft.mappings.items()
    running, tests, value = assemble.running_catalog(settings()), assemble.file_tests(), read_document(text).value
    base = draft.over(running)
    cases = MappingCases(tests, running, base, running.preset_texts, value)
    for change in random.Random(count).sample(list(changes(value)), count):
        changed = cases.changed(change.value)
        is_found = changed is None or cases.finds(changed)
        try:
            catalog = Draft(mappings={file: json.dumps(change.value)}).over(running)
        except CatalogError:
            assert is_found, change.sentence
        else:
            assert is_found == any(each.differences for each in tests.run(catalog)), change.sentence


@pytest.mark.slow
def test_a_mapping_and_a_source_are_changed_too(tmp_path: Path) -> None:
    mapping = {
        "name": "Own",
        "description": "Fewer fields.",
        "fields": {
            "event_name": {"label": "Name", "description": "Name.", "type": "string", "required": True},
            "person_blocks": {
                "label": "People",
                "description": "Blocks.",
                "type": "object",
                "properties": {},
                "default": {"@blocks": {"members": {"city": ["city", "town"]}, "places": ["$.traits"], "within": []}},
            },
            "user_data": {
                "label": "User",
                "description": "Person.",
                "type": "object",
                "properties": {
                    "email": {
                        "label": "Email",
                        "description": "Email.",
                        "type": "string",
                        "default": {"@coalesce": [{"@path": "$.traits.email"}, {"@path": "$.mail"}]},
                    }
                },
            },
        },
    }
    source = {
        "name": "crm",
        "kind": "mapped",
        "proofs": [{"kind": "anyone"}],
        "mapping": {"type": "track", "messageId": {"@path": "$.body.id"}},
        "events": [{"name": "lead", "subscribe": 'body.kind = "lead"', "mapping": {"event": "Lead"}}],
        "tests": [
            {
                "name": "A lead",
                "event": {"id": "1", "kind": "lead"},
                "expect": {"fields": {"messageId": "1", "event": "Lead", "type": "track"}},
            }
        ],
    }
    del tmp_path
    draft = Draft(
        mappings={"report_conversion_event.yaml": json.dumps(mapping)}, sources={"crm.yaml": json.dumps(source)}
    )
    found = mutants(draft)
    assert {each.sentence for each in found if each.file == "crm.yaml" and each.is_found} == {
        "`type` can be removed",
        "the text `track` in `type` can change",
        "`messageId` can be removed",
        "`$.body.id` in `messageId` can be another path",
        "`event` can be removed",
        "the text `Lead` in `event` can change",
        'the condition `body.kind = "lead"` can be negated in `subscribe`',
    }
    sentences = {each.sentence for each in found if each.file != "crm.yaml"}
    assert "`town` can be removed from `person_blocks.city`" in sentences
    assert "`$.traits.email` and `$.mail` can change places in `user_data.email`" in sentences
