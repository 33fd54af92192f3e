"""Create JSON Schemas of preset, mapping, source and destination files, for completion and validation in editors.

    python -m app.catalog.schemas [PRESETS_DIR] [MAPPINGS_DIR] [SOURCES_DIR] [DESTINATIONS_DIR]

writes them there.

The schemas contain the checks that editors can perform; `load_catalog` checks everything.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from app.catalog import ACTION
from app.catalog.destinations import CHECKED
from app.catalog.fields import with_unlisted_fields
from app.catalog.files import ActionFile, FieldSpec, PresetFile
from app.catalog.near_words import near_words
from app.catalog.presets import in_file, parse_file
from app.catalog.source_files import SourceFile
from app.errors import CatalogError
from app.mapping.directives import DIRECTIVES

#: https://json-schema.org/draft/2020-12
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DIRECTIVE = {"$ref": "#/$defs/Directive"}
_DIRECTIVE_NAME = {"$ref": "#/$defs/DirectiveName"}
#: In an object that may have members with other names.
_NEAR_DIRECTIVE = {"if": {"pattern": "^@"}, "then": _DIRECTIVE_NAME}

Schema = dict[str, Any]
#: Members of an object with unknown names.
_FREE_MEMBERS: Final[Schema] = {
    "propertyNames": {"pattern": "^[^@]"},
    "additionalProperties": {"$ref": "#/$defs/Value"},
}


def mapping_schema() -> Schema:
    """Return the JSON Schema of a mapping file."""
    schema = _of(ActionFile, "mapping")
    schema["$defs"]["FieldSpec"]["properties"]["default"] |= {"$ref": "#/$defs/Value"}
    schema["$defs"] |= _free_values()
    return schema


def preset_schema(action: ActionFile) -> Schema:
    """Return the JSON Schema of a preset file; its `mapping` has the fields of the action."""
    schema = _of(PresetFile, "preset")
    schema["properties"]["mapping"] |= _object(action.fields)
    schema["$defs"] |= {**_directives(), "Value": _value(), **dict(_objects(action.fields))}
    return schema


def source_schema() -> Schema:
    """Return the JSON Schema of a source file; its mappings are of Segment events with any members."""
    schema = _of(SourceFile, "source")
    schema["$defs"] |= _free_values()
    for mapping in (schema["properties"]["mapping"], schema["$defs"]["EventFile"]["properties"]["mapping"]):
        mapping.update(_FREE_MEMBERS)
    return schema


def schema_files(
    presets_dir: Path, mappings_dir: Path, sources_dir: Path, destinations_dir: Path
) -> Iterator[tuple[Path, str]]:
    """Yield the files with their texts. Raises CatalogError if the action's file is unreadable."""
    yield mappings_dir / "mapping.schema.json", _text(mapping_schema())
    yield sources_dir / "source.schema.json", _text(source_schema())
    yield presets_dir / "preset.schema.json", _text(preset_schema(_read_action(mappings_dir / f"{ACTION}.yaml")))
    yield destinations_dir / "destination.schema.json", _text(_of(CHECKED, "destination"))


def _read_action(file: Path) -> ActionFile:
    action, faults = parse_file(ActionFile, file.read_text(encoding="utf-8"))
    if action is None:
        raise CatalogError(in_file(str(file), faults))
    return with_unlisted_fields(action)


def _of(model: type[BaseModel], kind: str) -> Schema:
    """Return the schema of a kind of file. Its id is only a name: files refer to the schema beside them."""
    described = model.model_json_schema() | {"title": f"{kind.capitalize()} file of Pinrelay"}
    for each in (described, *described.get("$defs", {}).values()):
        if each.get("additionalProperties") is False:
            each["propertyNames"] = near_words(each["properties"])
    return {"$schema": _DRAFT, "$id": f"urn:pinrelay:{kind}"} | described


def _object(fields: Mapping[str, FieldSpec], place: str = "") -> Schema:
    """Return the schema of an object with only these members, all optional."""
    members = {name: _field(place + name, spec) for name, spec in fields.items()}
    names = near_words(members)
    return {"type": "object", "propertyNames": names, "properties": members, "additionalProperties": False}


def _objects(fields: Mapping[str, FieldSpec], place: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield the schema of each field that is an object by its place, as in `custom_data.contents`."""
    for name, spec in fields.items():
        if spec.properties:
            yield place + name, _object(spec.properties, f"{place}{name}.")
            yield from _objects(spec.properties, f"{place}{name}.")


def _field(place: str, spec: FieldSpec) -> Schema:
    """Return the schema of a field in a preset: a plain value or a directive, independent of the field's type."""
    described = {"title": spec.label, "description": spec.description}
    if spec.properties:
        members = {"$ref": f"#/$defs/{place}"}
        # Repeated next to `anyOf`, because editors show the faults of a single alternative if all fail.
        either = {"anyOf": [_DIRECTIVE, members], "propertyNames": {"$ref": f"#/$defs/{place}/propertyNames"}}
        return described | either | {"anyOf": [_DIRECTIVE, members, {"type": "array", "items": either}]}
    if not spec.choices:
        return described | {"$ref": "#/$defs/Value"}
    options: list[Schema] = [{"enum": [*spec.choices, None]}]
    if place == "event_name":  # a setting may allow more names, so these are only suggested
        options = [{"enum": list(spec.choices)}, {"type": "string"}]
    return described | {"anyOf": [_DIRECTIVE, *options]} | near_words(spec.choices)


def _value() -> Schema:
    """Return the schema of a directive or a plain value; `load_catalog` checks them for each field."""
    return {"anyOf": [_DIRECTIVE, {"type": ["string", "number", "boolean", "null", "array"]}]}


def _free_values() -> Schema:
    """Return the schema of values whose objects are directives or have members of any name without `@`."""
    either = {"anyOf": [_DIRECTIVE, {"not": {"type": "object"}}, {"$ref": "#/$defs/Members"}]}
    value = either | {"propertyNames": _NEAR_DIRECTIVE, "items": {"$ref": "#/$defs/Value"}}
    return {**_directives(), "Value": value, "Members": {"type": "object", **_FREE_MEMBERS}}


def _directives() -> Schema:
    """Return the schema of an object with a directive, optionally with an ignored `_metadata`, and of its options."""
    options = {"$ref": "#/$defs/Options"}
    directive = {
        "title": "Directive",
        "description": "How the value is made from the event, see docs/mapping.md.",
        "type": "object",
        "propertyNames": _DIRECTIVE_NAME,
        "properties": {"_metadata": {}, **dict.fromkeys(DIRECTIVES, options)},
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {
        "Directive": directive,
        "DirectiveName": near_words(DIRECTIVES),
        "Options": {"propertyNames": _NEAR_DIRECTIVE, "additionalProperties": options, "items": options},
    }


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main(
    presets_dir: str = "presets",
    mappings_dir: str = "mappings",
    sources_dir: str = "sources",
    destinations_dir: str = "destinations",
) -> None:
    """Write the schemas of all kinds of files into these folders."""
    for path, text in schema_files(Path(presets_dir), Path(mappings_dir), Path(sources_dir), Path(destinations_dir)):
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
