"""Suggest the intended path of an event for a field without a value."""

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from app.mapping.nodes import Keys
from app.mapping.paths import dotted_keys

#: Maximum numbers of paths of a field, and of an event, that are compared.
_MAX_ASKED: Final = 50
_MAX_COMPARED: Final = 500
#: Paths with a similar end are a match if the whole paths have at least this similarity,
_LIKE_WHOLE: Final = 0.8
_LIKE_END: Final = 0.6
#: or at any place if their ends have at least this similarity.
_LIKE_ANYWHERE: Final = 0.8
_PLAIN_KEY: Final = re.compile(r"\w+")
#: The items that a path selects from a list, in any notation: only the first item is compared.
_OF_ITEMS: Final = re.compile(r"""\[(?!["'])(?:\*|-?\d+|[^\]]*[?:][^\]]*)\]""")


def nearest_path(asked: Iterable[str], event: dict[str, Any]) -> str:
    """Return the path with a value in an event that is most similar to a requested path; "" if there is none.

    Requested paths that have a value are ignored.

    >>> nearest_path(["properties.order_total"], {"properties": {"orderTotal": 5, "order_id": "A"}})
    'properties.orderTotal'
    >>> nearest_path(["properties.price", "properties.qantity"], {"properties": {"price": 5, "quantity": 2}})
    'properties.quantity'
    """
    return _nearest(tuple(islice(asked, _MAX_ASKED)), tuple(islice(_paths_in(event), _MAX_COMPARED)))


@lru_cache(maxsize=128)
def _nearest(asked: tuple[str, ...], paths: tuple[str, ...]) -> str:
    """Return the path that is most similar to a requested path.

    Cached, because an editor repeats the request at each key press.
    """
    there = {path: _keys_of(path) for path in paths}
    lacking = {*map(_keys_of, asked)} - {(), *there.values()}
    by_end: dict[str, list[str]] = {}
    for path, keys in there.items():
        by_end.setdefault(_spelled(keys[-1:]), []).append(path)
    best, nearest = 0.0, ""
    for keys in map(_keys_of, asked):
        if keys not in lacking:
            continue
        whole = _spelled(keys)
        for end, likeness in _ends_like(_spelled(keys[-1:]), by_end):
            for path in by_end[end]:
                alike = SequenceMatcher(None, whole, _spelled(there[path]), autojunk=False).ratio()
                if likeness + alike > best and (likeness >= _LIKE_ANYWHERE or alike >= _LIKE_WHOLE):
                    best, nearest = likeness + alike, path
    return nearest


def _ends_like(wanted: str, ends: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Yield the last keys that are similar to the wanted key, with their similarity."""
    matcher = SequenceMatcher(None, "", wanted, autojunk=False)
    for end in ends:
        matcher.set_seq1(end)
        if matcher.real_quick_ratio() >= _LIKE_END and matcher.quick_ratio() >= _LIKE_END:
            likeness = matcher.ratio()
            if likeness >= _LIKE_END:
                yield end, likeness


def _spelled(keys: Keys) -> str:
    return ".".join(keys).lower().replace("_", "").replace("-", "")


@lru_cache(maxsize=4_096)
def _keys_of(path: str) -> Keys:
    """Return the keys of a path, with 0 for any items of a list; empty if the path is a more complex query."""
    try:
        return dotted_keys(_OF_ITEMS.sub("[0]", path)) or ()
    except ValueError:
        return ()


def _paths_in(event: dict[str, Any]) -> Iterator[str]:
    """Yield the paths of an event that have a value; a list is represented by its first item."""
    waiting: list[tuple[str, Any]] = [("", event)]
    while waiting:
        at, value = waiting.pop()
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield at
            at, value = f"{at}[0]", value[0]
        elif at and value not in (None, "", [], {}):
            yield at
        if isinstance(value, dict):
            for key, member in reversed(value.items()):
                name = f".{key}" if _PLAIN_KEY.fullmatch(key) else f'["{key}"]'
                waiting.append(((at + name).removeprefix("."), member))
