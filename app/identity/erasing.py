"""Forgetting a person who asks for it."""

from app.identity.chains import chain
from app.identity.facts import NOBODY
from app.identity.identity_rules import IdentityRules
from app.identity.memory import Memory


def erase(
    memory: Memory, rules: IdentityRules, *, user: str | None = None, anonymous: str | None = None, now: float
) -> list[str]:
    """Forget what is remembered under a user's key, and under every id that is or was linked to that user.

    Of an `anonymousId` only its own is forgotten. A user whom this one was linked to by an alias is the same person,
    so he is forgotten under both names. Marks stay. Returns the keys under which anything was remembered, and notes all
    keys that were looked at as erased; `now` is Unix seconds.
    """
    waiting = chain(memory, user, now, rules) if user else []
    found = dict.fromkeys(waiting)
    for key in waiting:
        for linked in memory.linked_to(key):
            if linked not in found:
                found[linked] = None
                waiting.append(linked)
    if anonymous:
        found[anonymous] = None
    memory.erased += found
    erased = [key for key in found if memory.person(key)]
    for key in erased:
        memory.keep(key, NOBODY)
    return erased
