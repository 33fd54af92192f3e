"""Who said no: the ids of that person are erased and marked, until the same id says yes explicitly."""

from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.identity.alias_graph import chain, ids_of, sources_of
from app.identity.facts import NOBODY
from app.identity.identity_event import IdentityEvent
from app.identity.memory import Memory


def ids_in(encounter: IdentityEvent) -> list[str]:
    """Return the keys of an event's own ids."""
    own = sources_of(encounter)
    return [encounter.user, *own] if encounter.user else own


def suppress(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> None:
    """Erase and mark the ids of an event, its user or the one they are linked to, and every id linked to that user.

    Links stay, so that an event with a linked id is known to be of a person who said no.
    """
    at = encounter.at
    keys = dict.fromkeys(ids_in(encounter))
    for key in [encounter.user] if encounter.user else list(keys):
        for user in chain(memory, key, at, rules):
            keys |= dict.fromkeys(ids_of(memory, user, at, rules))
    for key in keys:
        memory.mark(key, max(at, memory.marked_at(key) or at))
        memory.keep(key, replace(memory.person(key) or NOBODY, facts={}))


def lift_suppression(encounter: IdentityEvent, memory: Memory) -> None:
    """Lift the marks of an event's own ids that are older than its yes."""
    for key in ids_in(encounter):
        marked_at = memory.marked_at(key)
        if marked_at is not None and marked_at < encounter.at:
            memory.lift(key)


def is_suppressed(encounter: IdentityEvent, memory: Memory, rules: MemorySettings) -> bool:
    """Return whether one of an event's ids, or a user that one is linked to, is marked."""
    return any(
        memory.marked_at(user) is not None
        for key in ids_in(encounter)
        for user in chain(memory, key, encounter.at, rules)
    )
