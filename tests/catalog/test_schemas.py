"""The JSON Schemas beside the presets and mappings are current, and true of every shipped file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.catalog.files import ActionFile, PresetFile
from app.catalog.schemas import main, schema_files
from app.catalog.source_files import SourceFile
from app.catalog.yaml_files import parse_yaml
from app.errors import CatalogError
from tests.rows import every_row

ROOT = Path(__file__).parents[2]
PRESETS, MAPPINGS, SOURCES, _ = FOLDERS = [ROOT / name for name in ("presets", "mappings", "sources", "destinations")]
FILES = sorted(file for folder in FOLDERS for file in folder.glob("*.yaml"))


def schema_of(file: Path) -> dict[str, Any]:
    """Follow the file's first line, as an editor does."""
    first = file.read_text(encoding="utf-8").splitlines()[0]
    schema: dict[str, Any] = json.loads((file.parent / first.partition("$schema=")[2]).read_text(encoding="utf-8"))
    return schema


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    return [fault.json_path for fault in jsonschema.Draft202012Validator(schema).iter_errors(value)]


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
    preset = {"name": "A", "subscribe": 'type = "page"', "action": "report_conversion_event", "mapping": mapping}

    assert faults(schema_of(PRESETS / "lead.yaml"), preset) == underlined


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
    source = {"name": "shop", "kind": "mapped", "proofs": [{"kind": "anyone"}]}
    event = {"name": "A", "subscribe": "body.id != null", "mapping": {"type": "track"}}

    assert faults(schema_of(SOURCES / "shopify.yaml"), {**source, "events": [event], **changes}) == underlined


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
