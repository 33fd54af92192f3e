"""What is remembered of a person: facts in groups, and links from one id to another. No fact is raw personal data."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, field

#: What belongs together, by the name of the group: the members of Pinterest's `user_data`.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "em": ("em",),
        "ph": ("ph",),
        "ge": ("ge",),
        "db": ("db",),
        "name": ("fn", "ln"),
        "place": ("ct", "st", "zp", "country"),
        "device": ("hashed_maids",),
        "click": ("click_id",),
        "external_id": ("external_id",),
    }
)
#: Groups that say who somebody is, wherever that person is.
OF_PERSON: Final = ("em", "ph", "ge", "db", "name", "place")
#: Groups that say where somebody sits: they belong to a browser or an app.
OF_BROWSER: Final = ("device", "click")
#: The group of a member.
_GROUP_OF: Final = {name: group for group, names in GROUPS.items() for name in names}


class Fact(Struct, frozen=True, kw_only=True, gc=False):
    """What was observed last of one group."""

    #: By Pinterest's name: lists of digests; of a click the id itself.
    members: Mapping[str, Any]
    #: The own time of the newest event that said it, Unix seconds.
    at: float
    #: The type of that event, such as `identify`.
    by: str

    def holds(self, members: Mapping[str, Any]) -> bool:
        """Return whether each of these members is remembered, with the same values in any order."""
        return self.members == members or all(_same(self.members.get(name), value) for name, value in members.items())


class Link(Struct, frozen=True, kw_only=True, gc=False):
    """That an id stands for a user."""

    #: The user's key.
    to: str
    #: The own time of the newest event that said so; of one that no longer holds: of the event that removed it.
    at: float
    #: False once it is removed. It is followed no more, but still tells the next user from the first.
    is_followed: bool = True


class Remembered(Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered under one id."""

    #: By group.
    facts: Mapping[str, Fact] = field(default_factory=dict)
    link: Link | None = None


NOBODY: Final = Remembered()


def groups_of(user_data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, of each group that a `user_data` has any member of, the members that it has."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in user_data.items():
        if group := _GROUP_OF.get(name):
            found.setdefault(group, {})[name] = value
    return found


def _same(one: Any, other: Any) -> bool:
    return one == other or (type(one) is list and type(other) is list and set(one) == set(other))
