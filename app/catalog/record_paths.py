"""Paths of a source's mapping that lead nowhere: a record has other fields than the event that is made of it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.errors import Fault

#: How the first key of a path is written, if it is a plain name.
_FIRST_KEY: Final = re.compile(r"(?:\$\.)?([A-Za-z_][\w-]*)")
_IN_BRACES: Final = re.compile(r"\{\{+\s*([^{}]+?)\s*\}+")
#: Within these a path begins at what the directive hands on.
_OF_THEIR_OWN: Final[Mapping[str, int | str]] = {"@arrayPath": 1, "@each": 1, "@transform": "mapping"}


def paths_astray(value: Any, known: Iterable[str], at: str) -> Iterator[Fault]:
    """Yield a fault for each path of a mapping whose first key is none of those `known`.

    >>> [fault.message for fault in paths_astray({"@path": "$.total"}, ["body", "ip"], "")]
    ['a record has no `total`, only body and ip: write $.body.total']
    """
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        for path in _paths(key, inner):
            first = _FIRST_KEY.match(path)
            if first and first[1] not in known:
                *others, last = known
                only = f"only {', '.join(others)} and {last}: write $.body.{path.removeprefix('$.')}"
                yield Fault(f"{at}/{key}", f"a record has no `{first[1]}`, {only}")
        if key != "@literal":
            yield from paths_astray(_from_the_record(key, inner), known, f"{at}/{key}")


def _from_the_record(key: Any, value: Any) -> Any:
    """Return the part of a directive's options whose paths begin at the record."""
    inside = _OF_THEIR_OWN.get(key)
    if isinstance(value, list) and isinstance(inside, int):
        return value[:inside]
    return {name: each for name, each in value.items() if name != inside} if isinstance(value, dict) else value


def _paths(key: Any, value: Any) -> list[str]:
    """Return the paths that a directive names by itself."""
    if key == "@path" and isinstance(value, str):
        return [value.strip()]
    return _IN_BRACES.findall(value) if key == "@template" and isinstance(value, str) else []
