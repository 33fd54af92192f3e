"""Pages of a search: by id, newest first, and not through a million rows at once."""

from collections.abc import Sequence

from app.types import Delivery, Page, Query, State

#: Deliveries looked at for one page, where no index leads to what is asked for.
SCAN_ROWS = 100_000
#: Beyond every id.
END = 2**62


def cursor_id(cursor: str | None) -> int:
    """Return the id that a cursor is; one beyond every id where it is none."""
    return min(int(cursor), END) if cursor and cursor.isdecimal() else END


def narrow(query: Query) -> bool:
    """Return whether an index leads to the deliveries that `query` means."""
    return query.state is State.DEAD or any((query.delivery_id, query.message_id, query.event_id))


def ids_of_page(query: Query, cursor: str | None, *, lowest: int, highest: int) -> tuple[int, int]:
    """Return which ids a page looks at: from the first of the two to below the second.

    The cursor is the id below which the page begins; one that is none begins at the newest.
    """
    before = min(cursor_id(cursor), highest + 1)
    return lowest if narrow(query) else max(lowest, before - SCAN_ROWS), before


def page(found: Sequence[Delivery], *, limit: int, floor: int, lowest: int) -> Page:
    """Return the page of what was found from `floor` on, one more than `limit` where there is more.

    Where older deliveries were not looked at, it says so in `scanned`, and its cursor leads on to them.
    """
    if len(found) > limit:
        return Page(deliveries=tuple(found[:limit]), next_cursor=found[limit - 1].delivery_id)
    if floor > lowest:
        return Page(deliveries=tuple(found), next_cursor=str(floor), scanned=SCAN_ROWS)
    return Page(deliveries=tuple(found))
