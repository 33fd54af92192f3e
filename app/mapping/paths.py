"""`@path`: Segment's dotted paths, and JSONPath where a path has wildcards, slices or filters.

`$.a.b` and `a.b` are the same, `a[0].b` and `a.0.b` too; `$["a.b"]` is a key with a dot; `a[*].b` gives a list.
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
    """Build `@path`: what stands there in the event; a directive in place of the text gives each event's path."""
    given = compiler.text_or_directive(value, at)
    if isinstance(given, Constant) and isinstance(given.value, str):
        return path_node(compiler, without_prefix(given.value), at)
    return Call(function=partial(_read_dynamic, at), operands=(EVENT, given))


def without_prefix(text: str) -> str:
    """Take off `$.`; like Segment, the first one wherever it stands."""
    return text if text.startswith("$..") else text.replace("$.", "", 1)


def path_node(compiler: Compiler, text: str, at: str) -> Node:
    """Compile the text of a path, with a fault where it cannot be read."""
    try:
        keys = dotted_keys(text)
        return compile_list_path(text) if keys is None else Path(text=text or "$", keys=keys)
    except ValueError as error:
        return compiler.fault(at, f"{text!r} {error}")


def dotted_keys(text: str) -> tuple[str, ...] | None:
    """Split a path into its keys; None where it needs JSONPath. Raises ValueError where it cannot be read.

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
    """Follow the keys, without a plan; MISSING where they lead nowhere."""
    for key in keys:
        if value is MISSING:
            break
        value = member(value, key)
    return value


def read_in_lists(keys: tuple[str, ...], value: Any) -> Any:
    """Follow the keys through lists too: the list of what all objects say that they lead to; MISSING where none does.

    >>> read_in_lists(("device", "ok"), [{"device": [{"ok": 1}, {"ok": 2}]}, 3])
    [1, 2]
    """
    found = [value]
    for key in keys:
        found = [each[key] for each in items_within(found) if type(each) is dict and key in each]
    return found or MISSING


def items_within(value: Any) -> Iterator[Any]:
    """Yield what a list holds, and the lists in it."""
    for item in value:
        if type(item) is list:
            yield from items_within(item)
        else:
            yield item


def not_a_text(at: str, value: Any) -> MappingError:
    """Make the error for a directive that should have given a text for this event."""
    given = "nothing" if value is MISSING else json_kind(value)
    return MappingError([Fault(at, f"should give a text but it gives {given}")])


@lru_cache(maxsize=1_000)
def _dynamic_keys(text: str) -> tuple[str, ...] | None:
    try:
        return dotted_keys(without_prefix(text))
    except ValueError:
        return None


def _read_dynamic(at: str, event: Any, text: Any) -> Any:
    """Read a path that the event itself names. JSONPath is not for events to write: it gives nothing."""
    if not isinstance(text, str):
        raise not_a_text(at, text)
    keys = _dynamic_keys(text)
    return MISSING if keys is None else read(event, keys)
