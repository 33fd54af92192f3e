"""Forgetting a person who asks for it."""

import math
from typing import Final

from app.config.settings import MemorySettings
from app.identity.alias_graph import chain
from app.identity.facts import NOBODY
from app.identity.memory import Memory

#: Links that are too old to be used still lead to what has to go.
FOR_EVER: Final = MemorySettings.model_construct(
    remember_days=math.inf, remember_click_days=math.inf, remember_session_days=math.inf
)


def ids_of_person(memory: Memory, rules: MemorySettings, key: str, *, now: float) -> list[str]:
    """Return an id, the users that it leads to, and every id that is or was linked to one of them.

    A user whom another was linked to by an alias is the same person. `now` is Unix seconds.
    """
    waiting = chain(memory, key, now, rules)
    found = dict.fromkeys(waiting)
    for each in waiting:
        for linked in memory.linked_to(each):
            if linked not in found:
                found[linked] = None
                waiting.append(linked)
    return list(found)


def erase(
    memory: Memory, rules: MemorySettings, *, user: str | None = None, anonymous: str | None = None, now: float
) -> list[str]:
    """Forget what is remembered under a user's key, and under every id that is or was linked to that user.

    Of an `anonymousId` only its own is forgotten. Suppressions stay. Returns the keys under which anything was
    remembered, and notes all keys that were looked at as erased; `now` is Unix seconds.
    """
    found = dict.fromkeys(ids_of_person(memory, rules, user, now=now) if user else ())
    if anonymous:
        found[anonymous] = None
    memory.erased += found
    erased = [key for key in found if memory.person(key)]
    for key in erased:
        memory.keep(key, NOBODY)
    return erased
