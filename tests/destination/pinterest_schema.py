"""Pinterest's own schema of the endpoint, as a judge of finished events."""

import json
from collections.abc import Callable
from typing import Any

from jsonschema import Draft202012Validator

from app.sandbox.judge import description
from tests.process import ROOT

FILE = ROOT / "app/sandbox/conversions.json"


def event_judge() -> Callable[[dict[str, Any]], list[str]]:
    """Return a function that lists what Pinterest's schema has against an event."""
    openapi = description()  # with what Pinterest takes, though its schema does not list it
    validator = Draft202012Validator(
        _as_json_schema({"$ref": "#/components/schemas/ConversionEvents", "components": openapi["components"]})
    )

    def judge(event: dict[str, Any]) -> list[str]:
        sent = json.loads(json.dumps(event))
        faults = [error.message for error in validator.iter_errors({"data": [sent]})]
        return faults + [f"{path} is null" for path in _nulls(event, "event")]

    return judge


def _as_json_schema(node: Any) -> Any:
    """Translate OpenAPI 3.0's `nullable` into JSON Schema."""
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: _as_json_schema(value) for key, value in node.items() if key != "nullable"}
    if node.get("nullable") is True:
        schema["type"] = [node["type"], "null"]
    return schema


def _nulls(node: Any, path: str) -> list[str]:
    """List the paths where null stands."""
    if isinstance(node, dict):
        return [found for key, value in node.items() for found in _nulls(value, f"{path}.{key}")]
    if isinstance(node, list):
        return [found for index, value in enumerate(node) for found in _nulls(value, f"{path}[{index}]")]
    return [path] if node is None else []
