"""Finding events again by whatever somebody has at hand: an id, a name, a word of the reason, an e-mail, a phone."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from app.core.deliveries import State
from app.core.events import Exit
from app.core.pages import NotePage, Page, Query
from app.errors import UnknownName

#: Ids come first, each found by an index; then names, and parts of texts last.
_IDS: Final = ("order_id", "message_id", "event_id")
_NAMES: Final = ("preset", "source", "event_name", "name")
_PARTS: Final = ("reason", "warning")
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


class Searches(Protocol):
    """The part of the outbox that is searched. May raise OutboxUnavailable."""

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        """Do `Outbox.search`."""
        ...

    async def search_notes(self, query: Query, *, limit: int, cursor: str | None = None) -> NotePage:
        """Do `Outbox.search_notes`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what a query means."""

    query: Query
    deliveries: Page
    notes: NotePage

    @property
    def is_empty(self) -> bool:
        """Whether nothing is found on this page."""
        return not self.deliveries.deliveries and not self.notes.notes


class Finder:
    """Searches deliveries, and the notes of events that became none, by the same query."""

    def __init__(self, outbox: Searches, digest: Callable[[str], str | None], known: KnownNames) -> None:
        """Take the outbox, what returns the digest of a typed e-mail address or phone number, and the known names."""
        self._outbox = outbox
        self._digest = digest
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
        notes = await self._outbox.search_notes(query, limit=1)
        return bool(notes.notes) or notes.next_cursor is not None

    async def find(
        self, query: Query, *, limit: int, cursor: str | None = None, notes_cursor: str | None = None
    ) -> Found:
        """Return a page of the deliveries and one of the notes that a query means, each from its cursor on."""
        return Found(
            query=query,
            deliveries=await self._outbox.search(query, limit=limit, cursor=cursor),
            notes=await self._outbox.search_notes(query, limit=limit, cursor=notes_cursor),
        )

    def digest(self, text: str) -> str | None:
        """Return the digest of a typed e-mail address or phone number, or of whoever it already is; None for others."""
        return self._digest(text)

    async def look_up(self, text: str, *, limit: int, people: bool = True) -> Found | None:
        """Return what a text leads to, as the first that it is anything of; None where it leads to nothing.

        What has an @ and is an e-mail address is looked for by its digest only. Without `people` nobody is looked for.
        """
        text = text.strip()
        if not text or len(text) > MAX_FOUND_BY:
            return None
        digest = self._digest(text)
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
    elif word in tuple(Exit):
        yield Query(exit=Exit(word))
    for name in (*_NAMES, *_PARTS):
        yield Query(**{name: text})  # type: ignore[arg-type] # these too


def found_json(found: Found | None) -> dict[str, Any]:
    """Return what was found, ready for JSON; `looked_for` says as what, null where nothing is found."""
    if found is None:
        return {"looked_for": None, "deliveries": [], "notes": []}
    return {
        "looked_for": found.query.given,
        "deliveries": [asdict(each) for each in found.deliveries.deliveries],
        "notes": notes_json(found.notes),
    }


def notes_json(page: NotePage) -> list[dict[str, Any]]:
    """Return notes, each with its time as `at`, ready for JSON."""
    return [{"at": at, **asdict(note)} for at, note in page.notes]
