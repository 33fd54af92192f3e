"""Paths with wildcards, slices and filters, by jsonpath-ng.

Only features with a cost linear in the size of the event are allowed: no regular expressions (they can backtrack
without end), no arithmetic, sorting or text functions, a single recursive descent, `$` only at the start.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import takewhile
from typing import Any, Final, TypeAlias

from jsonpath_ng import Child, Descendants, Fields, Index, JSONPath, Root, Slice, This, Wildcard
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.filter import And, Expression, Filter, Or
from jsonpath_ng.ext.parser import parse

from app.mapping.nodes import MISSING, ListPath

_ALLOWED: Final = (Child, Descendants, Fields, Index, Root, Slice, This, Wildcard, Filter, Expression, And, Or)

#: All presets share the default paths: a cache makes loading a catalog a third faster.
_KEPT: Final = 1_000

#: A key, an index, or `None` for all children.
_Step: TypeAlias = str | int | None


@lru_cache(maxsize=_KEPT)
def compile_list_path(text: str) -> ListPath:
    """Compile a JSONPath. Raises ValueError if it is invalid or uses a feature that is not allowed."""
    rooted = text if text.startswith("$") else f"${text}" if text.startswith(("[", "..")) else f"$.{text}"
    expression = _parse(rooted)
    _refuse_what_could_hang(list(_parts(expression)))
    steps = _steps(expression)
    if steps is None:
        return ListPath(text=text, find=partial(_find_all, expression.find))
    keys = tuple(str(step) for step in takewhile(lambda step: isinstance(step, str), steps))
    return ListPath(text=text, find=partial(_walk, tuple(steps), None in steps), under=(keys,) if keys else ())


def _parse(text: str) -> JSONPath:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            return parse(text)
    except (JSONPathError, DeprecationWarning, RecursionError) as error:
        raise ValueError(f"is not a valid JSONPath ({str(error) or type(error).__name__})") from error


def _parts(part: Any) -> Iterator[Any]:
    """Yield the parts of an expression, including its operands and filters."""
    if isinstance(part, list | tuple):
        for item in part:
            yield from _parts(item)
    elif isinstance(part, JSONPath):
        yield part
        yield from _parts(list(vars(part).values()))


def _refuse_what_could_hang(parts: list[Any]) -> None:
    for part in parts:
        if not isinstance(part, _ALLOWED):
            raise ValueError(f"uses {type(part).__name__}, which mappings cannot use")  # noqa: TRY004 - of the text
        if isinstance(part, Expression) and part.op == "=~":
            raise ValueError("uses a regular expression, which mappings cannot use; compare with ==")
    if sum(isinstance(part, Descendants) for part in parts) > 1:
        raise ValueError("has more than one '..'")
    if sum(isinstance(part, Root) for part in parts) > 1:
        raise ValueError("has a '$' inside a filter; start with '@', the item")


def _steps(expression: Any) -> list[_Step] | None:
    """Return the steps of a chain of single keys, single indexes and wildcards; `None` for other expressions."""
    match expression:
        case Root():
            return []
        case Child(left=left, right=Fields(fields=(str(step),)) | Index(indices=(int(step),))):
            before = _steps(left)
            return None if before is None else [*before, step]
        case Child(left=left, right=Wildcard()):
            before = _steps(left)
            return None if before is None else [*before, None]
        case _:
            return None


def _find_all(find: Callable[[Any], list[Any]], event: Any) -> Any:
    return [match.value for match in find(event)] or MISSING


def _walk(steps: tuple[_Step, ...], gives_list: bool, event: Any) -> Any:  # noqa: FBT001 - bound at compile
    """Follow the steps as jsonpath-ng would, without recording the position of each match."""
    found = [event]
    for step in steps:
        if step is None:
            found = [child for value in found for child in _children(value)]
        elif isinstance(step, int):
            found = [v[step] for v in found if isinstance(v, list) and -len(v) <= step < len(v)]
        else:
            found = [v[step] for v in found if isinstance(v, dict) and step in v]
    if gives_list:
        return found or MISSING
    return found[0] if found else MISSING


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
