"""JSON Schemas of the preset and mapping files, by which editors complete and underline.

    python -m app.catalog.schemas [PRESETS_DIR] [MAPPINGS_DIR]      writes their schemas there

They say what editors can help with; the whole truth is what `load_catalog` refuses.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.catalog import ACTION
from app.catalog.files import ActionFile, FieldSpec, PresetFile
from app.catalog.strict_yaml import parse
from app.errors import CatalogError, Fault
from app.mapping.directives import DIRECTIVES

#: https://json-schema.org/draft/2020-12
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DIRECTIVE = {"$ref": "#/$defs/Directive"}
_PLAIN = {"type": ["string", "number", "boolean", "null", "array"]}

Schema = dict[str, Any]


def mapping_schema() -> Schema:
    """Return the JSON Schema of a mapping file."""
    return _of(ActionFile, "Mapping file of Pinrelay")


def preset_schema(action: ActionFile) -> Schema:
    """Return the JSON Schema of a preset file; its `mapping` knows the fields of the action."""
    schema = _of(PresetFile, "Preset file of Pinrelay")
    schema["properties"]["mapping"] |= _object(action.fields)
    schema["$defs"] = {"Directive": _directive()}
    return schema


def schema_files(presets_dir: Path, mappings_dir: Path) -> Iterator[tuple[Path, str]]:
    """Yield both files with their text. Raises CatalogError where the action's file cannot be read."""
    yield mappings_dir / "mapping.schema.json", _text(mapping_schema())
    yield presets_dir / "preset.schema.json", _text(preset_schema(_read_action(mappings_dir / f"{ACTION}.yaml")))


def _read_action(file: Path) -> ActionFile:
    value = parse(file.read_text(encoding="utf-8"))
    if isinstance(value, Fault):
        raise CatalogError([Fault(path=value.path, message=value.message, file=str(file))])
    return ActionFile.model_validate(value)


def _of(model: type[BaseModel], title: str) -> Schema:
    return {"$schema": _DRAFT} | model.model_json_schema() | {"title": title}


def _object(fields: Mapping[str, FieldSpec]) -> Schema:
    """Describe an object with these members and no others; each may be left out."""
    members = {name: _field(name, spec) for name, spec in fields.items()}
    return {"type": "object", "properties": members, "additionalProperties": False}


def _field(name: str, spec: FieldSpec) -> Schema:
    """Describe what a preset may give for a field: a plain value or a directive, whatever the field's own type."""
    options: list[Schema] = [_DIRECTIVE]
    if spec.properties:
        members = _object(spec.properties)
        options += [members, {"type": "array", "items": {"anyOf": [_DIRECTIVE, members]}}]
    elif spec.choices and name == "event_name":  # a setting may allow more names, so these are only offered
        options += [{"enum": list(spec.choices)}, {"type": "string"}]
    elif spec.choices:
        options += [{"enum": [*spec.choices, None]}]
    else:
        options += [_PLAIN]
    return {"title": spec.label, "description": spec.description, "anyOf": options}


def _directive() -> Schema:
    """Describe an object of one directive; `_metadata` beside it is ignored."""
    return {
        "title": "Directive",
        "description": "How the value is made from the event, see docs/mapping.md.",
        "type": "object",
        "properties": {name: {} for name in (*DIRECTIVES, "_metadata")},
        "additionalProperties": False,
        "minProperties": 1,
    }


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(presets_dir: str = "presets", mappings_dir: str = "mappings") -> None:
    """Write both files."""
    for path, text in schema_files(Path(presets_dir), Path(mappings_dir)):
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
