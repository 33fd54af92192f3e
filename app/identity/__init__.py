"""Identity memory: facts about a person from earlier events, their owners, and the fields that they complete.

Pure rules over a small store (`Memory`): the flows read events into an `IdentityEvent` and store the changes.
"""

from app.identity.facts import GROUPS, NOBODY, NOTHING_KNOWN, IdentityEvent, PersonHistory, groups_named
from app.identity.id_keys import IdKeys
from app.identity.memory import HeldMemory, LoadedMemory, Memory
from app.identity.resolution import resolve_identity
from app.identity.suppression import FOR_EVER, erase, ids_of_person

__all__ = [
    "FOR_EVER",
    "GROUPS",
    "NOBODY",
    "NOTHING_KNOWN",
    "HeldMemory",
    "IdKeys",
    "IdentityEvent",
    "LoadedMemory",
    "Memory",
    "PersonHistory",
    "erase",
    "groups_named",
    "ids_of_person",
    "resolve_identity",
]
