"""Reduce Pinterest's OpenAPI description to the facts that the sandbox and the tests judge by.

    make pinterest-schema FROM=openapi.json

Download v5/openapi.json of https://github.com/pinterest/api-description and run this. It writes each file below anew.
It keeps types, formats, enums, patterns, required members and bounds, and leaves out descriptions, examples and titles.
If the description lacks one of the operations, it writes nothing and says so.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.process import ROOT

_ACCOUNT: Final = "/ad_accounts/{ad_account_id}"
#: File -> the operations that it describes.
FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "app/sandbox/conversions.json": {f"{_ACCOUNT}/events": "post"},
    "tests/insights/reports/reading.json": {
        _ACCOUNT: "get",
        f"{_ACCOUNT}/advertiser_defined_events": "get",
        f"{_ACCOUNT}/analytics": "get",
        f"{_ACCOUNT}/conversion_eqs": "get",
        f"{_ACCOUNT}/conversion_tags": "get",
        f"{_ACCOUNT}/conversion_tags/ocpm_eligible": "get",
        f"{_ACCOUNT}/conversion_tags/page_visit": "get",
        "/oauth/token": "post",
    },
}

#: Kind of an object -> the members that are kept -> of which kind their values are; "" keeps a value as it is.
_FACTS: Final[Mapping[str, Mapping[str, str]]] = {
    "operation": {"parameters": "parameter", "requestBody": "body", "responses": "bodies"},
    "parameter": {"$ref": "", "name": "", "in": "", "required": "", "explode": "", "schema": "schema"},
    "body": {"$ref": "", "required": "", "content": "media"},
    "medium": {"schema": "schema"},
    "schema": {
        **dict.fromkeys(("$ref", "type", "format", "enum", "pattern", "nullable", "required"), ""),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), ""),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"), ""),
        **dict.fromkeys(("minProperties", "maxProperties"), ""),
        **dict.fromkeys(("items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"), "schema"),
        "properties": "schemas",
    },
}
#: Kind of an object with free names -> of which kind its values are.
_MAPS: Final = {"schemas": "schema", "bodies": "body", "media": "medium"}
#: Part of `components` -> of which kind its members are.
_COMPONENTS: Final = {"schemas": "schema", "parameters": "parameter", "responses": "body", "requestBodies": "body"}


def reduced(description: Mapping[str, Any], operations: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts of these operations and of all that they refer to. Raises KeyError where one is missing."""
    paths = {path: {verb: _facts(description["paths"][path][verb], "operation")} for path, verb in operations.items()}
    components: dict[str, dict[str, Any]] = {}
    waiting = [*_references(paths)]
    while waiting:
        _, _, part, name = waiting.pop().split("/")
        if name not in components.setdefault(part, {}):
            components[part][name] = _facts(description["components"][part][name], _COMPONENTS[part])
            waiting += _references(components[part][name])
    ordered = {part: dict(sorted(members.items())) for part, members in sorted(components.items())}
    return {"info": {"version": description["info"]["version"]}, "paths": paths, "components": ordered}


def written(facts: Mapping[str, Any]) -> str:
    """Return the text of a file."""
    return json.dumps(facts, indent=1) + "\n"


def _facts(node: Any, kind: str) -> Any:
    if isinstance(node, list) and kind:
        return [_facts(item, kind) for item in node]
    if not isinstance(node, dict) or not kind:
        return node
    if kind in _MAPS:
        return {name: _facts(value, _MAPS[kind]) for name, value in node.items()}
    return {name: _facts(value, _FACTS[kind][name]) for name, value in node.items() if name in _FACTS[kind]}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)


def main(source: str, folder: Path = ROOT) -> None:
    """Write all files anew."""
    if not source:
        sys.exit("pinterest-schema: name the downloaded description: make pinterest-schema FROM=openapi.json")
    description = json.loads(Path(source).read_text(encoding="utf-8"))
    try:
        texts = {name: written(reduced(description, operations)) for name, operations in FILES.items()}
    except KeyError as exc:
        sys.exit(f"pinterest-schema: {source} does not describe {exc.args[0]}: take Pinterest's whole openapi.json")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
