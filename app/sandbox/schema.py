"""What Pinterest's schema of the conversions endpoint asks of one event: `conversions.json`, compiled into checks.

`make pinterest-schema` writes that file from Pinterest's description. A rule that is not known here stops the import:
the sandbox is never less strict than a newer description.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from app.sandbox.checks import INT64_MAX, Check, Problem, array, boolean, closed, integer, nullable, open_object, text

#: What is newer than the description (5.28), by the path of the object that has it. `[]` is a member of a list. No
#: description has `advertiser_tracking_enabled`, which Segment and RudderStack send: it is refused.
UNLISTED: Final[Mapping[tuple[str, ...], Mapping[str, Any]]] = {
    ("custom_data", "contents", "[]"): {"item_brand_id": {"type": "string", "maxLength": 64}}
}

#: Type -> the rules that its check knows; "choice" is an object of which other members are required each time.
_KNOWN_RULES: Final = {
    "array": {"items", "minItems", "maxItems"},
    "boolean": set[str](),
    "choice": {"anyOf"},
    "integer": {"format", "minimum", "maximum"},
    "object": {"additionalProperties", "properties", "required"},
    "string": {"enum", "maxLength"},
}


def compile_schema(schema: Mapping[str, Any], others: Mapping[str, Any]) -> Check:
    """Return the check that a schema asks for; `others` are those that it may refer to by name.

    Raises ValueError where it has a type or a rule that no check knows.
    """
    if "$ref" in schema:
        return compile_schema(others[schema["$ref"].rpartition("/")[2]], others)
    kind = "choice" if "anyOf" in schema else schema.get("type", "")
    unknown = schema.keys() - _KNOWN_RULES.get(kind, set()) - {"type", "nullable"}
    if unknown or kind not in _KNOWN_RULES or schema.get("format", "int64") != "int64":
        message = f"conversions.json: the sandbox cannot check all of {dict(schema)}: add it to app/sandbox/schema.py"
        raise ValueError(message)
    check = _compile_kind(kind, schema, others)
    return nullable(check) if schema.get("nullable") else check


def _compile_kind(kind: str, schema: Mapping[str, Any], others: Mapping[str, Any]) -> Check:
    if kind == "boolean":
        return boolean
    if kind == "integer":
        return integer(schema.get("minimum", -INT64_MAX - 1), schema.get("maximum", INT64_MAX))
    if kind == "string":
        return text(schema.get("maxLength"), choices=frozenset(schema.get("enum", ())))
    if kind == "array":
        item = compile_schema(schema["items"], others)
        return array(item, min_items=schema.get("minItems", 0), max_items=schema.get("maxItems"))
    if kind == "choice":
        return _identified(schema["anyOf"], others)
    fields = {name: compile_schema(member, others) for name, member in schema.get("properties", {}).items()}
    build = open_object if schema.get("additionalProperties", True) else closed
    return build(fields, required=schema.get("required", ()))


def _identified(choices: Sequence[Mapping[str, Any]], others: Mapping[str, Any]) -> Check:
    """Want one object, of which each choice requires other members.

    OpenAPI ignores what stands beside a `$ref`; Pinterest means it.
    """
    ((reference,), wanted) = {each["$ref"] for each in choices}, [set(each["required"]) for each in choices]
    fields = compile_schema({"$ref": reference}, others)
    named = ", ".join(" with ".join(sorted(members)) for members in wanted)

    def check(value: Any) -> Sequence[Problem]:
        problems = fields(value)
        if type(value) is dict and not any(members <= value.keys() for members in wanted):
            return [*problems, ("", f"none of {named} is given")]
        return problems

    return check


def description() -> dict[str, Any]:
    """Return Pinterest's description, with what is UNLISTED in it."""
    found: dict[str, Any] = orjson.loads(Path(__file__).with_name("conversions.json").read_bytes())
    for path, unlisted in UNLISTED.items():
        place = event_schema(found)
        for name in path:
            place = place["items"] if name == "[]" else place["properties"][name]
        place["properties"].update(unlisted)
    return found


def event_schema(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a description asks of one event."""
    event: dict[str, Any] = described["components"]["schemas"]["ConversionEvents"]["properties"]["data"]["items"]
    return event


def _hashed(schemas: Mapping[str, Any]) -> tuple[str, ...]:
    members = schemas["ConversionEventsUserDataProperties"]["properties"]
    return tuple(name for name, schema in members.items() if schema["type"] == "array")


_SCHEMAS: Final = description()["components"]["schemas"]
CONVERSION_EVENT: Final = compile_schema(event_schema(description()), _SCHEMAS)
#: The members of user_data that hold SHA-256 digests: all that are lists.
HASHED: Final = _hashed(_SCHEMAS)
