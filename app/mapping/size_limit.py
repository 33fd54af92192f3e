"""Bounds on what is made for one event: nested directives can multiply it."""

from typing import Any, Final

#: Values of an object or list that a directive made and another reads.
MAX_EVENT_VALUES: Final = 10_000


def is_within_limit(value: Any, limit: int = MAX_EVENT_VALUES) -> bool:
    """Return whether a value has at most `limit` values in it, counting no further than that."""
    waiting = [value]
    count = 0
    while waiting:
        count += 1
        if count + len(waiting) > limit:
            return False
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return True
