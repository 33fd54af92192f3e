"""What the ledger shows: deliveries, messages, counts, and which deliveries a Query means. Reading only."""

import sqlite3
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

from app.outbox.outbox_rules import OutboxRules
from app.outbox.paging import END, ids_of_page, page
from app.outbox.records import attempt_of, delivery_of, note_of
from app.outbox.repeats import digests_of, repeated
from app.outbox.sqlite.database import as_rows
from app.outbox.sqlite.sql import SQL
from app.types import Backlog, Delivery, Message, NewDelivery, Page, Query, Seen, State, Tally

#: The index over event ids leaves out those that are message ids too.
_ON_A_SHELF = "SELECT d.id FROM shelf CROSS JOIN delivery AS d WHERE d.shelf = n AND"
_BY_MESSAGE = f"{_ON_A_SHELF} d.message_id = :message_id"
_BY_EVENT = f"{_ON_A_SHELF} d.event_id = :event_id AND d.event_id <> d.message_id"
_BY_BOTH = f"{_ON_A_SHELF} d.message_id = :event_id AND d.event_id = d.message_id"

#: Field of Query -> its condition. Only texts of this table become SQL; what is looked for is a parameter.
_CONDITIONS: Final = {
    "delivery_id": "AND id = :delivery_id",
    "message_id": f"AND id IN ({_BY_MESSAGE})",
    "event_id": f"AND id IN ({_BY_EVENT} UNION ALL {_BY_BOTH})",
    "ad_account_id": "AND ad_account_id = :ad_account_id",
    "preset": "AND preset = :preset",
    "state": "AND state = :state",
    "reason": "AND instr(lower(reason), lower(:reason)) > 0",
}


def conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    """Fill the conditions of `query` into `sql`, and return it with its parameters."""
    asked = {each.name: getattr(query, each.name) for each in fields(query)}
    asked = {name: value for name, value in asked.items() if value is not None}
    texts = [_CONDITIONS[name] for name in asked]
    if query.state is State.DEAD:
        texts.append("AND state = 'dead'")  # the planner takes the index of the dead for this very text only
    return sql.replace("/* conditions */", " ".join(texts)), asked


def search(connection: sqlite3.Connection, query: Query, limit: int, cursor: str | None) -> Page:
    """Do `Outbox.search`."""
    lowest, highest = connection.execute(SQL["delivery_range"]).fetchone()
    if lowest is None:
        return Page(deliveries=())
    floor, before = ids_of_page(query, cursor, lowest=lowest, highest=highest)
    found = _deliveries(connection, query, limit=limit + 1, before=before, floor=floor)
    return page(found, limit=limit, floor=floor, lowest=lowest)


def delivery(connection: sqlite3.Connection, delivery_id: str) -> Delivery | None:
    """Do `Outbox.delivery`."""
    found = _deliveries(connection, Query(delivery_id=delivery_id))
    return _whole(connection, found[0]) if found else None


def message(connection: sqlite3.Connection, message_id: str) -> Message:
    """Do `Outbox.message`, oldest first."""
    found = _deliveries(connection, Query(message_id=message_id))
    return Message(
        message_id=message_id,
        notes=tuple(note_of(message_id, row) for row in connection.execute(SQL["notes"], {"message_id": message_id})),
        deliveries=tuple(_whole(connection, each) for each in reversed(found)),
    )


def backlog(connection: sqlite3.Connection, ad_account_id: str) -> Backlog:
    """Do `Outbox.backlog`."""
    parameters = {"ad_account_id": ad_account_id}
    stands = {state: (count, size) for state, count, size in connection.execute(SQL["backlog"], parameters)}
    (oldest_at,) = connection.execute(SQL["oldest_unsettled"], parameters).fetchone()
    return Backlog(
        **{state: count for state, (count, _) in stands.items()},
        size_bytes=sum(size for state, (_, size) in stands.items() if state != State.DEAD),
        oldest_at=oldest_at,
    )


def tallies(connection: sqlite3.Connection, since: float, step_s: int) -> list[tuple[float, Tally]]:
    """Do `Outbox.tallies`."""
    rows = connection.execute(SQL["tallies"], {"since": since, "step_s": step_s})
    return [(step, Tally(name=name, preset=preset, label=label, count=n)) for step, name, preset, label, n in rows]


def seen(
    connection: sqlite3.Connection, deliveries: Sequence[NewDelivery], now: float, rules: OutboxRules
) -> list[Seen | None]:
    """Do `Outbox.seen`."""
    digests = as_rows(digests_of(deliveries, rules))
    parameters = {"rows": digests, "now": now, "window_s": rules.dedup_window_s, "ledger_s": rules.ledger_s}
    return repeated(deliveries, connection.execute(SQL["seen"], parameters), now=now, rules=rules)


def _deliveries(
    connection: sqlite3.Connection, query: Query, *, limit: int = -1, before: int = END, floor: int = 0
) -> list[Delivery]:
    """Look for deliveries with ids from `floor` to below `before`, newest first; limit -1 means all."""
    sql, parameters = conditions(SQL["search"], query)
    rows = connection.execute(sql, {**parameters, "limit": limit, "before": before, "floor": floor})
    return [delivery_of(row) for row in rows]


def _whole(connection: sqlite3.Connection, delivery: Delivery) -> Delivery:
    """Add history and payload."""
    parameters = {"delivery_id": int(delivery.delivery_id)}
    history = tuple(map(attempt_of, connection.execute(SQL["history"], parameters)))
    payload = connection.execute(SQL["payload"], parameters).fetchone()
    return replace(delivery, history=history, payload=payload[0] if payload else None)
