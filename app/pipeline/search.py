"""Find events and people by an id, a name, a reason, an e-mail address or a phone number."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.fields import CONTACTS, USER_FIELDS
from app.core.pages import DroppedPage, Page, Query
from app.destination import PersonReader
from app.errors import UnknownName
from app.identity import FOR_EVER, IdKeys, LoadedMemory, ids_of_person
from app.outbox import Outbox, order_spellings

#: Ids come first, each found by an index; then names, and parts of texts last.
_IDS: Final = ("order_id", "message_id", "event_id")
_NAMES: Final = ("preset", "source", "event_name", "name")
_PARTS: Final = ("reason", "warning")
#: An order id as people write it: a prefix, and a number.
_NUMBERED: Final = re.compile(r"#?(?P<prefix>\D*?)(?P<number>\d+)")
#: The prefixes of so many orders are tried.
_NEWEST_ORDERS: Final = 50
#: Filters that name one of a list of things, and what they name.
_NAMED: Final = {
    "preset": "preset",
    "ad_account_id": "ad account",
    "source": "source",
    "event_name": "Pinterest event",
    "name": "event",
    "currency": "currency",
}
#: Returns the names that one of these filters may give.
KnownNames: TypeAlias = Callable[[str], Awaitable[Collection[str]]]
#: A longer text is none of them.
MAX_FOUND_BY: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what a query means."""

    query: Query
    deliveries: Page
    dropped: DroppedPage

    @property
    def is_empty(self) -> bool:
        """Whether nothing is found on this page."""
        return not self.deliveries.deliveries and not self.dropped.events


class Finder:
    """Searches deliveries, and the events that became none, by the same query."""

    def __init__(self, outbox: Outbox, digest: Callable[[str], str | None], known: KnownNames) -> None:
        """Take the outbox, what returns the digest of a typed person, and the known names."""
        self._outbox = outbox
        #: Returns the digest of a typed e-mail address or phone number, or of whoever it already is; None for others.
        self.digest = digest
        self._known = known

    async def check(self, query: Query) -> None:
        """Raise UnknownName where a filter names what is neither known nor stored; deliveries of the query's state."""
        for part, kind in _NAMED.items():
            name = getattr(query, part)
            if name and not await self._is_stored(query.state, part, name):
                known = await self._known(part)
                if name not in known:
                    raise UnknownName(kind, name, known)

    async def _is_stored(self, state: State | Literal["waiting"] | None, part: str, name: str) -> bool:
        query = Query(state=state, **{part: name})  # type: ignore[arg-type] # all of them are texts
        page = await self._outbox.search(query, limit=1)
        if page.deliveries or page.next_cursor is not None:
            return True
        dropped = await self._outbox.search_dropped(query, limit=1)
        return bool(dropped.events) or dropped.next_cursor is not None

    async def find(
        self,
        query: Query,
        *,
        limit: int,
        cursor: str | None = None,
        dropped_cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Found:
        """Return a page of the deliveries and one of the dropped events that a query means, each from its cursor on.

        If no event has the order id, the other names of the order are searched, then other spellings of the id:
        `#3271`, `3271` and `so-3271` find SO-3271 if a recent order has the prefix `SO-`.
        """
        find = partial(
            self._found, limit=limit, cursor=cursor, dropped_cursor=dropped_cursor, oldest_first=oldest_first
        )
        found = await find(query)
        if query.order_id is None or not found.is_empty:
            return found
        others = (await self._outbox.order_ids([query.order_id])).get(query.order_id, [])
        spellings = order_spellings(query.order_id)[1:]
        for other in (*others, *spellings, *await self._with_prefixes(query.order_id)):
            named = replace(query, order_id=other)
            by_other = await find(named)
            if not by_other.is_empty:
                return by_other
        return found

    async def _with_prefixes(self, order_id: str) -> Iterable[str]:
        """Return the number in an order id behind each prefix of the newest orders."""
        typed = _NUMBERED.fullmatch(order_id)
        if typed is None:
            return ()
        newest = await self._outbox.search(Query(is_order=True), limit=_NEWEST_ORDERS)
        numbered = filter(None, (_NUMBERED.fullmatch(each.order_id or "") for each in newest.deliveries))
        prefixes = dict.fromkeys(each["prefix"] for each in numbered)
        wanted = typed["prefix"].casefold()
        return (f"{each}{typed['number']}" for each in prefixes if wanted in ("", each.casefold()))

    async def _found(
        self, query: Query, *, limit: int, cursor: str | None, dropped_cursor: str | None, oldest_first: bool
    ) -> Found:
        search, dropped = self._outbox.search, self._outbox.search_dropped
        return Found(
            query=query,
            deliveries=await search(query, limit=limit, cursor=cursor, oldest_first=oldest_first),
            dropped=await dropped(query, limit=limit, cursor=dropped_cursor, oldest_first=oldest_first),
        )

    async def look_up(self, text: str, *, limit: int, people: bool = True) -> Found | None:
        """Return what a text leads to, as the first that it is anything of; None where it leads to nothing.

        What has an @ and is an e-mail address is looked for by its digest only. Without `people` nobody is looked for.
        """
        text = text.strip()
        if not text or len(text) > MAX_FOUND_BY:
            return None
        digest = self.digest(text)
        if digest is not None and "@" in text:
            return await self.find(Query(person=(digest,)), limit=limit) if people else None
        for query in readings(text, digest if people else None):
            found = await self.find(query, limit=limit)
            if not found.is_empty:
                return found
        return None


def readings(text: str, digest: str | None) -> Iterator[Query]:
    """Yield what a text may mean, the plainest first; `digest` is that of a person whom it may name."""
    for name in _IDS:
        yield Query(**{name: text})  # type: ignore[arg-type] # all three are texts
    if text.isdecimal():
        yield Query(delivery_id=text)
    if digest is not None:
        yield Query(person=(digest,))
    word = text.lower()
    if word == "waiting":
        yield Query(state="waiting")
    elif word in tuple(State):
        yield Query(state=State(word))
    elif word in tuple(Outcome):
        yield Query(outcome=Outcome(word))
    for name in (*_NAMES, *_PARTS):
        yield Query(**{name: text})  # type: ignore[arg-type] # these too


def dropped_json(page: DroppedPage) -> list[dict[str, Any]]:
    """Return dropped events, each with its time as `at`, ready for JSON."""
    return [{"at": at, **asdict(event)} for at, event in page.events]


#: So many people are shown who have one address or number.
MAX_PEOPLE: Final = 20


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

    def __init__(self, outbox: Outbox, keys: IdKeys, read: PersonReader) -> None:
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
        contacts = {each.name: text for each in USER_FIELDS if each.identity.identifies}
        said = self._read({"user_data": contacts}).user_data
        digests = [digest for name in CONTACTS for digest in said.get(name, ())]
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
        person, suppression = memory.person(key), memory.suppression(key)
        if person is None and suppression is None:
            continue
        link = person.link if person and person.link and person.link.is_followed else None
        facts = person.facts if person else {}
        yield KnownId(
            key=key,
            groups=tuple(KnownGroup(name=name, at=fact.at, by=fact.by) for name, fact in facts.items()),
            linked_to=link.to if link else None,
            linked_at=link.at if link else None,
            marked_at=suppression.at if suppression else None,
        )
