"""An event in the form of identity memory, its facts about people, and the completion of a delivery by facts."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from app.core.fields import ACCOUNT, BROWSER, CONTACTS, DEVICE, memory_groups
from app.core.people import GROUPS, OF_PERSON, Fact, Recalled, Remembered

#: Groups of a browser or an app, independent of its user.
OF_BROWSER: Final = tuple(memory_groups(DEVICE, BROWSER))
#: The group of a member.
_GROUP_OF: Final = {name: group for group, names in GROUPS.items() for name in names}

NOBODY: Final = Remembered()

__all__ = ["GROUPS", "NOBODY", "OF_BROWSER", "OF_PERSON", "groups_of", "is_remembered"]


def groups_of(user_data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the members of each group in a `user_data`, for groups with at least one member."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in user_data.items():
        if group := _GROUP_OF.get(name):
            if group in found:
                found[group][name] = value
            else:
                found[group] = {name: value}
    return found


def is_remembered(fact: Fact, members: Mapping[str, Any]) -> bool:
    """Return whether memory has each of these members, with the same values in any order."""
    return fact.members == members or all(_same(fact.members.get(name), value) for name, value in members.items())


def _same(one: Any, other: Any) -> bool:
    return one == other or (type(one) is list and type(other) is list and set(one) == set(other))


#: Types of events that link ids to users.
LINKING: Final = frozenset({"track", "page", "screen", "identify", "alias", "group"})
#: Those whose person is stored: the traits of a `group` belong to a company.
TELLING: Final = LINKING - {"group"}


class IdentityEvent(Struct, frozen=True, kw_only=True, gc=False):
    """An event with its ids as keys (`IdKeys`) and its personal data as digests."""

    #: The event's type.
    kind: str
    #: The timestamp of the event, Unix seconds; never later than its receipt.
    at: float
    #: The key of its `userId`; `None` without one.
    user: str | None = None
    #: The key of a `userId` from an untrusted sender; otherwise `None`.
    claimed: str | None = None
    #: The key of its `anonymousId`; `None` without one.
    anonymous: str | None = None
    #: Of an alias's `previousId`: its key as a user, and as an `anonymousId`. Otherwise `None`.
    previous: tuple[str, str] | None = None
    #: The `user_data` of the default mapping, as it would be sent.
    found: Mapping[str, Any]
    #: The event is withheld, or has `opt_out` or Limited Data Processing: its data must not be stored.
    is_withheld: bool = False
    #: The event has an opt-out of the person.
    is_opt_out: bool = False
    #: The event has an explicit opt-in of the person.
    is_opt_in: bool = False
    #: The event has the permission that is required to send an advertising id.
    may_use_device: bool = False
    #: A secret authenticates its sender, unlike a public write key.
    is_trusted: bool = True


#: Lists of `user_data` with a single value for each person.
_SINGLE: Final = (*CONTACTS, *(name for names in memory_groups(ACCOUNT).values() for name in names))
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class PersonHistory(Struct, frozen=True, kw_only=True, gc=False):
    """The data in memory for the deliveries of an event."""

    #: The own time of the event, Unix seconds.
    at: float = 0
    #: By group: facts that may be added.
    facts: Mapping[str, Fact] = _NONE
    #: By member of CONTACTS: the newest stored fact of the person.
    newest: Mapping[str, Fact] = _NONE
    #: The event links an id to a user, so its data may differ from earlier data.
    introduces: bool = False

    def fill(self, user_data: dict[str, Any], groups: Collection[str]) -> dict[str, Recalled]:
        """Add missing groups to a finished `user_data`, in place; return the origin of each added group.

        Only `groups` are added, and only if no member of the group is present. A delivery about several people is
        unchanged, and a delivery about a person other than the stored one gets none of the person's groups.
        """
        if not self.facts or are_several(user_data):
            return {}
        is_other = not self.introduces and differs(user_data, self.newest)
        filled: dict[str, Recalled] = {}
        for group, fact in self.facts.items():
            if group in groups and not (is_other and group in OF_PERSON) and user_data.keys().isdisjoint(GROUPS[group]):
                user_data.update(fact.members)
                filled[group] = Recalled(age_s=self.at - fact.at, by=fact.by)
        return filled


#: The history if no data may be used.
NOTHING_KNOWN: Final = PersonHistory()


def are_several(user_data: Mapping[str, Any]) -> bool:
    """Return whether a `user_data` is about several people: a field with one value per person has several."""
    return any(name in user_data and len(user_data[name]) > 1 for name in _SINGLE)


def differs(user_data: Mapping[str, Any], newest: Mapping[str, Fact]) -> bool:
    """Return whether the acting person may differ from the stored one."""
    for name in CONTACTS:
        if name in user_data and (known := newest.get(name)) and not is_remembered(known, {name: user_data[name]}):
            return True
    return False


def groups_named(names: Collection[str]) -> frozenset[str]:
    """Return the groups with a member in `names`, by Pinterest's names."""
    return frozenset(group for group, members in GROUPS.items() if not set(members).isdisjoint(names))
