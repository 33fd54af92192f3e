"""Compile mappings with conditions of the trigger language, by which `@each` filters a list."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from app import mapping
from app.trigger import Readable, compile_trigger

_ITEM_FIELDS: Final = Readable(flat=(), nested=("item",))


def compile_item_condition(text: str) -> Callable[[dict[str, Any]], bool]:
    """Compile a condition on an object of a list. Raises TriggerError with the column of a mistake.

    >>> compile_item_condition("item.quantity > 0")({"quantity": 2})
    True
    """
    matches = compile_trigger(text, _ITEM_FIELDS).matches
    return lambda item: matches({"item": item})


#: `compile_mapping` of `app.mapping`, with conditions.
compile_mapping: Final = partial(mapping.compile_mapping, conditions=compile_item_condition)
