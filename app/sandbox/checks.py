"""The small checks that Pinterest's schema is built of: each takes a JSON value and returns what is wrong with it.

    text(5)("abcdef")                  -> [("", "string of 6 characters is too long, at most 5")]
    closed({"id": text()})({"id": 7})  -> [("id", "integer is not of type 'string'")]
    closed({})({"a": 1})               -> [("", "Additional properties are not allowed ('a' was unexpected)")]

Values are shown by kind and length only: they may be personal. That, and a call of a thousand events, is why no library
of JSON Schema does it: `jsonschema` quotes the values, and takes 80 µs an event where this takes 4.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

#: Where inside the value ("" is the value itself), and what is wrong there.
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
    """Want a string of at most `max_length` characters, one of `choices` where there are any."""

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
    """Want a whole number within the bounds; neither `1.0` nor `true` is one."""

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
    """Want true or false."""
    return FINE if type(value) is bool else _not_of_type(value, "boolean")


def nullable(check: Check) -> Check:
    """Want null, or what `check` wants."""
    return lambda value: FINE if value is None else check(value)


def array(item: Check, *, min_items: int = 0, max_items: int | None = None) -> Check:
    """Want a list of `min_items` to `max_items`, each as `item` wants. Problems do not say at which place."""

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
    """Want an object of these fields and no others."""
    known = open_object(fields, required=required)

    def check(value: Any) -> Sequence[Problem]:
        problems = known(value)
        if type(value) is dict and not value.keys() <= fields.keys():
            return [*problems, ("", _unexpected([key for key in value if key not in fields]))]
        return problems

    return check


def open_object(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """Want an object whose known fields are right; others are ignored."""

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


def _unexpected(keys: Sequence[str]) -> str:
    """Word it as Pinterest does (woocommerce/pinterest-for-woocommerce issue 967)."""
    names = ", ".join(f"'{key}'" for key in keys)
    return f"Additional properties are not allowed ({names} {'was' if len(keys) == 1 else 'were'} unexpected)"
