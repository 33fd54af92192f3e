"""What is remembered of one person, looked up by what somebody asks with; nothing of the question is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.destination import PersonReader
from app.identity import FOR_EVER, IdKeys, LoadedMemory, ids_of_person
from app.receiving.remembering import FindsPeople

#: So many people are shown who have one address or number.
MAX_PEOPLE: Final = 20
#: Members of `user_data` by which somebody is looked for.
_CONTACTS: Final = ("em", "ph")


class LooksThroughPeople(FindsPeople, Protocol):
    """Where what is remembered is kept, as far as it is looked through."""

    async def people_with(self, digests: Sequence[str], *, after: str) -> tuple[list[str], str | None]:
        """Do `Outbox.people_with`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGroup:
    """One group that is remembered under an id. Its values are digests, which say nothing to people."""

    name: str
    #: When it was observed last, Unix seconds.
    at: float
    #: The type of event by which.
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownId:
    """What is remembered under one id."""

    #: HMAC-SHA-256 of the id, in hex.
    key: str
    groups: tuple[KnownGroup, ...] = ()
    #: The key of the user that it stands for; None where it stands for none.
    linked_to: str | None = None
    #: When that was said last, Unix seconds; None likewise.
    linked_at: float | None = None
    #: When its person said no, Unix seconds; None where no no holds.
    marked_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """All ids of one person of which anything is known, that which was asked with first."""

    #: By which the person is asked for again.
    key: str
    ids: tuple[KnownId, ...]


class PeopleSearch:
    """Looks people up in memory, whatever is too old to be used too: it is there until it is deleted."""

    def __init__(self, outbox: LooksThroughPeople, keys: IdKeys, read: PersonReader) -> None:
        """Take the store, who makes keys of ids, and who makes digests of what people give."""
        self._outbox = outbox
        self._keys = keys
        self._read = read

    def key_of(self, *, user_id: str = "", anonymous_id: str = "") -> str | None:
        """Return the key of an id as somebody types it; None where the text is no id, such as a placeholder."""
        return self._keys.user(user_id) if user_id else self._keys.anonymous(anonymous_id)

    async def by_key(self, key: str, *, now: float) -> KnownPerson | None:
        """Return the person of an id, by its key; None where nothing is known. Raises OutboxUnavailable."""
        memory = LoadedMemory(FOR_EVER)
        memory.add([key], await self._outbox.people([key]))
        ids = tuple(_known(memory, ids_of_person(memory, FOR_EVER, key, now=now)))
        return KnownPerson(key=key, ids=ids) if ids else None

    async def by_contact(self, text: str, *, now: float) -> list[KnownPerson]:
        """Return the people of whom this e-mail address or phone number is remembered, MAX_PEOPLE at most.

        All of memory is looked through for its digests, a stretch at a time. Raises OutboxUnavailable.
        """
        said = self._read({"user_data": {"email": text, "phone": text}}).user_data
        digests = [digest for name in _CONTACTS for digest in said.get(name, ())]
        people: dict[frozenset[str], KnownPerson] = {}
        after: str | None = "" if digests else None
        while after is not None and len(people) < MAX_PEOPLE:
            keys, after = await self._outbox.people_with(digests, after=after)
            for key in keys:
                if person := await self.by_key(key, now=now):
                    people.setdefault(frozenset(each.key for each in person.ids), person)
        return list(people.values())[:MAX_PEOPLE]


def _known(memory: LoadedMemory, keys: Sequence[str]) -> Iterator[KnownId]:
    for key in keys:
        person, marked_at = memory.person(key), memory.marked_at(key)
        if person is None and marked_at is None:
            continue
        link = person.link if person and person.link and person.link.is_followed else None
        facts = person.facts if person else {}
        yield KnownId(
            key=key,
            groups=tuple(KnownGroup(name=name, at=fact.at, by=fact.by) for name, fact in facts.items()),
            linked_to=link.to if link else None,
            linked_at=link.at if link else None,
            marked_at=marked_at,
        )
