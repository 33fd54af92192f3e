"""`@json`: values to JSON text and back, as JavaScript's `JSON` does it."""

import json
from functools import partial
from typing import Any

import orjson

from app.mapping.compiler import Compiler
from app.mapping.javascript import javascript_number
from app.mapping.nodes import MISSING, NOTHING, Call, Node
from app.mapping.size_limit import is_within_limit

_quoted = partial(json.dumps, ensure_ascii=False)


def build_json(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@json`: a value written as JSON, or what such a text holds; the value may be anything but nothing."""
    options = compiler.options(value, at, ("mode", "value"))
    if options is None or not compiler.required(options, at, "mode") or not compiler.required(options, at, "value"):
        return NOTHING
    mode = compiler.one_of(options["mode"], f"{at}/mode", ("encode", "decode"))
    if options["value"] in (None, "", 0, False):
        return compiler.fault(f"{at}/value", "should not be empty, 0, false or null")
    given = compiler.operand(options["value"], f"{at}/value")
    return Call(function=_encode if mode == "encode" else _decode, operands=(given,))


def _encode(value: Any) -> Any:
    return json_text(value) if value is not MISSING and is_within_limit(value) else MISSING


def json_text(value: Any) -> str:
    """Write JSON without blanks; numbers as in JavaScript.

    >>> json_text({"total": 275.0, "tags": ["é", None]})
    '{"total":275,"tags":["é",null]}'
    """
    if value is None or isinstance(value, str | bool):
        return _quoted(value)
    if isinstance(value, int | float):
        return javascript_number(value)
    if isinstance(value, list):
        return f"[{','.join(map(json_text, value))}]"
    return f"{{{','.join(f'{_quoted(key)}:{json_text(member)}' for key, member in value.items())}}}"


def _decode(value: Any) -> Any:
    """Read JSON text; what is no text or no JSON passes unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
