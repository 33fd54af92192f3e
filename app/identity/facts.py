"""One event as identity memory sees it, the facts about people in it, and how facts complete a delivery."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from app.core.fields import ACCOUNT, BROWSER, CONTACTS, DEVICE, memory_groups
from app.core.people import GROUPS, OF_PERSON, Fact, Recalled, Remembered

#: Groups that belong to a browser or an app, whoever uses it.
OF_BROWSER: Final = tuple(memory_groups(DEVICE, BROWSER))
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


#: Types of events that link ids to users.
LINKING: Final = frozenset({"track", "page", "screen", "identify", "alias", "group"})
#: Of these, those whose person is remembered: the traits of a `group` are a company's.
TELLING: Final = LINKING - {"group"}


class IdentityEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One event. Ids stand there as keys (`IdKeys`), persons as digests."""

    #: The event's type.
    kind: str
    #: Its own time, Unix seconds; never later than its receipt.
    at: float
    #: Of its `userId`; None where it has none.
    user: str | None = None
    #: Of a `userId` that its sender is not believed; None elsewhere.
    claimed: str | None = None
    #: Of its `anonymousId`; None where it has none.
    anonymous: str | None = None
    #: Of an alias's `previousId`: as the name of a user, and as an `anonymousId`. None elsewhere.
    previous: tuple[str, str] | None = None
    #: The `user_data` that the default mapping finds in it, as it would be sent.
    found: Mapping[str, Any]
    #: It is withheld, or carries `opt_out` or Limited Data Processing: nothing may be kept of it.
    is_withheld: bool = False
    #: The person says no in it.
    is_no: bool = False
    #: The person says yes in it, in so many words.
    is_yes: bool = False
    #: It says the permission that sending an advertising id needs.
    may_use_device: bool = False
    #: Its sender is known by a secret, not only by a public write key.
    is_trusted: bool = True


#: Lists of `user_data` of which a person has one value.
_SINGLE: Final = (*CONTACTS, *(name for names in memory_groups(ACCOUNT).values() for name in names))
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class PersonHistory(Struct, frozen=True, kw_only=True, gc=False):
    """What memory has for the deliveries of one event."""

    #: The own time of the event, Unix seconds.
    at: float = 0
    #: By group: what it may fill.
    facts: Mapping[str, Fact] = _NONE
    #: By member of CONTACTS: the newest fact that is remembered of the person.
    newest: Mapping[str, Fact] = _NONE
    #: The event tells who somebody is from now on, so what it says may differ from before.
    introduces: bool = False

    def fill(self, user_data: dict[str, Any], groups: Collection[str]) -> dict[str, Recalled]:
        """Complete a finished `user_data`, in place, by the groups that it has no member of; tell of each that it was.

        Only `groups` are filled. A delivery of several people is left as it is, and one of somebody else than the
        person that is remembered gets none of the person's groups.
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


#: What is known where nothing may be used.
NOTHING_KNOWN: Final = PersonHistory()


def are_several(user_data: Mapping[str, Any]) -> bool:
    """Return whether a `user_data` is about more than one person: it has several of what a person has one of."""
    return any(name in user_data and len(user_data[name]) > 1 for name in _SINGLE)


def differs(user_data: Mapping[str, Any], newest: Mapping[str, Fact]) -> bool:
    """Return whether somebody else may be acting than the person that is remembered."""
    for name in CONTACTS:
        if name in user_data and (known := newest.get(name)) and not is_remembered(known, {name: user_data[name]}):
            return True
    return False


def groups_named(names: Collection[str]) -> frozenset[str]:
    """Return the groups that have a member, by Pinterest's names, among `names`."""
    return frozenset(group for group, members in GROUPS.items() if not set(members).isdisjoint(names))
