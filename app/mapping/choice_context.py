"""The values that a choice accepts, by its place in the mapping.

user_data.email: {"@coalesce": [...]}                       a field: any value; the field's reader decides later
contents: {"@arrayPath": [..., {"id": {"@coalesce": ...}}]}  part of a field: values that the part's reader accepts
value: {"@multiply": [..., {"@coalesce": ...}]}              a number
app_name: {"@case": {"value": {"@coalesce": ...}}}           an operand: any value
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Final, Self, TypeAlias

from app.core.values.placeholders import says_something
from app.mapping.nodes import SAYS_NOTHING, About, Choice, Node, places_of

IsUsable: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """The values that the readers of an action's fields accept; field names are dotted: `custom_data.contents.id`."""

    #: Fields whose reader may run only once: the values that a choice accepts immediately. All others: any value.
    at_once: Mapping[str, IsUsable] = field(default_factory=dict)
    #: Parts of fields (items of a list): the values that a choice accepts. All others: any value.
    of_parts: Mapping[str, IsUsable] = field(default_factory=dict)


NO_READERS: Final = Readers()


class _Role(Enum):
    FIELD = auto()
    PART = auto()
    OPERAND = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceContext:
    """The values that the field at a place of a mapping accepts."""

    readers: Readers = NO_READERS
    #: The field of the action at this place, or the field that the value here becomes part of; "" at the top.
    name: str = ""
    #: Prefix of paths that start at an item of a list: `properties.products[*].`.
    below: str = ""
    _role: _Role = _Role.FIELD
    is_usable: IsUsable = says_something
    why: str = SAYS_NOTHING
    #: See `Choice.is_silent`.
    is_silent: bool = False

    def member(self, key: str) -> Self:
        """Return the context of a member of the object at this place."""
        if self._role is _Role.OPERAND:
            return self
        return self._named(f"{self.name}.{key}" if self.name else key, self._role)

    def part(self, below: str | None = None) -> Self:
        """Return the context of an item of the list at this place; `below`: its paths start there."""
        context = self if self._role is _Role.OPERAND else self._named(self.name, _Role.PART)
        return context if below is None else replace(context, below=self.below + below)

    def operand(self, is_usable: IsUsable = says_something, why: str = SAYS_NOTHING) -> Self:
        """Return the context of a value that a directive converts."""
        return replace(self, _role=_Role.OPERAND, is_usable=is_usable, why=why)

    def choice(self, options: tuple[Node, ...]) -> Choice:
        """Return the choice among options at this place."""
        about = tuple(map(self.about, options))
        return Choice(options=options, is_usable=self.is_usable, about=about, is_silent=self.is_silent)

    def about(self, node: Node) -> About:
        """Return the description of a value at this place for reports about skipped values."""
        return self.name, ", ".join(f"{self.below}{place}" for place in places_of(node)), self.why

    def _named(self, name: str, role: _Role) -> Self:
        rules = self.readers.at_once if role is _Role.FIELD else self.readers.of_parts
        is_usable = rules.get(name, says_something)
        why = SAYS_NOTHING if is_usable is says_something else "it cannot be read"
        return replace(self, name=name, _role=role, is_usable=is_usable, why=why)
