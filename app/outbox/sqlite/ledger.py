"""What the ledger shows: deliveries, dropped events, messages, counts; and what people did, and who has logged in."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import orjson

from app.core.deliveries import Delivery, NewDelivery, Seen, State
from app.core.events import CounterRow, DroppedEvent, Exit
from app.core.pages import (
    AuditEntry,
    AuditPage,
    Backlog,
    DroppedPage,
    Message,
    Page,
    Query,
    Revenue,
    Session,
    Undelivered,
)
from app.outbox import records, search
from app.outbox.dedup import names_of, number_digests, order_ids_of
from app.outbox.enqueue import asked_call, foreseen, holders, key_rows_of, other_sides
from app.outbox.orders import OrderPage, order_page
from app.outbox.pairing import Twin
from app.outbox.redrive import REPLAYED
from app.outbox.rows import as_json, record_of
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.guard import free_bytes
from app.outbox.sqlite.readers import UsesFile, reads, writes
from app.outbox.step_sums import sum_parameters, summed_spans

_BUCKETS: Final = 512
_FINGERPRINT_BYTES: Final = 3
_SHELVES: Final = 16
#: Of so many the ids are read in one step: for each step Python's lock has to be won back from the event loop, and all
#: of them are in memory.
_SHELVES_AT_ONCE: Final = 4


def place_of(text: str) -> tuple[int, bytes]:
    digest = crc32(text.encode())
    return digest % _BUCKETS, (digest >> 8).to_bytes(_FINGERPRINT_BYTES)


def looked_for(query: Query) -> dict[str, Any]:
    """Return what tells a statement on which shelves a query finds its ids. Of several one will do: all have to fit."""
    text = next((each for each in (query.message_id, query.event_id, query.order_id) if each is not None), None)
    bucket, fingerprint = (None, None) if text is None else place_of(text)
    return {"bucket": bucket, "fingerprint": fingerprint}


def fill_next_id_range(connection: sqlite3.Connection) -> int:
    """Make the filter of the next range that no longer grows, within a transaction, or drop that of one that is gone.

    Returns how many ranges that were.
    """
    (id_range,) = connection.execute(SQL["next_id_range"]).fetchone()
    if id_range is None:
        return min(1, connection.execute(SQL["forget_id_range"]).rowcount)
    buckets = [bytearray() for _ in range(_BUCKETS)]
    for text in _ids_of(connection, id_range):
        bucket, fingerprint = place_of(text)
        buckets[bucket] += fingerprint
    sizes = as_json([len(each) // _FINGERPRINT_BYTES for each in buckets])
    connection.execute(SQL["fill_id_range"], {"id_range": id_range, "sizes": sizes, "fingerprints": b"".join(buckets)})
    return 1


def _ids_of(connection: sqlite3.Connection, id_range: int) -> Iterator[str]:
    for first in range(id_range * _SHELVES, (id_range + 1) * _SHELVES, _SHELVES_AT_ONCE):
        shelves = {"first": first, "end": first + _SHELVES_AT_ONCE}
        (ids,) = connection.execute(SQL["ids_on_shelves"], shelves).fetchone()
        yield from orjson.loads(ids)


_ON_A_SHELF = "SELECT d.id FROM shelf CROSS JOIN delivery AS d WHERE d.shelf = n AND"
_BY_MESSAGE = f"{_ON_A_SHELF} d.message_id = :message_id"
#: The index over event ids leaves out those that are message ids too.
_BY_EVENT = f"{_ON_A_SHELF} d.event_id = :event_id AND d.event_id <> d.message_id"
_BY_BOTH = f"{_ON_A_SHELF} d.message_id = :event_id AND d.event_id = d.message_id"
_BY_ORDER = f"{_ON_A_SHELF} d.order_id = :order_id AND d.order_id IS NOT NULL"
_DROPPED_ON_A_SHELF = "SELECT noted.id FROM shelf CROSS JOIN dropped_event AS noted WHERE noted.shelf = n AND"
#: As sums of revenue count dropped events, but for what no preset takes.
_IS_ORDER = "(exit <> 'unmatched' AND coalesce(event_name = 'checkout', order_id IS NOT NULL))"
_PERSON = """SELECT 1 FROM payload JOIN json_each(:person) ON instr(body, CAST(value AS BLOB)) > 0
WHERE delivery_id = delivery.id"""
_TRIED = """AND EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND at >= :since AND at < :until
AND (:tried IS NULL OR exit = :tried) AND (:status IS NULL OR status = :status))"""
_WARNING = """SELECT 1 FROM json_each(warnings) AS told
WHERE told.type = 'text' AND instr(lower(told.value), lower(:warning)) > 0"""
#: A reason without what was added when its delivery was not redriven, as `dead_causes` counts it.
CAUSE: Final = f"substr(reason, 1, instr(reason || '; {REPLAYED}', '; {REPLAYED}') - 1)"
#: Keys are asked for whenever they are forgotten.
_WHENEVER: Final = {"now": 0, "window_s": 0, "ledger_s": 0}
_BOUNDS: Final = {"since": ">=", "until": "<"}

#: Field of Query -> its condition. Only texts of these tables become SQL; what is looked for is a parameter.
_OF_BOTH: Final = {
    "ad_account_id": "AND ad_account_id = :ad_account_id",
    "preset": "AND preset = :preset",
    "event_name": "AND event_name = :event_name",
    "name": "AND name = :name",
    "source": "AND source = :source",
    "currency": "AND coalesce(currency, '') = :currency",
    "taken": "AND (preset IS NOT NULL) = :taken",
    "reason": "AND instr(lower(reason), lower(:reason)) > 0",
    "warning": f"AND EXISTS ({_WARNING})",
}
_OF_DELIVERIES: Final = _OF_BOTH | {
    "delivery_id": "AND id = :delivery_id",
    "message_id": f"AND id IN ({_BY_MESSAGE})",
    "event_id": f"AND id IN ({_BY_EVENT} UNION ALL {_BY_BOTH})",
    "order_id": f"AND id IN ({_BY_ORDER})",
    "is_order": "AND (event_name = 'checkout') = :is_order",
    "state": "AND state = :state",
    "person": f"AND EXISTS ({_PERSON})",
    "cause": f"AND {CAUSE} = :cause",
    "happened_since": "AND event_time >= :happened_since",
}
_WAITING: Final = {"state": "AND state IN ('pending', 'claimed')"}
_OF_DROPPED: Final = _OF_BOTH | {
    "message_id": f"AND id IN ({_DROPPED_ON_A_SHELF} noted.message_id = :message_id)",
    "order_id": f"AND id IN ({_DROPPED_ON_A_SHELF} noted.order_id = :order_id AND noted.order_id IS NOT NULL)",
    "is_order": f"AND {_IS_ORDER} = :is_order",
}


def conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    query = search.as_kept(query)
    known = _OF_DELIVERIES | _WAITING if query.state == "waiting" else _OF_DELIVERIES
    texts = [known[name] for name in query.given if name in known]
    if search.asks_attempts(query):
        texts.append(_TRIED)
    else:
        texts += [f"AND enqueued_at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    if query.state is State.DEAD:
        texts.append("AND state = 'dead'")  # the planner takes the index of the dead for this very text only
    return sql.replace("/* conditions */", " ".join(texts)), _parameters(query) | looked_for(query)


def dropped_conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    query = search.as_kept(query)
    texts = [_OF_DROPPED[name] for name in query.given if name in _OF_DROPPED]
    texts += [f"AND at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    texts.append("AND iif(was_enqueued, 'withdrawn', exit) IN (SELECT value FROM json_each(:exits))")
    if query.exit is Exit.MATCHED:
        texts.append("AND preset IS NOT NULL")
    parameters = _parameters(query) | {"exits": as_json(sorted(search.dropped_exits(query)))}
    return sql.replace("/* conditions */", " ".join(texts)), parameters


def _parameters(query: Query) -> dict[str, Any]:
    tried = query.exit if query.exit in search.SENT else None
    unless_given = {"since": 0, "until": search.END, "status": None}
    others = {"tried": tried, "person": as_json(query.person or ()), "delivery_id": search.cursor_id(query.delivery_id)}
    return unless_given | query.given | others


class Ledger(UsesFile):
    """The part of the `Outbox` that people look at."""

    @reads
    def search(
        self,
        connection: sqlite3.Connection,
        query: Query,
        *,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        lowest, highest = connection.execute(SQL["delivery_range"]).fetchone()
        if lowest is None or not search.means_deliveries(query):
            return Page(deliveries=())
        if search.skips_older(query):
            (lowest,) = connection.execute(SQL["first_delivery_since"], {"since": query.since}).fetchone()
            if lowest is None:
                return Page(deliveries=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = deliveries_of(connection, query, limit=limit + 1, ids=ids)
        if query.message_id and not found and cursor is None:
            found = _merged(connection, query)
        return search.page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @reads
    def search_dropped(
        self,
        connection: sqlite3.Connection,
        query: Query,
        *,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> DroppedPage:
        lowest, highest = connection.execute(SQL["dropped_event_range"], {"since": query.since or 0}).fetchone()
        if lowest is None or not search.dropped_exits(query):
            return DroppedPage(events=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = _dropped(connection, query, limit=limit + 1, ids=ids)
        return search.dropped_page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @reads
    def orders(
        self, connection: sqlite3.Connection, *, dropped: bool, since: float, after: int | None = None, limit: int
    ) -> OrderPage:
        if after is None:
            after = 0 if dropped else _last_before(connection, since)
        parameters = {"after": after, "since": since, "limit": limit}
        rows = connection.execute(SQL["dropped_orders" if dropped else "orders"], parameters).fetchall()
        return order_page(rows, limit)

    @reads
    def delivery(self, connection: sqlite3.Connection, delivery_id: str) -> Delivery | None:
        found = deliveries_of(connection, Query(delivery_id=delivery_id))
        return _whole(connection, found[0]) if found else None

    @reads
    def message(self, connection: sqlite3.Connection, message_id: str) -> Message:
        query = Query(message_id=message_id)
        found = _merged(connection, query) + deliveries_of(connection, query)
        return Message(
            message_id=message_id,
            dropped_events=tuple(
                (at, event) for _, at, event in reversed(_dropped(connection, Query(message_id=message_id)))
            ),
            deliveries=tuple(_whole(connection, each) for each in reversed(found)),
        )

    @reads
    def backlog(self, connection: sqlite3.Connection, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        parameters = {"ad_account_id": ad_account_id}
        rows = connection.execute(SQL["backlog"], parameters).fetchall()
        (oldest_at,) = connection.execute(SQL["oldest_unsettled"], parameters).fetchone()
        counts = {state: count for state, count, _ in rows}
        size_bytes = sum(size for state, _, size in rows if state != State.DEAD)
        return records.backlog_of(counts, size_bytes, oldest_at, self._rules, disk_bytes=_room(connection, self._path))

    @reads
    def counters(
        self,
        connection: sqlite3.Connection,
        *,
        since: float,
        step_s: int,
        until: float | None = None,
        names: Collection[str] | None = None,
    ) -> list[tuple[float, CounterRow]]:
        sums = sum_parameters(since, step_s, summed_spans(connection.execute(SQL["summed_spans"])), until)
        asked = {"since": since, "step_s": step_s, "names": None if names is None else as_json(sorted(names))}
        return [records.counter_of(row) for row in connection.execute(SQL["counters"], {**asked, **sums})]

    @reads
    def undelivered(
        self, connection: sqlite3.Connection, *, since: float, until: float, step_s: int, by_source: bool = False
    ) -> list[Undelivered]:
        sql = SQL["undelivered"].replace("/* source */ ''", "source") if by_source else SQL["undelivered"]
        return [
            record_of(Undelivered, row)
            for row in connection.execute(sql, {"since": since, "until": until, "step_s": step_s})
        ]

    @reads
    def revenue(self, connection: sqlite3.Connection, *, first_day: int, last_day: int) -> list[Revenue]:
        days = {"first_day": first_day, "last_day": last_day}
        return [records.revenue_of(row) for row in connection.execute(SQL["revenue"], days)]

    @reads
    def seen(
        self, connection: sqlite3.Connection, deliveries: Sequence[NewDelivery], *, now: float
    ) -> list[Seen | None]:
        call = asked_call(deliveries, now=now, rules=self._rules)
        windows = {"window_s": self._rules.dedup_window_s, "ledger_s": self._rules.ledger_s}
        asked = {"rows": as_json(call.digests), "now": now, **windows}
        rows = connection.execute(SQL["seen"], asked).fetchall()
        ids = other_sides([call], holders(key_rows_of(rows)))
        twins = [Twin(*row) for row in connection.execute(SQL["twins"], {"rows": as_json(ids)})] if ids else []
        highest, _ = connection.execute(SQL["highest_ids"]).fetchone()
        return foreseen(call, rows, twins, self._rules, highest_id=highest)

    @reads
    def order_ids(self, connection: sqlite3.Connection, numbers: Sequence[str]) -> dict[str, list[str]]:
        digests = as_json([digest for number in numbers for digest in number_digests(number)])
        return order_ids_of(numbers, connection.execute(SQL["seen"], {"rows": digests, **_WHENEVER}))

    @reads
    def order_names(self, connection: sqlite3.Connection, digests: Collection[str]) -> list[str]:
        return names_of(connection.execute(SQL["seen"], {"rows": as_json(sorted(digests)), **_WHENEVER}))

    @writes
    def write_audit(self, connection: sqlite3.Connection, entry: AuditEntry) -> None:
        connection.execute(SQL["write_audit"], records.audit_row(entry))

    @reads
    def audit(
        self, connection: sqlite3.Connection, *, limit: int, cursor: str | None = None, target: str | None = None
    ) -> AuditPage:
        parameters = {"before": search.cursor_id(cursor), "limit": limit + 1, "target": target}
        return records.audit_page(connection.execute(SQL["audit"], parameters).fetchall(), limit=limit)

    @writes
    def open_session(self, connection: sqlite3.Connection, session: Session) -> None:
        connection.execute(SQL["open_session"], asdict(session))

    @reads
    def session(self, connection: sqlite3.Connection, digest: str, *, now: float) -> Session | None:
        return records.session_at(now, connection.execute(SQL["session"], {"digest": digest}).fetchall())

    @writes
    def end_session(self, connection: sqlite3.Connection, digest: str) -> None:
        connection.execute(SQL["end_session"], {"digest": digest})


def _room(connection: sqlite3.Connection, path: Path) -> int | None:
    """Return the free bytes of the disk and of the file itself; None where the disk cannot be asked."""
    ((unused,),) = connection.execute("PRAGMA freelist_count").fetchall()
    ((page_size,),) = connection.execute("PRAGMA page_size").fetchall()
    try:
        return free_bytes(path) + int(unused * page_size)
    except OSError:
        return None


def _last_before(connection: sqlite3.Connection, since: float) -> int:
    """Return an id behind which all deliveries lie that were received since then."""
    (first,) = connection.execute(SQL["first_delivery_since"], {"since": since}).fetchone()
    return search.END if first is None else int(first) - 1


def deliveries_of(
    connection: sqlite3.Connection, query: Query, *, limit: int = -1, ids: search.PageIds = search.ALL_IDS
) -> list[Delivery]:
    """Look for deliveries among some ids, newest first unless these ascend; limit -1 means all."""
    sql, parameters = conditions(SQL["search"], query)
    rows = connection.execute(
        search.in_order(sql, ids), {**parameters, "limit": limit, "before": ids.before, "floor": ids.floor}
    )
    return [records.delivery_of(row) for row in rows]


def _merged(connection: sqlite3.Connection, query: Query) -> list[Delivery]:
    """Look for the deliveries into which events of the query's message were merged."""
    asked = search.merged_into(query, _dropped(connection, Query(message_id=query.message_id, exit=Exit.MERGED)))
    return [delivery for each in asked for delivery in deliveries_of(connection, each)]


def _dropped(
    connection: sqlite3.Connection, query: Query, *, limit: int = -1, ids: search.PageIds = search.ALL_IDS
) -> list[tuple[int, float, DroppedEvent]]:
    """Look for dropped events among some ids, likewise."""
    sql, parameters = dropped_conditions(SQL["search_dropped"], query)
    rows = connection.execute(
        search.in_order(sql, ids), {**parameters, "limit": limit, "before": ids.before, "floor": ids.floor}
    )
    return [records.dropped_of(row) for row in rows]


def _whole(connection: sqlite3.Connection, delivery: Delivery) -> Delivery:
    parameters = {"delivery_id": int(delivery.delivery_id)}
    history = tuple(map(records.attempt_of, connection.execute(SQL["history"], parameters)))
    payload = connection.execute(SQL["payload"], parameters).fetchone()
    return replace(delivery, history=history, payload=payload[0] if payload else None)
