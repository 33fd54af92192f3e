"""The filters of LiquidJS, without those that Segment disables and those that depend on randomness."""

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import wraps
from types import MappingProxyType
from typing import Any, Final

from app.mapping.liquid.date_filters import DATE_FILTERS
from app.mapping.liquid.list_filters import LIST_FILTERS
from app.mapping.liquid.text_filters import TEXT_FILTERS
from app.mapping.liquid.values import number_or_nan, number_or_zero, plain, within_bounds
from app.mapping.nodes import MISSING

DISABLED_FILTERS: Final = frozenset(
    {
        "array_to_sentence_string",
        "concat",
        "find",
        "find_exp",
        "find_index",
        "find_index_exp",
        "group_by",
        "group_by_exp",
        "has",
        "has_exp",
        "map",
        "newline_to_br",
        "reject",
        "reject_exp",
        "reverse",
        "sort",
        "sort_natural",
        "uniq",
        "where_exp",
        "type",
        "sample",
    }
)


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Pass plain values to a filter, and limit the size of its result."""

    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        found = function(*map(plain, arguments), **{name: plain(value) for name, value in named.items()})
        return None if found is MISSING else within_bounds(found)

    return guarded


_MAX_SAFE: Final = 2**53 - 1
_MAX_PLACES: Final = 20


def _divided(dividend: float, divisor: float) -> float:
    if divisor:
        return dividend / divisor
    return math.copysign(math.inf, dividend) if dividend else math.nan


def divided_by(value: Any, by: Any, integer: Any = MISSING) -> float:
    """Divide; if the third argument is true, round down to a whole number."""
    result = _divided(number_or_zero(value), number_or_zero(by))
    return _whole(math.floor, result) if integer is not MISSING and integer else result


def modulo(value: Any, by: Any) -> float:
    """Return the remainder, with the sign of the divisor."""
    left, right = number_or_zero(value), number_or_zero(by)
    return left % right if right and math.isfinite(left) else math.nan


def _whole(step: Callable[[float], int], value: float) -> float:
    return step(value) if math.isfinite(value) else value


def round_half_up(value: Any, places: Any = 0) -> float:
    """Round; halves are rounded away from zero."""
    found, shift = number_or_zero(value), int(max(-_MAX_PLACES, min(_MAX_PLACES, number_or_zero(places))))
    if not math.isfinite(found):
        return found
    scaled = Decimal(repr(abs(found))).scaleb(shift)
    if scaled > _MAX_SAFE:
        return found
    return math.copysign(float(scaled.to_integral_value(ROUND_HALF_UP).scaleb(-shift)), found)


NUMBER_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": lambda value: abs(number_or_zero(value)),
    "at_least": lambda value, least: max(number_or_zero(value), number_or_zero(least)),
    "at_most": lambda value, most: min(number_or_zero(value), number_or_zero(most)),
    "ceil": lambda value: _whole(math.ceil, number_or_zero(value)),
    "divided_by": divided_by,
    "floor": lambda value: _whole(math.floor, number_or_zero(value)),
    "minus": lambda value, other: number_or_zero(value) - number_or_zero(other),
    "modulo": modulo,
    "plus": lambda value, other: number_or_zero(value) + number_or_zero(other),
    "round": round_half_up,
    "times": lambda value, other: number_or_zero(value) * number_or_zero(other),
    "to_integer": lambda value: math.nan if value is MISSING else number_or_nan(value),
}

FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        name: _guarded(function)
        for room in (TEXT_FILTERS, NUMBER_FILTERS, LIST_FILTERS, DATE_FILTERS)
        for name, function in room.items()
    }
)
