"""Searches of the ledger: filters as people write them, pages by id, and the stream of all orders."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeVar

from app.core.deliveries import Delivery, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import DroppedPage, Page, Query
from app.core.values.times import unix_seconds
from app.errors import FilterError
from app.outbox.pairing import MERGED_INTO
from app.outbox.rows import kept


def _choice(kind: type[State | Outcome], *more: str) -> Callable[[str], State | Outcome | str]:
    def read(text: str) -> State | Outcome | str:
        try:
            return text if text in more else kind(text)
        except ValueError as exc:
            raise FilterError(f"must be one of {', '.join((*kind, *more))}") from exc

    return read


def _time(text: str) -> float:
    at = unix_seconds(text)
    if at is None:
        raise FilterError("must be a time: write 2026-03-04T05:06:07Z, or Unix seconds")
    return at


def _status(text: str) -> int:
    if not re.fullmatch(r"[1-5]\d\d", text, re.ASCII):
        raise FilterError("must be an HTTP status, such as 422")
    return int(text)


def _currency(text: str) -> str:
    return "" if text.lower() == "none" else text.upper()


def _channel(text: str) -> str:
    return "" if text.lower() == "none" else text.lower()


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise FilterError("must be yes or no")
    return text == "yes"


#: Filter -> the words for it.
SEARCH_FILTERS: Final[Mapping[str, str]] = {
    "delivery_id": "delivery",
    "message_id": "message id",
    "event_id": "event id",
    "order_id": "order id",
    "ad_account_id": "ad account",
    "preset": "preset",
    "event_name": "event name",
    "name": "name as received",
    "source": "source",
    "channel": "order channel",
    "currency": "currency",
    "is_order": "order or not",
    "state": "state",
    "outcome": "outcome",
    "taken": "taken by a preset",
    "status": "Pinterest's answer",
    "reason": "reason contains",
    "cause": "cause",
    "warning": "warning contains",
    "since": "since",
    "until": "until",
}
#: The conversion of filter texts; texts of other filters are used unchanged.
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "channel": _channel,
    "currency": _currency,
    "is_order": _yes_or_no,
    "state": _choice(State, "waiting"),
    "outcome": _choice(Outcome),
    "taken": _yes_or_no,
    "status": _status,
    "since": _time,
    "until": _time,
}


def given_filters(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the filters with a text, trimmed. Raises FilterError for an unknown name."""
    if unknown := [name for name in texts if name not in SEARCH_FILTERS]:
        message = f'There is no filter "{unknown[0][:40]}". There are: {", ".join(SEARCH_FILTERS)}.'
        raise FilterError(message)
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def read_filters(texts: Mapping[str, str]) -> Query:
    """Return the query for filters.

    Raises FilterError for an unknown name, for an invalid state, outcome, status or time, and for an empty text: a
    program with an empty variable does not mean everything. Fields of a form may be empty: `given_filters` omits these.
    """
    conditions: dict[str, Any] = {}
    given = given_filters(texts)
    if empty := texts.keys() - given.keys():
        message = f'The filter "{min(empty)}" is empty: leave it out, or give it a value.'
        raise FilterError(message)
    for name, text in given.items():
        try:
            conditions[name] = _READ[name](text) if name in _READ else text
        except FilterError as exc:
            raise FilterError(f'The filter "{name}" {exc}.') from exc
    return Query(**conditions)


#: The number of deliveries or dropped events to read for one page without an index.
SCAN_ROWS = 100_000
#: Beyond every id.
END = 2**62
_Row = TypeVar("_Row")

#: Ids have only ASCII digits, and few enough for a number.
_ID: Final = re.compile("[0-9]{1,100}")

#: Outcomes of an attempt.
SENT: Final = frozenset({Outcome.DELIVERED, Outcome.RETRY, Outcome.REJECTED, Outcome.BLOCKED})
#: Outcomes of events without a delivery in the ledger. A withdrawn event was a delivery; an unmatched one is stored
#: only with an order.
DROPPED_OUTCOMES: Final = frozenset(
    {
        Outcome.REFUSED,
        Outcome.UNMATCHED,
        Outcome.WITHHELD,
        Outcome.MERGED,
        Outcome.DUPLICATE,
        Outcome.INVALID,
        Outcome.WITHDRAWN,
    }
)
#: All outcomes of dropped events: a cancellation is stored as matched, like some deliveries.
_OF_DROPPED: Final = DROPPED_OUTCOMES | {Outcome.MATCHED}
#: The dropped events of outcomes that deliveries have too.
_AMONG_DROPPED: Final = {
    Outcome.ACCEPTED: _OF_DROPPED - {Outcome.REFUSED},
    Outcome.MATCHED: _OF_DROPPED - {Outcome.REFUSED, Outcome.UNMATCHED},
    Outcome.ENQUEUED: frozenset({Outcome.WITHDRAWN}),
}


def as_kept(query: Query) -> Query:
    """Return a query with its texts in the stored form."""
    changed: dict[str, Any] = {
        name: kept(text) for name, text in query.given.items() if isinstance(text, str) and "\0" in text
    }
    return replace(query, **changed)


_MERGED: Final = re.compile(f"{MERGED_INTO} ([0-9]+)")


def merged_into(query: Query, dropped: Iterable[tuple[int, float, DroppedEvent]]) -> list[Query]:
    """Return the queries for the deliveries into which dropped events of a message were merged."""
    ids = dict.fromkeys(filter(None, (merged_delivery(event) for _, _, event in dropped)))
    return [replace(query, message_id=None, delivery_id=id_) for id_ in ids]


def merged_delivery(event: DroppedEvent) -> str | None:
    """Return the id of the delivery into which an event was merged; `None` for other events."""
    match = _MERGED.match(event.reason) if event.outcome is Outcome.MERGED else None
    return match[1] if match else None


def means_deliveries(query: Query) -> bool:
    """Return whether `query` can match a delivery."""
    return query.outcome not in DROPPED_OUTCOMES


def asks_attempts(query: Query) -> bool:
    """Return whether `query` selects by attempts and their times, instead of by the time of receipt."""
    return query.outcome in SENT or query.status is not None


def dropped_outcomes(query: Query) -> frozenset[Outcome]:
    """Return the outcomes of dropped events that `query` matches; empty if the query matches no dropped event."""
    if query.given.keys() & {"delivery_id", "event_id", "state", "status", "person", "cause", "happened_since"}:
        return frozenset()
    if query.outcome is None:
        return _OF_DROPPED
    return _AMONG_DROPPED.get(query.outcome, DROPPED_OUTCOMES & {query.outcome})


def id_of(text: str | None) -> int | None:
    """Return the id in a text; `None` without an id."""
    return min(int(text), END) if text and _ID.fullmatch(text) else None


def cursor_id(cursor: str | None) -> int:
    """Return the id in a cursor; a number beyond every id without one."""
    id_ = id_of(cursor)
    return END if id_ is None else id_


def names_id(query: Query) -> bool:
    """Return whether `query` contains an id, so that few deliveries match."""
    return any((query.delivery_id, query.message_id, query.event_id, query.order_id))


def narrow(query: Query) -> bool:
    """Return whether an index exists for `query`."""
    return query.state is State.DEAD or names_id(query)


def skips_older(query: Query) -> bool:
    """Return whether deliveries from before the first after `query.since` need not be read."""
    return query.since is not None and not asks_attempts(query) and not narrow(query)


class PageIds(NamedTuple):
    """The ids that a page reads, and the direction."""

    #: From the first of the two to below the second.
    floor: int
    before: int
    #: From the lowest id on.
    ascending: bool
    #: Whether the page precedes the previous one: its rows are read from the end.
    is_back: bool
    is_first: bool

    @property
    def range(self) -> dict[str, Any]:
        """The arguments of `Statements.matching`."""
        return {"floor": self.floor, "before": self.before, "oldest_first": self.ascending}


ALL_IDS: Final = PageIds(0, END, ascending=False, is_back=False, is_first=True)


def ids_of_page(query: Query, cursor: str | None, *, lowest: int, highest: int, oldest_first: bool = False) -> PageIds:
    """Return the ids that a page reads.

    The cursor is the id after which the page begins, or with a minus the id before which the page ends; an invalid
    cursor starts at the beginning.
    """
    at = id_of(cursor and cursor.removeprefix("-"))
    is_back = at is not None and cursor is not None and cursor.startswith("-")
    ascending = oldest_first != is_back
    floor = lowest if at is None or not ascending else max(lowest, at + 1)
    before = highest + 1 if at is None or ascending else min(at, highest + 1)
    if not narrow(query):
        floor, before = (
            (floor, min(before, floor + SCAN_ROWS)) if ascending else (max(floor, before - SCAN_ROWS), before)
        )
    return PageIds(floor, before, ascending=ascending, is_back=is_back, is_first=at is None)


def page(found: Sequence[Delivery], *, limit: int, ids: PageIds, lowest: int, highest: int) -> Page:
    """Return the page of deliveries found among `ids`, which are one more than `limit` if there are more.

    If further deliveries were not read, `scanned` is set, and the cursor continues with them.
    """
    names = [each.delivery_id for each in found]
    cursors = _cursors(names, limit=limit, ids=ids, lowest=lowest, highest=highest)
    return Page(deliveries=tuple(_shown(found, limit, ids)), **cursors)


def dropped_page(
    found: Sequence[tuple[int, float, DroppedEvent]], *, limit: int, ids: PageIds, lowest: int, highest: int
) -> DroppedPage:
    """Return the page of dropped events, each with its id and its time, as `page` does."""
    names = [str(id_) for id_, _, _ in found]
    cursors = _cursors(names, limit=limit, ids=ids, lowest=lowest, highest=highest)
    return DroppedPage(events=tuple((at, event) for _, at, event in _shown(found, limit, ids)), **cursors)


def _shown(found: Sequence[_Row], limit: int, ids: PageIds) -> Sequence[_Row]:
    return found[:limit][::-1] if ids.is_back else found[:limit]


def _cursors(found: Sequence[str], *, limit: int, ids: PageIds, lowest: int, highest: int) -> dict[str, Any]:
    """Return the cursors of a page of these ids, and the number of rows read if others were not."""
    on, scanned = (found[limit - 1] if len(found) > limit else None), None
    if on is None and (ids.before <= highest if ids.ascending else ids.floor > lowest):
        on, scanned = str(ids.before - 1 if ids.ascending else ids.floor), SCAN_ROWS
    back = found[0] if found and not ids.is_first else None
    if ids.is_back:
        on, back = back, on
    return {"next_cursor": on, "prev_cursor": back and f"-{back}", "scanned": scanned}


class OrderRow(NamedTuple):
    """A delivery of a checkout, or a dropped event of an order."""

    #: As sent; `None` if the checkout had no order id.
    order_id: str | None
    #: A `State` of a delivery, an `Outcome` of a dropped event.
    outcome: str
    #: "" without a reason.
    reason: str
    #: As sent, or as it would be sent; `None` if unknown.
    amount: str | None
    currency: str | None
    #: `None` if the event matched no preset.
    preset: str | None
    source: str
    #: `None` if the event matched no preset.
    ad_account_id: str | None
    #: As in `DeliveryColumns`.
    channel: str
    #: Of a delivery: the time of the order. Of a dropped event: the time of receipt. Unix seconds.
    at: float


class OrderPage(NamedTuple):
    """Some orders of the ledger, the oldest first."""

    rows: list[OrderRow]
    #: The cursor of the next orders; `None` after the last ones.
    after: int | None


def order_page(rows: Sequence[Sequence[Any]], limit: int) -> OrderPage:
    """Read rows of an engine's query `orders` or `dropped_orders`: an id, and the order."""
    after = rows[-1][0] if len(rows) == limit else None
    return OrderPage([OrderRow._make(row[1:]) for row in rows], after)


def order_spellings(name: str) -> tuple[str, ...]:
    """Return a name as it is, without and with the sign that shops write before numbers.

    >>> order_spellings("#1001"), order_spellings("1001.0"), order_spellings(" SO-7 ")
    (('#1001', '1001'), ('1001.0', '1001', '#1001'), ('SO-7', '#SO-7'))
    """
    name = name.strip()
    bare = name.removeprefix("#").lstrip()
    whole = bare.removesuffix(".0")
    bare = whole if whole.isdecimal() else bare
    return tuple(dict.fromkeys(each for each in (name, bare, f"#{bare}") if each not in ("", "#")))
