"""Pinterest's validation of events: faults of a whole call, faults of an event, and warnings.

`make pinterest-schema` writes `conversions.json` from Pinterest's description. It is compiled into small checks, which
return the faults of a JSON value. An unknown rule stops the import, so the sandbox is never less strict than a newer
description.

    text(5)("abcdef")                  -> [("", "string of 6 characters is too long, at most 5")]
    closed({"id": text()})({"id": 7})  -> [("id", "integer is not of type 'string'")]
    closed({})({"a": 1})               -> [("", "Additional properties are not allowed ('a' was unexpected)")]

Values are shown by type and length only, because they may be personal. For this reason, and because of the speed for a
thousand events, no library of JSON Schema is used: `jsonschema` quotes the values, and takes 80 µs for an event, these
checks 4.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from app.core.values.event_names import ACTION_SOURCES, EVENT_NAMES
from app.core.values.times import DAY_S

#: The place inside the value ("" is the value itself), and its fault.
Problem: TypeAlias = tuple[str, str]
Check: TypeAlias = Callable[[Any], Sequence[Problem]]

FINE: tuple[Problem, ...] = ()
INT64_MAX = 2**63 - 1

_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def text(max_length: int | None = None, *, choices: Collection[str] = ()) -> Check:
    """Return the check for a string of at most `max_length` characters, optionally one of `choices`."""

    def check(value: Any) -> Sequence[Problem]:
        if type(value) is not str:
            return _not_of_type(value, "string")
        if max_length is not None and len(value) > max_length:
            return [("", f"string of {len(value)} characters is too long, at most {max_length}")]
        if choices and value not in choices:
            return [("", f"string is not one of {sorted(choices)}")]
        return FINE

    return check


def integer(minimum: int = -INT64_MAX - 1, maximum: int = INT64_MAX) -> Check:
    """Return the check for a whole number within the limits; neither `1.0` nor `true` is accepted."""

    def check(value: Any) -> Sequence[Problem]:
        if type(value) is not int:
            return _not_of_type(value, "integer")
        if value < minimum:
            return [("", f"integer is less than the minimum of {minimum}")]
        if value > maximum:
            return [("", f"integer is greater than the maximum of {maximum}")]
        return FINE

    return check


def boolean(value: Any) -> Sequence[Problem]:
    """Check for true or false."""
    return FINE if type(value) is bool else _not_of_type(value, "boolean")


def nullable(check: Check) -> Check:
    """Return the check for null, or a value that `check` accepts."""
    return lambda value: FINE if value is None else check(value)


def array(item: Check, *, min_items: int = 0, max_items: int | None = None) -> Check:
    """Return the check for a list of `min_items` to `max_items` items. Faults do not include the position."""

    def check(value: Any) -> Sequence[Problem]:
        if type(value) is not list:
            return _not_of_type(value, "array")
        if len(value) < min_items:
            return [("", f"array is too short, at least {min_items}")]
        if max_items is not None and len(value) > max_items:
            return [("", f"array of {len(value)} items is too long, at most {max_items}")]
        return [problem for member in value for problem in item(member)]

    return check


def closed(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """Return the check for an object with only these fields."""
    known = open_object(fields, required=required)

    def check(value: Any) -> Sequence[Problem]:
        problems = known(value)
        if type(value) is dict and not value.keys() <= fields.keys():
            unexpected = [f"'{key}'" for key in value if key not in fields]
            named = f"{', '.join(unexpected)} {'was' if len(unexpected) == 1 else 'were'}"
            # Pinterest's wording (woocommerce/pinterest-for-woocommerce issue 967)
            return [*problems, ("", f"Additional properties are not allowed ({named} unexpected)")]
        return problems

    return check


def open_object(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """Return the check for an object with valid known fields; others are ignored."""

    def check(value: Any) -> Sequence[Problem]:
        if type(value) is not dict:
            return _not_of_type(value, "object")
        problems: list[Problem] = []
        for key, member in value.items():
            if key in fields and (found := fields[key](member)):
                problems += [(f"{key}.{path}" if path else key, message) for path, message in found]
        return problems + [("", f"'{key}' is a required property") for key in required if key not in value]

    return check


def _not_of_type(value: Any, wanted: str) -> Sequence[Problem]:
    return [("", f"{_KINDS[type(value)]} is not of type '{wanted}'")]


#: Members that Pinterest accepts but no available description lists, by the path of their object. `[]` is a member of a
#: list. No description has `advertiser_tracking_enabled`, which Segment and RudderStack send: it is refused.
UNLISTED: Final[Mapping[tuple[str, ...], Mapping[str, Any]]] = {}
#: The members that identify a person. 5.23 requires them in the schema, 5.28 only in its prose.
_IDENTIFIERS: Final = [
    {"required": ["em"]},
    {"required": ["hashed_maids"]},
    {"required": ["client_ip_address", "client_user_agent"]},
]

#: Type -> the rules that its check supports; "wrapped" refers to another schema, and may require sets of members.
_KNOWN_RULES: Final = {
    "array": {"items", "minItems", "maxItems"},
    "boolean": set[str](),
    "wrapped": {"allOf", "anyOf"},
    "integer": {"format", "minimum", "maximum"},
    "object": {"additionalProperties", "properties", "required"},
    "string": {"enum", "maxLength"},
}


def compile_schema(schema: Mapping[str, Any], others: Mapping[str, Any]) -> Check:
    """Return the check of a schema; `others` are schemas that it may refer to by name.

    Raises ValueError for an unknown type or rule.
    """
    if "$ref" in schema:
        return compile_schema(others[schema["$ref"].rpartition("/")[2]], others)
    kind = "wrapped" if "allOf" in schema else schema.get("type", "")
    unknown = schema.keys() - _KNOWN_RULES.get(kind, set()) - {"type", "nullable"}
    if unknown or kind not in _KNOWN_RULES or schema.get("format", "int64") != "int64":
        message = f"conversions.json: the sandbox cannot check all of {dict(schema)}: add it to app/sandbox/judge.py"
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
    if kind == "wrapped":
        (inner,) = schema["allOf"]
        return _identified(compile_schema(inner, others), schema.get("anyOf", ()))
    fields = {name: compile_schema(member, others) for name, member in schema.get("properties", {}).items()}
    build = open_object if schema.get("additionalProperties", True) else closed
    return build(fields, required=schema.get("required", ()))


def _identified(fields: Check, choices: Sequence[Mapping[str, Any]]) -> Check:
    """Check an object by `fields`; if there are `choices`, require the members of at least one of them."""
    wanted = [set(each["required"]) for each in choices]
    named = ", ".join(" with ".join(sorted(members)) for members in wanted)

    def check(value: Any) -> Sequence[Problem]:
        problems = fields(value)
        if wanted and type(value) is dict and not any(members <= value.keys() for members in wanted):
            return [*problems, ("", f"none of {named} is given")]
        return problems

    return check


def description() -> dict[str, Any]:
    """Return Pinterest's description, with the required identifiers and the unlisted members."""
    found: dict[str, Any] = orjson.loads(Path(__file__).with_name("conversions.json").read_bytes())
    user_data = {"$ref": "#/components/schemas/ConversionEventsUserDataProperties"}
    event_schema(found)["properties"]["user_data"] = {"allOf": [user_data], "anyOf": _IDENTIFIERS}
    for path, unlisted in UNLISTED.items():
        place = event_schema(found)
        for name in path:
            place = resolved(place["items"] if name == "[]" else place["properties"][name], found)
        place["properties"].update(unlisted)
    return found


def resolved(schema: Any, described: Mapping[str, Any]) -> Any:
    """Return the schema that `$ref` or a single `allOf` refers to."""
    while "$ref" in schema or "allOf" in schema:
        reference = schema if "$ref" in schema else schema["allOf"][0]
        schema = described["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    return schema


def event_schema(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an event in a description."""
    event: dict[str, Any] = described["components"]["schemas"]["ConversionEvents"]["properties"]["data"]["items"]
    return event


def _hashed(schemas: Mapping[str, Any]) -> tuple[str, ...]:
    members = schemas["ConversionEventsUserDataProperties"]["properties"]
    return tuple(name for name, schema in members.items() if schema["type"] == "array")


_SCHEMAS: Final = description()["components"]["schemas"]
CONVERSION_EVENT: Final = compile_schema(event_schema(description()), _SCHEMAS)
#: The members of user_data with SHA-256 digests: all lists.
HASHED: Final = _hashed(_SCHEMAS)


MAX_EVENTS = 1_000
#: Pinterest refuses older events (seen as status 422).
MAX_AGE_S = 7 * DAY_S
#: Pinrelay's choice: Pinterest does not document how far ahead a clock may be.
MAX_AHEAD_S = 300

_SHA256 = re.compile("[0-9a-f]{64}")
_CALL = closed({"data": array(lambda _event: (), min_items=1, max_items=MAX_EVENTS)}, required=("data",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Pinterest's result for an event in a readable call."""

    #: Why the event failed; "" if it was processed.
    error: str
    #: "" without a warning.
    warning: str


def judge(event: Any, now: float, *, event_names: Collection[str] = ()) -> list[str]:
    """Return all reasons for which Pinterest would reject this event; [] for a valid event.

    `event_names` are the advertiser's own, in addition to the 22 standard ones. Warnings are not included: see
    `verdict`.
    """
    problems = schema_problems(event)
    if problems:
        return problems
    error = verdict(event, now, event_names=event_names).error
    return [error] if error else []


def call_problem(body: Any) -> str | None:
    """Return why the whole call is refused (status 400): its form, or the first invalid event; otherwise `None`.

    Like Pinterest's response, the message does not identify the event.
    """
    problems = _worded(_CALL(body))
    if problems:
        return problems[0]
    return next((found[0] for event in body["data"] if (found := schema_problems(event))), None)


def schema_problems(event: Any) -> list[str]:
    """Return the schema violations of an event: `custom_data.value: integer is not of type 'string'`."""
    return _worded(CONVERSION_EVENT(event))


def verdict(event: dict[str, Any], now: float, *, event_names: Collection[str] = ()) -> Verdict:
    """Return the result for an event that conforms to the schema."""
    user_data = event["user_data"]
    unhashed = [name for name in HASHED if not all(map(_SHA256.fullmatch, user_data.get(name, ())))]
    return Verdict(
        error=_error(event, now, event_names),
        warning="; ".join(f"'{name}' is not in sha256 hashed format" for name in unhashed),
    )


def _error(event: dict[str, Any], now: float, event_names: Collection[str]) -> str:
    at = event["event_time"]
    if not now - MAX_AGE_S <= at <= now + MAX_AHEAD_S:
        return (
            f"Invalid event_timestamp parameter. Given timestamp is in the {'past' if at < now else 'future'}. "
            f"Current timestamp: {int(now)}, Given event_timestamp: {at}"
        )
    if event["event_name"] not in EVENT_NAMES and event["event_name"] not in event_names:
        return "Invalid event_name parameter. It is neither a standard event nor defined by the advertiser"
    if event["action_source"] not in ACTION_SOURCES:
        return f"Invalid action_source parameter. It must be one of {', '.join(ACTION_SOURCES)}"
    return ""


def _worded(problems: Any) -> list[str]:
    return [f"{path}: {message}" if path else message for path, message in problems]
