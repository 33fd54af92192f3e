"""Pinterest's schema is kept as facts, made of its description by one command."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.process import ROOT
from tests.sandbox.reduce_schema import FILES, main, reduced, written

STORED = {name: json.loads((ROOT / name).read_text(encoding="utf-8")) for name in FILES}
PROSE = {"description", "summary", "title", "example", "examples", "tags", "operationId", "externalDocs"}


def described() -> dict[str, Any]:
    """Build what Pinterest publishes: the operations of all files and another, with prose wherever it may be."""
    parts: dict[str, dict[str, Any]] = {"schemas": {}, "parameters": {}}
    paths: dict[str, Any] = {"/pins": {"get": {"responses": {}}}}
    for facts in copy.deepcopy(STORED).values():
        paths |= facts["paths"]
        for part, members in facts["components"].items():
            parts[part] |= members
    parts["schemas"]["Pin"] = {"type": "object"}
    for schema in parts["schemas"].values():
        schema.update(title="A title", description="Some words", example={"em": ["x"]})
        for member in schema.get("properties", {}).values():
            member.update(description="Some words", example="x", default="y")
    for operations in paths.values():
        for operation in operations.values():
            operation.update(summary="Some words", tags=["ads"], operationId="x", security=[{"token": []}])
            for answer in operation["responses"].values():
                answer["description"] = "Some words"
                for medium in answer.get("content", {}).values():
                    medium.update(example={"code": 1}, examples={"one": {"value": 1}})
    return {"openapi": "3.0.3", "info": {"title": "x", "version": "6.0.0"}, "paths": paths, "components": parts}


def test_the_command_writes_facts_without_prose(tmp_path: Path) -> None:
    source = tmp_path / "openapi.json"
    source.write_text(json.dumps(described()), encoding="utf-8")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True)

    main(str(source), tmp_path)

    for name, facts in STORED.items():
        made = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        shared = {name for name in facts["components"]["schemas"] if name == "Error"}  # the last file's wins above
        assert made["paths"] == facts["paths"]
        assert made["info"] == {"version": "6.0.0"}
        for part, members in facts["components"].items():
            assert {key: made["components"][part][key] for key in members if key not in shared} == {
                key: value for key, value in members.items() if key not in shared
            }


@pytest.mark.parametrize("name", FILES)
def test_the_stored_file_is_what_the_command_makes(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == written(reduced(STORED[name], FILES[name]))
    assert prose(STORED[name]) == []


def prose(node: Any, *, names: bool = False) -> list[str]:
    """List the members that are prose; `names` says that the members are free names, such as those of properties."""
    if isinstance(node, list):
        return [found for item in node for found in prose(item)]
    if not isinstance(node, dict):
        return []
    here = [] if names else sorted(PROSE & node.keys())
    return here + [
        found
        for key, item in node.items()
        for found in prose(item, names=not names and key in ("properties", "schemas"))
    ]


def test_a_member_named_like_prose_is_kept() -> None:
    description = described()
    schema = description["components"]["schemas"]["ConversionEventAppInfo"]
    schema["properties"]["description"] = {"type": "string", "description": "Some words"}

    facts = reduced(description, FILES["app/sandbox/conversions.json"])

    assert facts["components"]["schemas"]["ConversionEventAppInfo"]["properties"]["description"] == {"type": "string"}


@pytest.mark.parametrize(
    ("source", "said"), [("", "name the downloaded description"), ("openapi.json", "/oauth/token")]
)
def test_without_a_whole_description_nothing_is_written(source: str, said: str, tmp_path: Path) -> None:
    description = described()
    del description["paths"]["/oauth/token"]
    (tmp_path / "openapi.json").write_text(json.dumps(description), encoding="utf-8")

    with pytest.raises(SystemExit, match=said):
        main(source and str(tmp_path / source), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["openapi.json"]
