"""`@path`: Segment's dotted paths, and JSONPath if a path has wildcards, slices or filters.

`$.a.b` and `a.b` are the same, `a[0].b` and `a.0.b` too; `$["a.b"]` is a key with a dot; the value of `a[*].b` is a
list.
"""

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, Final

from app.errors import Fault, MappingError
from app.mapping.compiler import Compiler, json_kind
from app.mapping.javascript import member
from app.mapping.jsonpath import compile_list_path
from app.mapping.nodes import EVENT, MISSING, Call, Constant, Node, Path

MAX_PATH_CHARACTERS: Final = 500

_QUOTED_KEY: Final = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)')\s*\]""")
_BEYOND_DOTS: Final = re.compile(r"^\$?\.\.|(?:^|\.)\*(?=$|[.\[])|\[\s*(?:[*?:-]|\d+\s*[:,])", re.ASCII)
#: Segment splits at dots and around `[0]`; any other bracket is part of the key.
_SPLIT: Final = re.compile(r"""\.|\[(?=["'\d])|(?<=["'\d])\]+""", re.ASCII)


def build_path(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@path`: the value at a path of the event; a directive in place of the text sets the path at run time."""
    given = compiler.text_or_directive(value, at)
    if isinstance(given, Constant) and isinstance(given.value, str):
        return path_node(compiler, without_prefix(given.value), at)
    return Call(function=partial(_read_dynamic, at), operands=(EVENT, given))


def without_prefix(text: str) -> str:
    """Remove `$.`; like Segment, the first occurrence at any position."""
    return text if text.startswith("$..") else text.replace("$.", "", 1)


def path_node(compiler: Compiler, text: str, at: str) -> Node:
    """Compile the text of a path; an invalid path is a fault."""
    try:
        keys = dotted_keys(text)
        return compile_list_path(text) if keys is None else Path(text=text or "$", keys=keys)
    except ValueError as error:
        return compiler.fault(at, f"{text!r} {error}")


def dotted_keys(text: str) -> tuple[str, ...] | None:
    """Split a path into its keys; `None` if the path needs JSONPath. Raises ValueError if the path is invalid.

    >>> dotted_keys('products[0]["unit price"]')
    ('products', '0', 'unit price')
    """
    if len(text) > MAX_PATH_CHARACTERS:
        raise ValueError(f"is longer than {MAX_PATH_CHARACTERS} characters")
    text = text[1:] if text.startswith("$[") or text == "$" else text
    keys: list[str] = []
    for position, part in enumerate(_QUOTED_KEY.split(text)):
        is_quoted = position % 3 != 0
        if is_quoted:
            keys += [] if part is None else [part]
        elif _BEYOND_DOTS.search(part):
            return None
        else:
            keys += [re.sub("[\"']", "", key) for key in _SPLIT.split(part) if key]
    return tuple(keys)


def read(value: Any, keys: tuple[str, ...]) -> Any:
    """Follow the keys without generated code; MISSING if the path has no value."""
    for key in keys:
        if value is MISSING:
            break
        value = member(value, key)
    return value


def read_in_lists(keys: tuple[str, ...], value: Any) -> Any:
    """Follow the keys through lists too: the list of the values in all objects; MISSING if there are none.

    >>> read_in_lists(("device", "ok"), [{"device": [{"ok": 1}, {"ok": 2}]}, 3])
    [1, 2]
    """
    found = [value]
    for key in keys:
        found = [each[key] for each in items_within(found) if type(each) is dict and key in each]
        if not found:  # in nearly every event at the first key
            return MISSING
    return found


def items_within(value: Any) -> Iterator[Any]:
    """Yield the items of a list and of the lists in it."""
    for item in value:
        if type(item) is list:
            yield from items_within(item)
        else:
            yield item


def not_a_text(at: str, value: Any) -> MappingError:
    """Return the error for a directive that did not return a text for this event."""
    given = "nothing" if value is MISSING else json_kind(value)
    return MappingError([Fault(at, f"should give a text but it gives {given}")])


@lru_cache(maxsize=1_000)
def _dynamic_keys(text: str) -> tuple[str, ...] | None:
    try:
        return dotted_keys(without_prefix(text))
    except ValueError:
        return None


def _read_dynamic(at: str, event: Any, text: Any) -> Any:
    """Read a path that the event itself contains. JSONPath is not allowed in events, so it returns MISSING."""
    if not isinstance(text, str):
        raise not_a_text(at, text)
    keys = _dynamic_keys(text)
    return MISSING if keys is None else read(event, keys)
