"""Links from ids to users, followed and turned back: who somebody is in the end, and which ids are his."""

from collections.abc import Iterator
from typing import Final

from app.core.people import Link
from app.identity.identity_rules import IdentityRules
from app.identity.memory import Memory

#: A chain of links is followed so far.
MAX_STEPS: Final = 8
#: So many ids of one person are looked at, the newest of each user first.
MAX_IDS: Final = 1_000


def link_of(memory: Memory, key: str, at: float, rules: IdentityRules) -> Link | None:
    """Return the link of an id unless it is too old at that time; it may be one that is removed."""
    person = memory.person(key)
    link = person.link if person else None
    return link if link and at - link.at <= rules.remember_s else None


def chain(memory: Memory, key: str, at: float, rules: IdentityRules, *, until: float | None = None) -> list[str]:
    """Return a user or another id and the users that it is linked to, one by the other; the last is who it is.

    A circle is cut before it closes. Links that were observed after `until` are not followed; None follows all.
    """
    keys = [key]
    while len(keys) <= MAX_STEPS:
        link = link_of(memory, keys[-1], at, rules)
        if not link or not link.is_followed or link.to in keys or (until is not None and link.at > until):
            break
        keys.append(link.to)
    return keys


def end_of(memory: Memory, key: str, at: float, rules: IdentityRules, *, until: float | None = None) -> str:
    """Return who an id is in the end: the last of its `chain`."""
    person = memory.person(key)
    if person is None or person.link is None:
        return key
    return chain(memory, key, at, rules, until=until)[-1]


def ids_of(memory: Memory, user: str, at: float, rules: IdentityRules, *, until: float | None = None) -> Iterator[str]:
    """Yield a user and all ids that are linked to that user, directly or by other users; MAX_IDS at most.

    Links that were observed after `until` are left out; None takes all.
    """
    found = {user: None}
    yield user
    for known in (waiting := [user]):
        for key in memory.linked_to(known):
            if key not in found and len(found) < MAX_IDS:
                link = link_of(memory, key, at, rules)
                if link and link.is_followed and (until is None or link.at <= until):
                    found[key] = None
                    waiting.append(key)
                    yield key
