"""The JSON Schemas beside the presets and mappings are current, and true of every shipped file."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.catalog.files import ActionFile, FileTest, PresetFile
from app.catalog.near_words import near_words
from app.catalog.schemas import main, schema_files
from app.catalog.source_files import SourceFile
from app.catalog.yaml_files import parse_yaml
from app.errors import CatalogError
from app.mapping.directives import DIRECTIVES
from tests.rows import every_row

ROOT = Path(__file__).parents[2]
PRESETS, MAPPINGS, SOURCES, _ = FOLDERS = [ROOT / name for name in ("presets", "mappings", "sources", "destinations")]
FILES = sorted(file for folder in FOLDERS for file in folder.glob("*.yaml"))
PRESET = {"name": "A", "subscribe": 'type = "page"', "action": "report_conversion_event"}
SHOP = {"name": "shop", "kind": "mapped", "proofs": [{"kind": "anyone"}]}
ACTION = {"name": "A", "description": "B"}
FIELD = {"label": "A", "description": "B", "type": "string"}


def schema_of(file: Path) -> dict[str, Any]:
    """Follow the file's first line, as an editor does."""
    first = file.read_text(encoding="utf-8").splitlines()[0]
    schema: dict[str, Any] = json.loads((file.parent / first.partition("$schema=")[2]).read_text(encoding="utf-8"))
    return schema


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    return sorted({fault.json_path for fault in jsonschema.Draft202012Validator(schema).iter_errors(value)})


def suggestions(schema: dict[str, Any], value: Any) -> set[str]:
    """Return the `errorMessage` of each fault, for which an editor shows them; the words are in `message` too."""
    found, errors = set(), list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    while errors:
        error = errors.pop()
        errors += error.context
        if "errorMessage" in error.schema:
            found.add(error.schema["errorMessage"])
            assert error.schema["errorMessage"] == f"Did you mean `{error.validator_value[0]}`?"
            assert repr(error.validator_value[0]) in error.message
    return found


@pytest.mark.parametrize(("file", "text"), list(schema_files(*FOLDERS)), ids=lambda value: Path(value).name[:30])
def test_a_schema_is_current(file: Path, text: str) -> None:
    assert file.read_text(encoding="utf-8") == text, "run `python -m app.catalog.schemas`"
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:pinrelay:{file.name.partition('.')[0]}"


@every_row("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_file_keeps_to_the_schema_that_it_names(file: Path) -> None:
    assert faults(schema_of(file), parse_yaml(file.read_text(encoding="utf-8"))) == []


@every_row(
    ("mapping", "underlined"),
    [
        ({"event_name": "a_name_of_ours"}, []),
        ({"event_name": {"@path": "$.event"}}, []),
        ({"user_data": {"email": {"@path": "$.properties.mail"}, "phone": ["a", "b"]}}, []),
        ({"user_data": [{"email": "a"}]}, []),
        ({"user_data": {"@path": "$.properties.user"}}, []),
        ({"user_data": {"mail": "a"}}, ["$.mapping.user_data"]),
        ({"user_data": "a"}, ["$.mapping.user_data"]),
        ({"action_source": "shop"}, ["$.mapping.action_source"]),
        ({"action_source": {"@path": "$.channel"}}, []),
        ({"event_id": {"@paht": "$.messageId"}}, ["$.mapping.event_id"]),
        ({"event_id": {}}, ["$.mapping.event_id"]),
        ({"evnt_id": "1"}, ["$.mapping"]),
    ],
    ids=str,
)
def test_an_editor_underlines_what_is_wrong_in_a_mapping(mapping: dict[str, Any], underlined: list[str]) -> None:
    assert faults(schema_of(PRESETS / "lead.yaml"), {**PRESET, "mapping": mapping}) == underlined


@every_row(
    ("changes", "underlined"),
    [
        ({}, []),
        ({"kind": "anything"}, ["$.kind"]),
        ({"proofs": []}, ["$.proofs"]),
        ({"mapping": {"userId": {"@path": "$.body.id"}, "context": {"ip": "1.2.3.4", "list": [1]}}}, []),
        ({"mapping": {"context": {"ip": {"@paht": "$.body.ip"}}}}, ["$.mapping.context"]),
        ({"mappings": {}}, ["$"]),
    ],
    ids=str,
)
def test_an_editor_underlines_in_a_source(changes: dict[str, Any], underlined: list[str]) -> None:
    event = {"name": "A", "subscribe": "body.id != null", "mapping": {"type": "track"}}

    assert faults(schema_of(SOURCES / "shopify.yaml"), {**SHOP, "events": [event], **changes}) == underlined


@every_row(
    ("folder", "value", "word"),
    [
        (PRESETS, {**PRESET, "subscibe": "x"}, "subscribe"),
        (PRESETS, {**PRESET, "enabeld": False}, "enabled"),
        (PRESETS, {**PRESET, "withdrawnBy": "x"}, "withdrawn_by"),
        (PRESETS, {**PRESET, "mappings": {}}, "mapping"),
        (PRESETS, {**PRESET, "tests": [{"name": "A", "expects": {}}]}, "expect"),
        (PRESETS, {**PRESET, "tests": [{"name": "A", "expect": {"feilds": {}}}]}, "fields"),
        (PRESETS, {**PRESET, "mapping": {"event_nmae": "checkout"}}, "event_name"),
        (PRESETS, {**PRESET, "mapping": {"eventName": "checkout"}}, "event_name"),
        (PRESETS, {**PRESET, "mapping": {"user_data": {"emial": "a"}}}, "email"),
        (PRESETS, {**PRESET, "mapping": {"user_data": [{"phon": "a"}]}}, "phone"),
        (PRESETS, {**PRESET, "mapping": {"custom_data": {"orderId": "a"}}}, "order_id"),
        (PRESETS, {**PRESET, "mapping": {"custom_data": {"curency": "EUR"}}}, "currency"),
        (PRESETS, {**PRESET, "mapping": {"custom_data": {"contents": {"item-price": 1}}}}, "item_price"),
        (PRESETS, {**PRESET, "mapping": {"event_name": "chekout"}}, "checkout"),
        (PRESETS, {**PRESET, "mapping": {"event_name": "AddToCart"}}, "add_to_cart"),
        (PRESETS, {**PRESET, "mapping": {"event_name": {"@literl": "checkout"}}}, "@literal"),
        (PRESETS, {**PRESET, "mapping": {"action_source": "wbe"}}, "web"),
        (PRESETS, {**PRESET, "mapping": {"event_id": {"@paht": "$.x"}}}, "@path"),
        (PRESETS, {**PRESET, "mapping": {"event_id": {"path": "$.x"}}}, "@path"),
        (PRESETS, {**PRESET, "mapping": {"event_id": {"@coalesce": [{"@paths": "$.x"}]}}}, "@path"),
        (PRESETS, {**PRESET, "mapping": {"user_data": {"email": {"@if": {"then": {"@templat": ""}}}}}}, "@template"),
        (PRESETS, {**PRESET, "mapping": {"user_data": {"@mege": []}}}, "@merge"),
        (SOURCES, {**SHOP, "evnts": []}, "events"),
        (SOURCES, {**SHOP, "proofs": [{"knd": "anyone"}]}, "kind"),
        (SOURCES, {**SHOP, "mapping": {"context": {"ip": {"@paht": "$.body.ip"}}}}, "@path"),
        (SOURCES, {**SHOP, "mapping": {"context": {"list": [{"@al": []}]}}}, "@all"),
        (MAPPINGS, {**ACTION, "feilds": {}}, "fields"),
        (MAPPINGS, {**ACTION, "fields": {"email": {**FIELD, "defualt": 1}}}, "default"),
        (MAPPINGS, {**ACTION, "fields": {"email": {**FIELD, "default": {"@arraypath": []}}}}, "@arrayPath"),
        (MAPPINGS, {**ACTION, "fields": {"a": {**FIELD, "properties": {"b": {**FIELD, "lable": ""}}}}}, "label"),
    ],
    ids=str,
)
def test_an_editor_names_the_nearest_word(folder: Path, value: dict[str, Any], word: str) -> None:
    (file,) = folder.glob("*.schema.json")

    assert suggestions(json.loads(file.read_text("utf-8")), value) == {f"Did you mean `{word}`?"}


def misspelt(word: str) -> Iterator[str]:
    """Yield each text with one letter less, more or other, or with two letters swapped."""
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        yield f"{before}x{after}"
        if after:
            yield from (f"{before}{after[1:]}", f"{before}x{after[1:]}", f"{before}{after[1:2]}{after[0]}{after[2:]}")


WORDS = [*DIRECTIVES, *PresetFile.model_fields, *FileTest.model_fields, "advertiser_tracking_enabled"]


def test_each_small_mistake_in_a_word_is_refused_with_the_word() -> None:
    rules = [(re.compile(rule["if"]["pattern"]), rule["then"]["enum"]) for rule in near_words(WORDS)["allOf"]]
    for word in WORDS:
        assert all(word in words for pattern, words in rules if pattern.search(word)), word
        for text in {*misspelt(word)} - {*WORDS}:
            assert word in [words[0] for pattern, words in rules if pattern.search(text)], text
            assert not any(pattern.search(f"{text}-xyz") for pattern, _ in rules), text


@pytest.mark.parametrize(
    ("model", "file"),
    [
        (PresetFile, PRESETS / "lead.yaml"),
        (ActionFile, MAPPINGS / "report_conversion_event.yaml"),
        (SourceFile, SOURCES / "shopify.yaml"),
    ],
)
def test_an_editor_knows_every_key_of_a_file(model: type[PresetFile | ActionFile | SourceFile], file: Path) -> None:
    assert set(schema_of(file)["properties"]) == set(model.model_fields)


@pytest.mark.whole
def test_the_schemas_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    text = (MAPPINGS / "report_conversion_event.yaml").read_text(encoding="utf-8")
    (tmp_path / "report_conversion_event.yaml").write_text(text, encoding="utf-8")

    subprocess.run([sys.executable, "-m", "app.catalog.schemas", *[tmp_path] * 4], cwd=ROOT, check=True)

    for kind, folder in zip(("preset", "mapping", "source", "destination"), FOLDERS, strict=True):
        name = f"{kind}.schema.json"
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_broken_action_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "report_conversion_event.yaml").write_text("a: [", encoding="utf-8")

    with pytest.raises(CatalogError, match=r"report_conversion_event\.yaml: not readable YAML"):
        main(*[str(tmp_path)] * 4)
