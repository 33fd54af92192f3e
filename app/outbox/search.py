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
#: How the texts of some are read; those of the others are taken as they are.
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
    """Return the filters that say something, trimmed. Raises FilterError for an unknown name."""
    if unknown := [name for name in texts if name not in SEARCH_FILTERS]:
        message = f'There is no filter "{unknown[0][:40]}". There are: {", ".join(SEARCH_FILTERS)}.'
        raise FilterError(message)
    return {name: text.strip() for name, text in texts.items() if text.strip()}


def read_filters(texts: Mapping[str, str]) -> Query:
    """Return what the filters ask for.

    Raises FilterError for an unknown name, for a state, outcome, status or time that cannot be read, and for an empty
    text: a program whose variable is empty does not mean everything. Fields of a form may be empty: `given_filters`
    leaves those out.
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


#: Deliveries or dropped events looked at for one page, where no index leads to what is asked for.
SCAN_ROWS = 100_000
#: Beyond every id.
END = 2**62
_Row = TypeVar("_Row")

#: Other digits than those of ASCII make no id, nor do so many that no number is made of them.
_ID: Final = re.compile("[0-9]{1,100}")

#: What an attempt at sending comes to.
SENT: Final = frozenset({Outcome.DELIVERED, Outcome.RETRY, Outcome.REJECTED, Outcome.BLOCKED})
#: Outcomes of events that the ledger keeps instead of a delivery. A withdrawn event was a delivery; an unmatched one
#: is kept only where it names an order.
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
#: All outcomes of dropped events: a cancellation is kept as matched, which deliveries are too.
_OF_DROPPED: Final = DROPPED_OUTCOMES | {Outcome.MATCHED}
#: Those of the dropped events that are meant by an outcome which deliveries have too.
_AMONG_DROPPED: Final = {
    Outcome.ACCEPTED: _OF_DROPPED - {Outcome.REFUSED},
    Outcome.MATCHED: _OF_DROPPED - {Outcome.REFUSED, Outcome.UNMATCHED},
    Outcome.ENQUEUED: frozenset({Outcome.WITHDRAWN}),
}


def as_kept(query: Query) -> Query:
    """Return a query whose texts are what engines keep of them."""
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
    """Return the id of the delivery into which an event was merged; None where it was merged into none."""
    match = _MERGED.match(event.reason) if event.outcome is Outcome.MERGED else None
    return match[1] if match else None


def means_deliveries(query: Query) -> bool:
    """Return whether a delivery may be what `query` means."""
    return query.outcome not in DROPPED_OUTCOMES


def asks_attempts(query: Query) -> bool:
    """Return whether `query` asks what attempts came to, and when, instead of when something was received."""
    return query.outcome in SENT or query.status is not None


def dropped_outcomes(query: Query) -> frozenset[Outcome]:
    """Return the outcomes of dropped events that `query` means; none where it means no dropped event."""
    if query.given.keys() & {"delivery_id", "event_id", "state", "status", "person", "cause", "happened_since"}:
        return frozenset()
    if query.outcome is None:
        return _OF_DROPPED
    return _AMONG_DROPPED.get(query.outcome, DROPPED_OUTCOMES & {query.outcome})


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


class PageIds(NamedTuple):
    """Which ids a page looks at, and in which direction."""

    #: From the first of the two to below the second.
    floor: int
    before: int
    #: From the lowest id on.
    ascending: bool
    #: It is the page before one that was shown: its rows are read from the end.
    is_back: bool
    is_first: bool

    @property
    def range(self) -> dict[str, Any]:
        """The arguments of `Statements.matching`."""
        return {"floor": self.floor, "before": self.before, "oldest_first": self.ascending}


ALL_IDS: Final = PageIds(0, END, ascending=False, is_back=False, is_first=True)


def ids_of_page(query: Query, cursor: str | None, *, lowest: int, highest: int, oldest_first: bool = False) -> PageIds:
    """Return which ids a page looks at.

    The cursor is the id behind which the page begins, or with a minus the id before which it ends; one that cannot be
    read begins anew.
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
    """Return the page of what was found among `ids`, one more than `limit` where there is more.

    Where deliveries beyond these were not looked at, it says so in `scanned`, and its cursor leads on to them.
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
    """Return the cursors of a page of these ids, and how many rows were looked at where others were not."""
    on, scanned = (found[limit - 1] if len(found) > limit else None), None
    if on is None and (ids.before <= highest if ids.ascending else ids.floor > lowest):
        on, scanned = str(ids.before - 1 if ids.ascending else ids.floor), SCAN_ROWS
    back = found[0] if found and not ids.is_first else None
    if ids.is_back:
        on, back = back, on
    return {"next_cursor": on, "prev_cursor": back and f"-{back}", "scanned": scanned}


class OrderRow(NamedTuple):
    """One delivery of a checkout, or one dropped event of an order."""

    #: As it is sent; None where the checkout named none.
    order_id: str | None
    #: A `State` of a delivery, an `Outcome` of a dropped event.
    outcome: str
    #: "" where there is nothing to say.
    reason: str
    #: As sent, or as they would be; None where unknown.
    amount: str | None
    currency: str | None
    #: None where the event reached none.
    preset: str | None
    source: str
    #: None where the event reached none.
    ad_account_id: str | None
    #: As in `DeliveryColumns`.
    channel: str
    #: Of a delivery: when the order was made. Of a dropped event: when it was received. Unix seconds.
    at: float


class OrderPage(NamedTuple):
    """Some orders of the ledger, the oldest first."""

    rows: list[OrderRow]
    #: Leads to the next ones; None where these were the last.
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
