"""Liquid's filters on lists, and those on values of any type."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.mapping.javascript import is_within_limit, javascript_text, json_text, text_length
from app.mapping.liquid.values import MAX_SIZE, TooLargeError, items_of, liquid_text, number_or_nan, plain, whole
from app.mapping.nodes import MISSING
from app.mapping.paths import read


def join(value: Any, separator: Any = MISSING) -> str:
    """Join the items with a separator, a blank by default. Raises TooLargeError."""
    between = " " if separator is MISSING or separator is None else liquid_text(separator)
    texts = [javascript_text(item) for item in items_of(value)]
    if sum(map(len, texts)) + len(between) * len(texts) > MAX_SIZE:
        raise TooLargeError
    return between.join(texts)


def first(value: Any) -> Any:
    """Return the first item or character."""
    return value[0] if isinstance(value, list | str) and value else ""


def last(value: Any) -> Any:
    """Return the last item or character."""
    return value[-1] if isinstance(value, list | str) and value else ""


def size(value: Any) -> int:
    """Count items or characters; other values have no size."""
    if isinstance(value, str):
        return text_length(value)
    return len(value) if isinstance(value, list) else 0


def slice_(value: Any, begin: Any, length: Any = 1) -> Any:
    """Return a part of a list or text; a negative start counts from the end."""
    if value is MISSING or value is None:
        return []
    whole_value = value if isinstance(value, list) else liquid_text(value)
    start, count = whole(begin, 0), whole(length, 1)
    start += len(whole_value) if start < 0 else 0
    return whole_value[:0] if start < 0 or count < 0 else whole_value[start : start + count]


def sum_(value: Any, of: Any = MISSING) -> float:
    """Add the items, or a member of each; values that are not numbers count as 0."""
    found = [number_or_nan(_member(item, of)) for item in items_of(value)]
    return sum(number for number in found if number == number)  # noqa: PLR0124 - leaves NaN out


def where(value: Any, of: Any, expected: Any = MISSING) -> list[Any]:
    """Return the items whose member equals `expected`; without `expected`, those whose member is true."""
    kept = []
    for item in items_of(value):
        found = _member(item, of)
        is_true = found is not MISSING and found is not None and found is not False
        if is_true if expected is MISSING else _is_same(found, expected):
            kept.append(item)
    return kept


def _member(item: Any, of: Any) -> Any:
    return item if of is MISSING else plain(read(item, tuple(liquid_text(of).split("."))))


def _is_same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def default(value: Any, instead: Any = MISSING, *, allow_false: Any = False) -> Any:
    """Return `instead` for missing, null, "", [] and (unless allowed) false."""
    if value is False and allow_false is True:
        return False
    return instead if value is MISSING or value is None or value is False or value in ("", []) else value


def json(value: Any) -> Any:
    """Return JSON text. Raises TooLargeError."""
    if value is MISSING:
        return MISSING
    if not is_within_limit(value):
        raise TooLargeError
    return json_text(value)


LIST_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "join": join,
    "first": first,
    "last": last,
    "size": size,
    "slice": slice_,
    "sum": sum_,
    "where": where,
    "compact": lambda value: [item for item in items_of(value) if item is not None],
    "push": lambda value, item: [*items_of(value), item],
    "unshift": lambda value, item: [item, *items_of(value)],
    "pop": lambda value: items_of(value)[:-1],
    "shift": lambda value: items_of(value)[1:],
    "default": default,
    "json": json,
    "jsonify": json,
    "inspect": json,
    "raw": lambda value: value,
}
