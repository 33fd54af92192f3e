"""Conversions of LiquidJS from values to texts, numbers and lists, and their size limits."""

import math
import re
from typing import Any, Final

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidError
from liquid.undefined import Undefined

from app.mapping.javascript import javascript_text
from app.mapping.nodes import MISSING

#: Maximum length of a text, or of a list, as argument or result of a filter.
MAX_SIZE: Final = 100_000
#: Maximum length of a range such as `(1..9)`.
MAX_RANGE: Final = 10_000

_OF_JSON: Final = frozenset({str, list, dict, int, float, bool, type(None)})
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class TooLargeError(LiquidError):
    """A value exceeded the limits; the field is omitted."""

    def __init__(self) -> None:
        super().__init__("a value is too large", token=None)


def plain(value: Any) -> Any:
    """Return the JSON value of an object of python-liquid; MISSING for undefined. Raises TooLargeError."""
    if type(value) in _OF_JSON:  # nearly always; a check of an abstract class is ten times slower
        return within_bounds(value)
    if isinstance(value, Undefined):
        return MISSING
    if isinstance(value, Empty | Blank):
        return ""
    if isinstance(value, range):
        if value.stop - value.start > MAX_RANGE:  # `len` raises for more than a machine word
            raise TooLargeError
        return list(value)
    return within_bounds(value)


def within_bounds(value: Any) -> Any:
    """Return the value, or raise TooLargeError."""
    if isinstance(value, str | list) and len(value) > MAX_SIZE:
        raise TooLargeError
    return value


def liquid_text(value: Any) -> str:
    """Return a value as output text: as in JavaScript, except that the items of a list have no separators."""
    return "".join(map(liquid_text, value)) if isinstance(value, list) else javascript_text(value)


def number_or_nan(value: Any) -> float:
    """Return a number as JavaScript's `Number`: "" and null are 0, words are NaN."""
    if value is None or value is True or value is False or isinstance(value, int | float):
        return _float(value or 0)
    if isinstance(value, list):
        value = javascript_text(value)
    if not isinstance(value, str):
        return math.nan
    text = value.strip()
    if not text:
        return 0.0
    return _float(text) if _NUMBER.fullmatch(text) else math.nan


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def number_or_zero(value: Any) -> float:
    """Return a number for arithmetic; other values count as 0."""
    found = number_or_nan(value)
    return 0.0 if math.isnan(found) else found


def whole(value: Any, default: int) -> int:
    """Return a count or position."""
    if value is MISSING or value is None:
        return default
    found = number_or_zero(value)
    return int(max(-MAX_SIZE, min(MAX_SIZE, found)))


def items_of(value: Any) -> list[Any]:
    """Return a list: missing and null are empty, a single value becomes a list."""
    if value is MISSING or value is None:
        return []
    return value if isinstance(value, list) else [value]
