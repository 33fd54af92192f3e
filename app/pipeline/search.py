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
#: The number of newest orders whose prefixes are tried.
_NEWEST_ORDERS: Final = 50
#: Filters with a closed list of names, and the kind of each.
_NAMED: Final = {
    "preset": "preset",
    "ad_account_id": "ad account",
    "source": "source",
    "event_name": "Pinterest event",
    "name": "event",
    "currency": "currency",
}
#: Returns the possible names of a filter.
KnownNames: TypeAlias = Callable[[str], Awaitable[Collection[str]]]
#: A longer text matches none of them.
MAX_FOUND_BY: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the results of a query."""

    query: Query
    deliveries: Page
    dropped: DroppedPage

    @property
    def is_empty(self) -> bool:
        """Return whether this page has no results."""
        return not self.deliveries.deliveries and not self.dropped.events


class Finder:
    """Searches deliveries, and other events, by the same query."""

    def __init__(self, outbox: Outbox, digest: Callable[[str], str | None], known: KnownNames) -> None:
        """Use the outbox, the digest of typed contacts, and the known names."""
        self._outbox = outbox
        #: Returns the digest of a typed e-mail address or phone number, or a digest unchanged; otherwise `None`.
        self.digest = digest
        self._known = known

    async def check(self, query: Query) -> None:
        """Raise UnknownName if a filter has a name that is neither known nor stored.

        Only deliveries of the query's state count as stored.
        """
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
        """Return a page of deliveries and a page of dropped events for a query, each from its cursor on.

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
        """Return the number of an order id with each prefix of the newest orders."""
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
        """Return the results for a text by its first meaning with results; `None` without results.

        An e-mail address with an @ is only searched by its digest. Without `people` no person is searched.
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
    """Yield the possible meanings of a text, the most likely first; `digest` is that of a person."""
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
    """Return dropped events, each with its time as `at`, for JSON."""
    return [{"at": at, **asdict(event)} for at, event in page.events]


#: Maximum number of displayed people with the same address or number.
MAX_PEOPLE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGroup:
    """A group in memory under an id. Its values are digests, which are not displayed."""

    name: str
    #: The last observation, Unix seconds.
    at: float
    #: The type of the observed event.
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownId:
    """The data in memory under an id."""

    #: HMAC-SHA-256 of the id, in hex.
    key: str
    groups: tuple[KnownGroup, ...] = ()
    #: The key of the linked user, or `None`.
    linked_to: str | None = None
    #: The last observation of the link, Unix seconds, or `None`.
    linked_at: float | None = None
    #: The time of the opt-out, Unix seconds; `None` without an active opt-out.
    marked_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """All known ids of a person, the requested one first."""

    #: The key for further requests.
    key: str
    ids: tuple[KnownId, ...]


class PeopleSearch:
    """Looks people up in memory, including expired data that is not deleted yet."""

    def __init__(self, outbox: Outbox, keys: IdKeys, read: PersonReader) -> None:
        """Use the store, the computation of keys, and the computation of digests."""
        self._outbox = outbox
        self._keys = keys
        self._read = read

    def key_of(self, *, user_id: str = "", anonymous_id: str = "") -> str | None:
        """Return the key of a typed id; `None` if the text is not an id, such as a placeholder."""
        return self._keys.user(user_id) if user_id else self._keys.anonymous(anonymous_id)

    async def by_key(self, key: str, *, now: float) -> KnownPerson | None:
        """Return the person of an id key; `None` if unknown. Raises OutboxUnavailable."""
        memory = LoadedMemory(FOR_EVER)
        memory.add([key], await self._outbox.people([key]))
        ids = tuple(_known(memory, ids_of_person(memory, FOR_EVER, key, now=now)))
        return KnownPerson(key=key, ids=ids) if ids else None

    async def by_contact(self, text: str, *, now: float) -> list[KnownPerson]:
        """Return the people with this e-mail address or phone number in memory, MAX_PEOPLE at most.

        The whole memory is searched for the digests, page by page. Raises OutboxUnavailable.
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
