"""Facts about people, in groups of members that belong together. Their values are those that Pinterest gets."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.people import GROUPS, OF_PERSON, Fact, Remembered

#: Groups that belong to a browser or an app, whoever uses it.
OF_BROWSER: Final = ("device", "click")
#: The group of a member.
_GROUP_OF: Final = {name: group for group, names in GROUPS.items() for name in names}

NOBODY: Final = Remembered()

__all__ = ["GROUPS", "NOBODY", "OF_BROWSER", "OF_PERSON", "groups_of", "is_remembered"]


def groups_of(user_data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return, of each group that a `user_data` has any member of, the members that it has."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in user_data.items():
        if group := _GROUP_OF.get(name):
            if group in found:
                found[group][name] = value
            else:
                found[group] = {name: value}
    return found


def is_remembered(fact: Fact, members: Mapping[str, Any]) -> bool:
    """Return whether each of these members is remembered, with the same values in any order."""
    return fact.members == members or all(_same(fact.members.get(name), value) for name, value in members.items())


def _same(one: Any, other: Any) -> bool:
    return one == other or (type(one) is list and type(other) is list and set(one) == set(other))
