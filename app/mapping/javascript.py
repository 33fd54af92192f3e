"""Read members and write values as JavaScript does, which Segment's mappings expect; `@json`.

Source of the rules: ECMAScript, sections Number::toString and Array.prototype.toString.
"""

import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import orjson

from app.mapping.compiler import Compiler
from app.mapping.nodes import MISSING, NOTHING, Call, Node

_EXACT_BELOW: Final = 10**21
_DECIMALS_FROM: Final = -7
_DECIMALS_BELOW: Final = 21


#: Marks a wrapped value, to distinguish it from an object without members.
_NO_OBJECT: Final = ((),)


class NotAnObject:
    """Lets generated code look up members of any value, as in a dict."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __bool__(self) -> bool:
        """Return whether the value can have members from the sender."""
        return may_have_members(self._value)

    def __contains__(self, key: str) -> bool:
        """Return whether a member exists."""
        return member(self._value, key) is not MISSING

    def __iter__(self) -> Iterator[Any]:
        """Yield a mark instead of member names: members of lists and texts are not looked up by name."""
        return iter(_NO_OBJECT)

    def __getitem__(self, key: str) -> Any:
        """Return an existing member."""
        return member(self._value, key)


def member(value: Any, key: str) -> Any:
    """Return `value[key]` as Segment's paths do: a falsy value is passed on, lists and texts have items and a length.

    >>> member([7, 8], "1"), member("abc", "length"), member(0, "anything")
    (8, 3, 0)
    """
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list):
        return len(value) if key == "length" else _item(value, key)
    if not value:
        return value
    if isinstance(value, str):
        return text_length(value) if key == "length" else _item(value, key)
    return MISSING


def may_have_members(value: Any) -> bool:
    """Return whether a value can have members from the sender: false and 0, PHP's empty values, have none.

    An empty list has its length.
    """
    return isinstance(value, list) or bool(value)


def _item(value: list[Any] | str, key: str) -> Any:
    """Return the item at a canonical index: "0" and "12" are, "00" and "-1" are not."""
    if not (key.isascii() and key.isdigit()) or (key[0] == "0" and key != "0") or len(key) > len(str(len(value))):
        return MISSING
    index = int(key)
    return value[index] if index < len(value) else MISSING


def text_length(text: str) -> int:
    """Count UTF-16 units, as JavaScript does: an emoji counts 2."""
    return len(text) + sum(character > "\uffff" for character in text)


def javascript_text(value: Any) -> str:
    """Return a value as JavaScript's `String(value)` inside a text; null and missing are empty.

    >>> javascript_text(275.0), javascript_text(True), javascript_text([1, [2, None]]), javascript_text({})
    ('275', 'true', '1,2,', '[object Object]')
    """
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return javascript_number(value)
    if isinstance(value, list):
        return ",".join(map(javascript_text, value))
    return "[object Object]"


def javascript_number(number: float) -> str:
    """Return a number in JavaScript's format: `275.0` is "275", `1e21` is "1e+21".

    Whole numbers stay exact even if JavaScript would round them, because they are order numbers.
    """
    if isinstance(number, int) and abs(number) < _EXACT_BELOW:
        return str(number)
    try:
        number = float(number)
    except OverflowError:
        number = math.inf if number > 0 else -math.inf
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
    return _shortest(number)


def _shortest(number: float) -> str:
    """Format the shortest digits that read back as `number`; Python and JavaScript choose the same digits."""
    mantissa, _, exponent_text = f"{repr(abs(number)).removesuffix('.0')}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(exponent_text.removesuffix("e0")) + len(whole)
    digits = (whole + fraction).lstrip("0")
    exponent -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0") or "0"
    sign = "-" if number < 0 else ""
    return sign + _laid_out(digits, exponent)


def _laid_out(digits: str, exponent: int) -> str:
    """Format 0.`digits` x 10^`exponent`."""
    if digits == "0":
        return "0"
    if len(digits) <= exponent <= _DECIMALS_BELOW:
        return digits.ljust(exponent, "0")
    if 0 < exponent <= _DECIMALS_BELOW:
        return f"{digits[:exponent]}.{digits[exponent:]}"
    if _DECIMALS_FROM < exponent - 1 <= 0:
        return f"0.{'0' * -exponent}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{exponent - 1:+d}"


#: Maximum number of values in an object or list that a directive passes to another.
MAX_EVENT_VALUES: Final = 10_000


def is_within_limit(value: Any, limit: int = MAX_EVENT_VALUES) -> bool:
    """Return whether a value contains at most `limit` values. The count stops at the limit."""
    waiting = [value]
    count = 0
    while waiting:
        count += 1
        if count + len(waiting) > limit:
            return False
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return True


_quoted = partial(json.dumps, ensure_ascii=False)


def build_json(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@json`: a value written as JSON, or the value in a JSON text; the value may not be null or empty."""
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
    """Return JSON without blanks; numbers as in JavaScript.

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
    """Parse JSON text; other values pass unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
