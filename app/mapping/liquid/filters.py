"""The filters of LiquidJS, less those that Segment disables and those that depend on chance."""

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Final

from app.mapping.liquid.date_filters import DATE_FILTERS
from app.mapping.liquid.list_filters import LIST_FILTERS
from app.mapping.liquid.number_filters import NUMBER_FILTERS
from app.mapping.liquid.text_filters import TEXT_FILTERS
from app.mapping.liquid.values import plain, within_bounds
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
    """Hand plain values to a filter, and hold its result within bounds."""

    @wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        found = function(*map(plain, arguments), **{name: plain(value) for name, value in named.items()})
        return None if found is MISSING else within_bounds(found)

    return guarded


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        name: _guarded(function)
        for room in (TEXT_FILTERS, NUMBER_FILTERS, LIST_FILTERS, DATE_FILTERS)
        for name, function in room.items()
    }
)
