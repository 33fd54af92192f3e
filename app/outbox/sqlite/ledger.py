"""What the ledger shows: deliveries, notes, messages, counts. Reading only."""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from app.core.deliveries import Delivery, NewDelivery, Seen, State
from app.core.events import DroppedEvent, Tally
from app.core.pages import Backlog, Message, NotePage, Page, Query, Revenue
from app.outbox.order_rows import OrderPage, order_page
from app.outbox.outbox_rules import OutboxRules
from app.outbox.paging import END, ids_of_page, means_deliveries, note_page, noted_exits, page, skips_older
from app.outbox.records import attempt_of, backlog_of, delivery_of, noted, revenue_of, tally_of
from app.outbox.repeats import digests_of, repeated
from app.outbox.rows import as_json
from app.outbox.sqlite.conditions import conditions, note_conditions
from app.outbox.sqlite.guard import free_bytes
from app.outbox.sqlite.sql import SQL
from app.outbox.step_sums import asked_sums, spans_of


def search(connection: sqlite3.Connection, query: Query, limit: int, cursor: str | None) -> Page:
    """Do `Outbox.search`."""
    lowest, highest = connection.execute(SQL["delivery_range"]).fetchone()
    if lowest is None or not means_deliveries(query):
        return Page(deliveries=())
    if skips_older(query):
        (lowest,) = connection.execute(SQL["first_delivery_since"], {"since": query.since}).fetchone()
        if lowest is None:
            return Page(deliveries=())
    floor, before = ids_of_page(query, cursor, lowest=lowest, highest=highest)
    found = _deliveries(connection, query, limit=limit + 1, before=before, floor=floor)
    return page(found, limit=limit, floor=floor, lowest=lowest)


def search_notes(connection: sqlite3.Connection, query: Query, limit: int, cursor: str | None) -> NotePage:
    """Do `Outbox.search_notes`."""
    lowest, highest = connection.execute(SQL["note_range"], {"since": query.since or 0}).fetchone()
    if lowest is None or not noted_exits(query):
        return NotePage(notes=())
    floor, before = ids_of_page(query, cursor, lowest=lowest, highest=highest)
    found = _notes(connection, query, limit=limit + 1, before=before, floor=floor)
    return note_page(found, limit=limit, floor=floor, lowest=lowest)


def orders(connection: sqlite3.Connection, noted: bool, since: float, after: int | None, limit: int) -> OrderPage:  # noqa: FBT001 - as `read` hands it on
    """Do `Outbox.orders`."""
    if after is None:
        after = 0 if noted else _last_before(connection, since)
    parameters = {"after": after, "since": since, "limit": limit}
    rows = connection.execute(SQL["noted_orders" if noted else "orders"], parameters).fetchall()
    return order_page(rows, limit)


def delivery(connection: sqlite3.Connection, delivery_id: str) -> Delivery | None:
    """Do `Outbox.delivery`."""
    found = _deliveries(connection, Query(delivery_id=delivery_id))
    return _whole(connection, found[0]) if found else None


def message(connection: sqlite3.Connection, message_id: str) -> Message:
    """Do `Outbox.message`, oldest first."""
    found = _deliveries(connection, Query(message_id=message_id))
    return Message(
        message_id=message_id,
        notes=tuple((at, note) for _, at, note in reversed(_notes(connection, Query(message_id=message_id)))),
        deliveries=tuple(_whole(connection, each) for each in reversed(found)),
    )


def backlog(connection: sqlite3.Connection, ad_account_id: str, rules: OutboxRules, path: Path) -> Backlog:
    """Do `Outbox.backlog`."""
    parameters = {"ad_account_id": ad_account_id}
    stands = {state: (count, size) for state, count, size in connection.execute(SQL["backlog"], parameters)}
    (oldest_at,) = connection.execute(SQL["oldest_unsettled"], parameters).fetchone()
    counts = {state: count for state, (count, _) in stands.items()}
    size_bytes = sum(size for state, (_, size) in stands.items() if state != State.DEAD)
    return backlog_of(counts, size_bytes, oldest_at, rules, disk_bytes=_room(connection, path))


def _room(connection: sqlite3.Connection, path: Path) -> int | None:
    """Return the free bytes of the disk and of the file itself; None where the disk cannot be asked."""
    ((unused,),) = connection.execute("PRAGMA freelist_count").fetchall()
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    try:
        return free_bytes(path) + int(unused * page_size)
    except OSError:
        return None


def tallies(
    connection: sqlite3.Connection, since: float, step_s: int, until: float | None, names: Collection[str] | None
) -> list[tuple[float, Tally]]:
    """Do `Outbox.tallies`."""
    sums = asked_sums(since, step_s, spans_of(connection.execute(SQL["summed_spans"])), until)
    asked = {"since": since, "step_s": step_s, "names": None if names is None else as_json(sorted(names))}
    return [tally_of(row) for row in connection.execute(SQL["tallies"], {**asked, **sums})]


def revenue(connection: sqlite3.Connection, first_day: int, last_day: int) -> list[Revenue]:
    """Do `Outbox.revenue`."""
    return [
        revenue_of(row) for row in connection.execute(SQL["revenue"], {"first_day": first_day, "last_day": last_day})
    ]


def seen(
    connection: sqlite3.Connection, deliveries: Sequence[NewDelivery], now: float, rules: OutboxRules
) -> list[Seen | None]:
    """Do `Outbox.seen`."""
    digests = as_json(digests_of(deliveries, rules))
    parameters = {"rows": digests, "now": now, "window_s": rules.dedup_window_s, "ledger_s": rules.ledger_s}
    return repeated(deliveries, connection.execute(SQL["seen"], parameters), now=now, rules=rules)


def _last_before(connection: sqlite3.Connection, since: float) -> int:
    """Return an id behind which all deliveries lie that were received since then."""
    (first,) = connection.execute(SQL["first_delivery_since"], {"since": since}).fetchone()
    return END if first is None else int(first) - 1


def _deliveries(
    connection: sqlite3.Connection, query: Query, *, limit: int = -1, before: int = END, floor: int = 0
) -> list[Delivery]:
    """Look for deliveries with ids from `floor` to below `before`, newest first; limit -1 means all."""
    sql, parameters = conditions(SQL["search"], query)
    rows = connection.execute(sql, {**parameters, "limit": limit, "before": before, "floor": floor})
    return [delivery_of(row) for row in rows]


def _notes(
    connection: sqlite3.Connection, query: Query, *, limit: int = -1, before: int = END, floor: int = 0
) -> list[tuple[int, float, DroppedEvent]]:
    """Look for notes with ids from `floor` to below `before`, newest first."""
    sql, parameters = note_conditions(SQL["search_notes"], query)
    rows = connection.execute(sql, {**parameters, "limit": limit, "before": before, "floor": floor})
    return [noted(row) for row in rows]


def _whole(connection: sqlite3.Connection, delivery: Delivery) -> Delivery:
    """Return a delivery with its history and payload."""
    parameters = {"delivery_id": int(delivery.delivery_id)}
    history = tuple(map(attempt_of, connection.execute(SQL["history"], parameters)))
    payload = connection.execute(SQL["payload"], parameters).fetchone()
    return replace(delivery, history=history, payload=payload[0] if payload else None)
