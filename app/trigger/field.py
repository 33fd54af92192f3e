"""Look a field up in an event: the path is taken apart once, here, and never again."""

from collections.abc import Callable
from typing import Any, TypeAlias

from app.core.events import Event
from app.trigger.syntax import Field

#: find(event) is the value, or None; find(event, missing) tells a missing value from null.
Find: TypeAlias = Callable[..., Any]


def finder(field: Field) -> Find:
    """Return the function that finds the field's value. It takes any JSON value on its way and never raises."""
    if not field.path:
        return _flat(field.root)
    first, *others = field.path
    if not others and first.key is not None and first.index is None:
        return _member(field.root, first.key)
    return _walk(field)


def _flat(name: str) -> Find:
    def find(event: Event, missing: Any = None) -> Any:
        return event.get(name, missing)

    return find


def _member(root: str, key: str) -> Find:
    def find(event: Event, missing: Any = None) -> Any:
        parent = event.get(root)
        return parent.get(key, missing) if isinstance(parent, dict) else missing

    return find


def _walk(field: Field) -> Find:
    root = field.root
    steps = tuple((step.key, step.index) for step in field.path)

    def find(event: Event, missing: Any = None) -> Any:
        value: Any = event.get(root)
        for key, index in steps:
            if isinstance(value, dict) and key is not None:
                value = value.get(key, missing)
            elif isinstance(value, list) and index is not None and index < len(value):
                value = value[index]
            else:
                return missing
        return value

    return find
