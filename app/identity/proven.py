"""Memory as proven events see it: by what other proven events said, and nothing else (trust)."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from app.core.people import Remembered, Suppression
from app.identity.facts import NOBODY, OF_PERSON
from app.identity.memory import Memory

#: What goes from an id when a proven event links it to another user than a public one did.
_SOMEBODY_ELSES: Final = frozenset({*OF_PERSON, "click"})


class ProvenMemory:
    """Another Memory without what public events said. What is kept in it is proven, and takes the public's place."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.is_full = memory.is_full
        self.erased = memory.erased

    def person(self, key: str) -> Remembered | None:
        person = self._memory.person(key)
        if person is None:
            return None
        facts = person.facts
        if not all(fact.is_proven for fact in facts.values()):
            facts = {group: fact for group, fact in facts.items() if fact.is_proven}
        link = person.link if person.link and person.link.is_proven else None
        if facts is person.facts and link is person.link:
            return person
        return Remembered(facts=facts, link=link)

    def keep(self, key: str, person: Remembered) -> None:
        before = self._memory.person(key) or NOBODY
        public = {group: fact for group, fact in before.facts.items() if not fact.is_proven}
        if before.link and person.link and before.link.to != person.link.to:
            public = {group: fact for group, fact in public.items() if group not in _SOMEBODY_ELSES}
        if public:
            person = replace(person, facts={**public, **person.facts})
        if person.link is None and before.link and not before.link.is_proven:
            person = replace(person, link=before.link)
        self._memory.keep(key, person)

    def linked_to(self, key: str) -> Iterable[str]:
        return self._memory.linked_to(key)

    def suppression(self, key: str) -> Suppression | None:
        suppression = self._memory.suppression(key)
        if suppression is None:
            return None
        nos = tuple(no for no in suppression.nos if no.for_proven)
        return Suppression.of(nos, suppression.also) if nos else None

    def set_suppression(self, key: str, suppression: Suppression | None) -> None:
        self._memory.set_suppression(key, suppression)

    @property
    def has_suppressions(self) -> bool:
        return self._memory.has_suppressions
