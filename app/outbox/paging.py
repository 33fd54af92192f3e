"""Pages of a search: by id, newest first, and not through a million rows at once."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from app.core.deliveries import Delivery, State
from app.core.events import DroppedEvent, Exit
from app.core.pages import NotePage, Page, Query
from app.outbox.rows import kept

#: Deliveries or notes looked at for one page, where no index leads to what is asked for.
SCAN_ROWS = 100_000
#: Beyond every id.
END = 2**62

#: Other digits than those of ASCII make no id, nor do so many that no number is made of them.
_ID: Final = re.compile("[0-9]{1,100}")

#: What an attempt at sending comes to.
SENT: Final = frozenset({Exit.DELIVERED, Exit.RETRY, Exit.REJECTED, Exit.BLOCKED})
#: What the ledger notes instead of a delivery. What is withdrawn was a delivery before; what is unmatched is noted only
#: where it names an order.
NOTED: Final = frozenset({Exit.REFUSED, Exit.UNMATCHED, Exit.WITHHELD, Exit.DUPLICATE, Exit.INVALID, Exit.WITHDRAWN})
#: All exits of notes: a cancellation is noted as matched, which deliveries are too.
_OF_NOTES: Final = NOTED | {Exit.MATCHED}
#: Those of the notes that are meant by an exit which deliveries have too.
_AMONG_NOTES: Final = {
    Exit.ACCEPTED: _OF_NOTES - {Exit.REFUSED},
    Exit.MATCHED: _OF_NOTES - {Exit.REFUSED, Exit.UNMATCHED},
    Exit.ENQUEUED: frozenset({Exit.WITHDRAWN}),
}


def as_kept(query: Query) -> Query:
    """Return a query whose texts are what engines keep of them."""
    changed: dict[str, Any] = {
        name: kept(text) for name, text in query.given.items() if isinstance(text, str) and "\0" in text
    }
    return replace(query, **changed)


def means_deliveries(query: Query) -> bool:
    """Return whether a delivery may be what `query` means."""
    return query.exit not in NOTED


def asks_attempts(query: Query) -> bool:
    """Return whether `query` asks what attempts came to, and when, instead of when something was received."""
    return query.exit in SENT or query.status is not None


def noted_exits(query: Query) -> frozenset[Exit]:
    """Return the exits that a note may have which `query` means; none where no note is meant."""
    if query.given.keys() & {"delivery_id", "event_id", "state", "status", "person", "cause"}:
        return frozenset()
    if query.exit is None:
        return _OF_NOTES
    return _AMONG_NOTES.get(query.exit, NOTED & {query.exit})


def id_of(text: str | None) -> int | None:
    """Return the id that a text holds; None where it holds none."""
    return min(int(text), END) if text and _ID.fullmatch(text) else None


def cursor_id(cursor: str | None) -> int:
    """Return the id that a cursor holds; one beyond every id where it holds none."""
    id_ = id_of(cursor)
    return END if id_ is None else id_


def names_id(query: Query) -> bool:
    """Return whether `query` names an id, so that it means few deliveries."""
    return any((query.delivery_id, query.message_id, query.event_id, query.order_id))


def narrow(query: Query) -> bool:
    """Return whether an index leads to what `query` means."""
    return query.state is State.DEAD or names_id(query)


def skips_older(query: Query) -> bool:
    """Return whether deliveries from before the first that was received since `query.since` need no look."""
    return query.since is not None and not asks_attempts(query) and not narrow(query)


def ids_of_page(query: Query, cursor: str | None, *, lowest: int, highest: int) -> tuple[int, int]:
    """Return which ids a page looks at: from the first of the two to below the second.

    The cursor is the id below which the page begins; one that cannot be read begins at the newest.
    """
    before = min(cursor_id(cursor), highest + 1)
    return lowest if narrow(query) else max(lowest, before - SCAN_ROWS), before


def page(found: Sequence[Delivery], *, limit: int, floor: int, lowest: int) -> Page:
    """Return the page of what was found from `floor` on, one more than `limit` where there is more.

    Where older deliveries were not looked at, it says so in `scanned`, and its cursor leads on to them.
    """
    ids = [each.delivery_id for each in found]
    next_cursor, scanned = _next(ids, limit=limit, floor=floor, lowest=lowest)
    return Page(deliveries=tuple(found[:limit]), next_cursor=next_cursor, scanned=scanned)


def note_page(found: Sequence[tuple[int, float, DroppedEvent]], *, limit: int, floor: int, lowest: int) -> NotePage:
    """Return the page of notes, each with its id and its time, as `page` does."""
    next_cursor, scanned = _next([str(id_) for id_, _, _ in found], limit=limit, floor=floor, lowest=lowest)
    notes = tuple((at, note) for _, at, note in found[:limit])
    return NotePage(notes=notes, next_cursor=next_cursor, scanned=scanned)


def _next(ids: Sequence[str], *, limit: int, floor: int, lowest: int) -> tuple[str | None, int | None]:
    """Return the cursor of the next page, and how many rows were looked at where older ones were not."""
    if len(ids) > limit:
        return ids[limit - 1], None
    return (str(floor), SCAN_ROWS) if floor > lowest else (None, None)
