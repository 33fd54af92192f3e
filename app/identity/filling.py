"""What is known of the person of an event when it arrives, and how it completes a delivery."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct

from app.core.people import Fact, Recalled
from app.identity.facts import GROUPS, OF_PERSON, is_remembered

#: Groups of one member each. Where these differ from what is remembered, somebody else may be acting.
TELL_APART: Final = ("em", "ph")
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class PersonHistory(Struct, frozen=True, kw_only=True, gc=False):
    """What memory has for the deliveries of one event."""

    #: The own time of the event, Unix seconds.
    at: float = 0
    #: By group: what it may fill.
    facts: Mapping[str, Fact] = _NONE
    #: Of TELL_APART: the newest that is remembered of the person.
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
    return (
        ("em" in user_data and len(user_data["em"]) > 1)
        or ("ph" in user_data and len(user_data["ph"]) > 1)
        or ("external_id" in user_data and len(user_data["external_id"]) > 1)
    )


def differs(user_data: Mapping[str, Any], newest: Mapping[str, Fact]) -> bool:
    """Return whether somebody else may be acting than the person that is remembered."""
    for name in TELL_APART:
        if name in user_data and (known := newest.get(name)) and not is_remembered(known, {name: user_data[name]}):
            return True
    return False


def groups_named(names: Collection[str]) -> frozenset[str]:
    """Return the groups that have a member, by Pinterest's names, among `names`."""
    return frozenset(group for group, members in GROUPS.items() if not set(members).isdisjoint(names))
