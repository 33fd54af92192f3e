"""How LiquidJS reads values as text, numbers and lists, and the bounds on them."""

import math
import re
from typing import Any, Final

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.exceptions import LiquidError
from liquid.undefined import Undefined

from app.mapping.javascript import javascript_text
from app.mapping.nodes import MISSING

#: Characters of a text, items of a list, that a filter may take or give.
MAX_SIZE: Final = 100_000
#: Items of a range such as `(1..9)`.
MAX_RANGE: Final = 10_000

_OF_JSON: Final = frozenset({str, list, dict, int, float, bool, type(None)})
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class TooLargeError(LiquidError):
    """A value grew beyond the bounds; the field is left out."""

    def __init__(self) -> None:
        super().__init__("a value is too large", token=None)


def plain(value: Any) -> Any:
    """Return the JSON value behind what python-liquid hands around; MISSING for undefined. Raises TooLargeError."""
    if type(value) in _OF_JSON:  # nearly always; to ask for an abstract class takes ten times as long
        return within_bounds(value)
    if isinstance(value, Undefined):
        return MISSING
    if isinstance(value, Empty | Blank):
        return ""
    if isinstance(value, range):
        if value.stop - value.start > MAX_RANGE:  # `len` raises where that is more than a machine word holds
            raise TooLargeError
        return list(value)
    return within_bounds(value)


def within_bounds(value: Any) -> Any:
    """Hand the value on, or raise TooLargeError."""
    if isinstance(value, str | list) and len(value) > MAX_SIZE:
        raise TooLargeError
    return value


def liquid_text(value: Any) -> str:
    """Write a value into the output: as JavaScript does, except that the items of a list stand side by side."""
    return "".join(map(liquid_text, value)) if isinstance(value, list) else javascript_text(value)


def number_or_nan(value: Any) -> float:
    """Read as JavaScript's `Number`: "" and null are 0, words are NaN."""
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
    """Read a number for arithmetic; what is no number counts as 0."""
    found = number_or_nan(value)
    return 0.0 if math.isnan(found) else found


def whole(value: Any, default: int) -> int:
    """Read a count or position."""
    if value is MISSING or value is None:
        return default
    found = number_or_zero(value)
    return int(max(-MAX_SIZE, min(MAX_SIZE, found)))


def items_of(value: Any) -> list[Any]:
    """Read as a list: nothing is empty, a single value stands alone."""
    if value is MISSING or value is None:
        return []
    return value if isinstance(value, list) else [value]
