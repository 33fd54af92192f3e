"""Texts of a mapping that every event would get: paths that are read as none, and ids."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.core.values.placeholders import says_nothing
from app.errors import Fault
from app.mapping import MISSING
from app.mapping import Mapping as CompiledMapping

_PATH: Final = re.compile(r"\$(?:\.\D|\[)|(?:properties|context|traits)\.\w")
#: The same in a source, whose paths begin at a record.
_PATH_OF_RECORD: Final = re.compile(r"\$(?:\.\D|\[)|(?:body|headers|query|item)\.\w")
_IN_BRACES: Final = "{{"
#: What stands in these is read as it should be, or meant as it is written, or for people.
_READ: Final = frozenset({"@path", "@literal", "@liquid", "@blocks", "_metadata"})
#: The first of the two is a path, the second a shape.
_OF_LISTS: Final = frozenset({"@arrayPath", "@each"})
#: Of their options one is a value.
_OF_TEXTS: Final[Mapping[str, str]] = {
    "@replace": "value",
    "@prefixed": "value",
    "@flatten": "value",
    "@queryParameter": "url",
}


def same_for_all(
    value: Any, mapping: CompiledMapping, ids: Iterable[tuple[str, ...]], at: str, *, of_records: bool = False
) -> list[Fault]:
    """Return a fault for each text that every event would get: paths that are read as none, and what stands at `ids`.

    `mapping` is what was compiled of `value` and, it may be, defaults. `of_records`: it maps records, not events.
    """
    found = {fault.path: fault for fault in unread_paths(value, at, _PATH_OF_RECORD if of_records else _PATH)}
    for keys in ids:
        place = f"{at}/{'/'.join(keys)}"
        given = mapping.literal(*keys)
        if given is not MISSING and not says_nothing(given):
            found.setdefault(place, Fault(place, "is the same for every event: all but the first are duplicates"))
    return list(found.values())


def unread_paths(value: Any, at: str, path: re.Pattern[str] = _PATH) -> Iterator[Fault]:
    """Yield a fault for each text of a mapping that looks like a path or a template and is none; `@literal` means it.

    >>> [str(fault) for fault in unread_paths({"email": "$.userId"}, "/mapping")]
    ['/mapping/email: `$.userId` is sent as it is written: write {"@path": "$.userId"}, or @literal where meant']
    >>> list(unread_paths({"email": {"@path": "$.userId"}}, "/mapping"))
    []
    """
    if isinstance(value, str):
        directive = "@template" if _IN_BRACES in value else "@path" if path.match(value) else None
        if directive:
            yield Fault(
                at, f'`{value}` is sent as it is written: write {{"{directive}": "{value}"}}, or @literal where meant'
            )
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from unread_paths(item, f"{at}/{number}", path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_member(key, inner, f"{at}/{key}", path)


def _of_member(key: str, value: Any, at: str, path: re.Pattern[str]) -> Iterator[Fault]:
    """Yield the faults of a member, which may be a directive with its options."""
    if key == "@template" and isinstance(value, str):
        if _IN_BRACES not in value and path.match(value):
            yield Fault(at, f"`{value}` has no braces: write {{{{{value.removeprefix('$.')}}}}}")
    elif key in _OF_LISTS and isinstance(value, list):
        for number, shape in enumerate(value[1:], 1):
            yield from unread_paths(shape, f"{at}/{number}", path)
    elif key in _OF_TEXTS and isinstance(value, dict):
        yield from unread_paths(value.get(_OF_TEXTS[key]), f"{at}/{_OF_TEXTS[key]}", path)
    elif key not in _READ:
        yield from unread_paths(value, at, path)
