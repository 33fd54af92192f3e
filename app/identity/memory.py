"""The store under the rules: its interface, a store in memory, and the view for trusted events."""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from app.config.settings import MemorySettings
from app.core.fields import BROWSER, PERSON, memory_groups
from app.core.people import (
    Link,
    PeopleChanges,
    PeopleFound,
    PersonChange,
    PersonRow,
    Remembered,
    Suppression,
    SuppressionChange,
)
from app.core.values.times import DAY_S
from app.identity.facts import NOBODY


class Memory(Protocol):
    """The stored data, by the keys of ids. Each implementation decides about its storage."""

    #: No room is left for another suppression, so no more data may be stored.
    is_full: bool
    #: Keys that were erased.
    erased: list[str]

    def person(self, key: str) -> Remembered | None:
        """Return the data of an id, or `None`."""
        ...

    def keep(self, key: str, person: Remembered) -> None:
        """Store this as the data of an id; a person without facts and link is deleted."""
        ...

    def linked_to(self, key: str) -> Iterable[str]:
        """Return ids that are linked to this user, the newest links first; of very many only the newest."""
        ...

    def suppression(self, key: str) -> Suppression | None:
        """Return the active suppression of an id, or `None`."""
        ...

    def set_suppression(self, key: str, suppression: Suppression | None) -> None:
        """Store the suppression of an id; `None`: delete it."""
        ...

    @property
    def has_suppressions(self) -> bool:
        """Return whether any suppression is active; without one, no lookup is needed."""
        ...


class HeldMemory:
    """A Memory in this process only, without limits: for previews."""

    def __init__(self) -> None:
        self.is_full = False
        self.erased: list[str] = []
        self._people: dict[str, Remembered] = {}
        self._linked: dict[str, dict[str, None]] = {}
        self._suppressions: dict[str, Suppression] = {}

    def person(self, key: str) -> Remembered | None:
        return self._people.get(key)

    def keep(self, key: str, person: Remembered) -> None:
        before = self._people.get(key, NOBODY).link
        if before is not person.link:
            if before:
                self._linked[before.to].pop(key, None)
            if person.link:
                self._linked.setdefault(person.link.to, {})[key] = None
        if person.facts or person.link:
            self._people[key] = person
        else:
            self._people.pop(key, None)

    def linked_to(self, key: str) -> Iterable[str]:
        return list(self._linked.get(key, ()))[::-1]

    def suppression(self, key: str) -> Suppression | None:
        return self._suppressions.get(key)

    def set_suppression(self, key: str, suppression: Suppression | None) -> None:
        if suppression:
            self._suppressions[key] = suppression
        else:
            self._suppressions.pop(key, None)

    @property
    def has_suppressions(self) -> bool:
        return bool(self._suppressions)


#: A change that only renews a time is written at most once in this period, or in a seventh of the shortest lifetime.
RENEWED_AFTER_S: Final = DAY_S
_PARTS: Final = 7

_NOTHING_FOUND: Final = PersonRow(key="", revision=0, record=NOBODY)

_encode: Final = msgspec.json.Encoder().encode
_decode_suppression: Final = msgspec.json.Decoder(Suppression).decode


class LoadedMemory(HeldMemory):
    """Rows are added before the rules read them; a key without a row has no data."""

    def __init__(self, rules: MemorySettings, *, public_key: str | None = None) -> None:
        """Use the public key of the events; `None` for trusted events."""
        super().__init__()
        self._rules = rules
        self.public_key = public_key
        lasts_s = filter(None, (rules.session_s, rules.remember_s, rules.lasts_s("click")))
        self._renewed_after_s = min(RENEWED_AFTER_S, *(each / _PARTS for each in lasts_s))
        #: The rows as read from the store.
        self._found: dict[str, PersonRow] = {}
        self._marked: dict[str, str] = {}
        self._asked: set[str] = set()
        #: Keys that the rules have written, possibly without a change.
        self._kept: set[str] = set()

    def unasked(self, keys: Iterable[str]) -> list[str]:
        """Return the keys that have not been looked up yet."""
        return [key for key in dict.fromkeys(keys) if key not in self._asked]

    def add(self, keys: Iterable[str], found: PeopleFound) -> None:
        """Add the rows of keys that were looked up. Data that the call has already changed stays."""
        self._asked.update(keys)
        self.is_full = self.is_full or found.is_full
        linked = []
        for row in found.people:
            key, person = row.key, row.record
            if key not in self._found and key not in self._kept:
                self._found[key] = row
                self._people[key] = person
                if link := person.link:
                    linked.append((link.at, key, link.to))
        for _, key, user in sorted(linked):
            self._linked.setdefault(user, {})[key] = None
        for key, text in found.suppressions.items():
            if key not in self._marked:
                self._marked[key] = text
                self._suppressions[key] = _decode_suppression(text)

    def keep(self, key: str, person: Remembered) -> None:
        super().keep(key, person)
        self._kept.add(key)

    def changes(self) -> PeopleChanges | None:
        """Return the changes to write, or `None`."""
        people = sorted(self._changed(), key=attrgetter("key"))
        suppressions = dict.fromkeys(change.key for change in people)
        known = {*self._suppressions, *self._marked}
        now = {key: _encode(suppression).decode() for key, suppression in self._suppressions.items()}
        if self.is_full:  # only known suppressions may change
            now = {key: text for key, text in now.items() if key in self._marked}
        suppressions |= dict.fromkeys(key for key in known if now.get(key) != self._marked.get(key))
        if not suppressions:
            return None
        return PeopleChanges(
            people=people,
            suppressions=[
                SuppressionChange(key=key, was=self._marked.get(key), now=now.get(key)) for key in sorted(suppressions)
            ],
            public_key=self.public_key,
        )

    def traces(self) -> list[str]:
        """Return the erased ids and the values found under them, which may still be in files."""
        found = [self._found[key].record for key in self.erased if key in self._found]
        members = (value for person in found for fact in person.facts.values() for value in fact.members.values())
        return self.erased + [text for value in members for text in ([value] if isinstance(value, str) else value)]

    def _changed(self) -> Iterator[PersonChange]:
        for key in self._kept:
            person = self._people.get(key, NOBODY)
            found = self._found.get(key, _NOTHING_FOUND)
            is_closed = (
                key in self._suppressions and key not in self._marked
            )  # the write requires that the id is still unknown
            if not is_closed and (person is found.record or _only_renews(found.record, person, self._renewed_after_s)):
                continue
            if not person.facts and not person.link:
                yield PersonChange(key=key, revision=found.revision, record=None)
                continue
            link = person.link
            times = [fact.at for fact in person.facts.values()] + ([link.at] if link else [])
            yield PersonChange(
                key=key,
                revision=found.revision,
                linked_to=link.to if link else None,
                linked_at=link.at if link else None,
                seen_at=max(times),
                stale_at=min(self._ends(person)),
                record=_encode(person).decode(),
            )

    def _ends(self, person: Remembered) -> Iterator[float]:
        if person.link:
            yield person.link.at + self._rules.remember_s
        for group, fact in person.facts.items():
            yield fact.at + self._rules.lasts_s(group)


def _only_renews(before: Remembered, person: Remembered, after_s: float) -> bool:
    """Return whether only times changed, and by too little to be written."""
    if before.link is not person.link and not _renews(before.link, person.link, after_s):
        return False
    if before.facts is person.facts:
        return True
    if len(before.facts) != len(person.facts):
        return False
    for group, fact in person.facts.items():
        old = before.facts.get(group)
        if fact is not old and not (
            old
            and fact.is_trusted == old.is_trusted
            and (fact.members is old.members or fact.members == old.members)  # of equal values the older is used
            and fact.at - old.at < after_s
        ):
            return False
    return True


def _renews(before: Link | None, link: Link | None, after_s: float) -> bool:
    if before is None or link is None:
        return False
    return link.at - before.at < after_s and link == replace(before, at=link.at)


#: Groups that are deleted when an id is linked to another user; the device stays.
SOMEBODY_ELSES: Final = frozenset(memory_groups(PERSON, BROWSER))


class TrustedMemory:
    """A view of another Memory without data from public events.

    Data that is stored through it is trusted, and replaces public data.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.is_full = memory.is_full
        self.erased = memory.erased

    def person(self, key: str) -> Remembered | None:
        person = self._memory.person(key)
        if person is None:
            return None
        facts = person.facts
        if not all(fact.is_trusted for fact in facts.values()):
            facts = {group: fact for group, fact in facts.items() if fact.is_trusted}
        link = person.link if person.link and person.link.is_trusted else None
        if facts is person.facts and link is person.link:
            return person
        return Remembered(facts=facts, link=link)

    def keep(self, key: str, person: Remembered) -> None:
        before = self._memory.person(key) or NOBODY
        public = {group: fact for group, fact in before.facts.items() if not fact.is_trusted}
        if before.link and person.link and before.link.to != person.link.to:
            public = {group: fact for group, fact in public.items() if group not in SOMEBODY_ELSES}
        if public:
            person = replace(person, facts={**public, **person.facts})
        if person.link is None and before.link and not before.link.is_trusted:
            person = replace(person, link=before.link)
        self._memory.keep(key, person)

    def linked_to(self, key: str) -> Iterable[str]:
        return self._memory.linked_to(key)

    def suppression(self, key: str) -> Suppression | None:
        suppression = self._memory.suppression(key)
        if suppression is None:
            return None
        opt_outs = tuple(no for no in suppression.opt_outs if no.for_trusted)
        return Suppression.of(opt_outs, suppression.also) if opt_outs else None

    def set_suppression(self, key: str, suppression: Suppression | None) -> None:
        self._memory.set_suppression(key, suppression)

    @property
    def has_suppressions(self) -> bool:
        return self._memory.has_suppressions
