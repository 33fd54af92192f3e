"""What the ledger shows: deliveries, dropped events, messages, counts; and what people did, and who has logged in."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from app.core.deliveries import Delivery, NewDelivery, Seen
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
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import UsesDatabase, connected, rows_of
from app.outbox.rows import record_of
from app.outbox.step_sums import sum_parameters, summed_spans


def asked(query: Query) -> dict[str, Any]:
    query = search.as_kept(query)
    parameters = {each.name: getattr(query, each.name) for each in fields(query)}
    if query.delivery_id is not None:
        parameters["delivery_id"] = search.cursor_id(query.delivery_id)
    return parameters | {
        "person": None if query.person is None else list(query.person),
        "tried": query.exit if query.exit in search.SENT else None,
        "matched": query.exit is Exit.MATCHED,
        "exits": sorted(search.dropped_exits(query)),
        "since": query.since or 0.0,
        "until": math.inf if query.until is None else query.until,
    }


class Ledger(UsesDatabase):
    """The part of the `Outbox` that people look at."""

    @connected
    async def search(
        self, connection: Connection, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False
    ) -> Page:
        ((lowest, highest),) = await rows_of(connection, "delivery_range")
        if lowest is None or not search.means_deliveries(query):
            return Page(deliveries=())
        if search.skips_older(query):
            lowest = await _first_since(connection, query.since)
            if lowest is None:
                return Page(deliveries=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = await _deliveries(connection, query, limit=limit + 1, ids=ids)
        if query.message_id and not found and cursor is None:
            found = await _merged(connection, query)
        return search.page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @connected
    async def search_dropped(
        self, connection: Connection, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False
    ) -> DroppedPage:
        ((lowest, highest),) = await rows_of(connection, "dropped_event_range", since=query.since or 0.0)
        if lowest is None or not search.dropped_exits(query):
            return DroppedPage(events=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = await _dropped(connection, query, limit=limit + 1, ids=ids)
        return search.dropped_page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @connected
    async def orders(
        self, connection: Connection, *, dropped: bool, since: float, after: int | None = None, limit: int
    ) -> OrderPage:
        if after is None:
            first = 1 if dropped else await _first_since(connection, since)
            after = search.END if first is None else first - 1
        name = "dropped_orders" if dropped else "orders"
        return order_page(await rows_of(connection, name, after=after, since=since, limit=limit), limit)

    @connected
    async def delivery(self, connection: Connection, delivery_id: str) -> Delivery | None:
        found = await _whole(connection, await _deliveries(connection, Query(delivery_id=delivery_id)))
        return found[0] if found else None

    @connected
    async def message(self, connection: Connection, message_id: str) -> Message:
        query = Query(message_id=message_id)
        found = await _merged(connection, query) + await _deliveries(connection, query)
        dropped = await _dropped(connection, Query(message_id=message_id))
        return Message(
            message_id=message_id,
            dropped_events=tuple((at, event) for _, at, event in reversed(dropped)),
            deliveries=tuple(await _whole(connection, found[::-1])),
        )

    @connected
    async def backlog(self, connection: Connection, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        rows = await rows_of(connection, "backlog", ad_account_id=ad_account_id)
        counts = {state: count for state, count, _, _ in rows}
        size_bytes = sum(size for _, _, size, _ in rows)
        return records.backlog_of(counts, size_bytes, rows[0][3] if rows else None, self._rules)

    @connected
    async def counters(
        self,
        connection: Connection,
        *,
        since: float,
        step_s: int,
        until: float | None = None,
        names: Collection[str] | None = None,
    ) -> list[tuple[float, CounterRow]]:
        asked = {"since": since, "step_s": step_s, "names": None if names is None else sorted(names)}
        async with connection.transaction():
            await connection.execute(SQL["one_moment"])
            sums = sum_parameters(since, step_s, summed_spans(await rows_of(connection, "summed_spans")), until)
            rows = await rows_of(connection, "counters", **asked, **sums)
        return [records.counter_of(row) for row in rows]

    @connected
    async def undelivered(
        self, connection: Connection, *, since: float, until: float, step_s: int, by_source: bool = False
    ) -> list[Undelivered]:
        asked_for = {"since": since, "until": until, "step_s": step_s, "by_source": by_source}
        return [record_of(Undelivered, row) for row in await rows_of(connection, "undelivered", **asked_for)]

    @connected
    async def revenue(self, connection: Connection, *, first_day: int, last_day: int) -> list[Revenue]:
        rows = await rows_of(connection, "revenue", first_day=first_day, last_day=last_day)
        return list(map(records.revenue_of, rows))

    @connected
    async def seen(self, connection: Connection, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        at = self._clock.of(now)
        call = asked_call(deliveries, now=at, rules=self._rules)
        windows = {"window_s": self._rules.dedup_window_s, "ledger_s": self._rules.ledger_s}
        rows = await rows_of(connection, "seen", digests=call.digests, now=at, **windows)
        ids = other_sides([call], holders(key_rows_of(rows)))
        twins = [Twin(*row) for row in await rows_of(connection, "twins", ids=ids)] if ids else []
        ((highest, _),) = await rows_of(connection, "highest_ids")
        return foreseen(call, rows, twins, self._rules, highest_id=highest)

    @connected
    async def order_ids(self, connection: Connection, numbers: Sequence[str]) -> dict[str, list[str]]:
        digests = [digest for number in numbers for digest in number_digests(number)]
        return order_ids_of(numbers, await rows_of(connection, "seen", digests=digests, now=0, window_s=0, ledger_s=0))

    @connected
    async def order_names(self, connection: Connection, digests: Collection[str]) -> list[str]:
        return names_of(await rows_of(connection, "seen", digests=sorted(digests), now=0, window_s=0, ledger_s=0))

    @connected
    async def write_audit(self, connection: Connection, entry: AuditEntry) -> None:
        await connection.execute(SQL["write_audit"], records.audit_row(replace(entry, at=self._clock.of(entry.at))))

    @connected
    async def audit(
        self, connection: Connection, *, limit: int, cursor: str | None = None, target: str | None = None
    ) -> AuditPage:
        rows = await rows_of(connection, "audit", before=search.cursor_id(cursor), limit=limit + 1, target=target)
        return records.audit_page(rows, limit=limit)

    @connected
    async def open_session(self, connection: Connection, session: Session) -> None:
        ends_at = self._clock.of(session.ends_at)
        await connection.execute(SQL["open_session"], asdict(replace(session, ends_at=ends_at)))

    @connected
    async def session(self, connection: Connection, digest: str, *, now: float) -> Session | None:
        return records.session_at(self._clock.of(now), await rows_of(connection, "session", digest=digest))

    @connected
    async def end_session(self, connection: Connection, digest: str) -> None:
        await connection.execute(SQL["end_session"], {"digest": digest})


async def _first_since(connection: Connection, since: float | None) -> int | None:
    """Return the first delivery that was received since then; None where none was."""
    rows = await rows_of(connection, "first_delivery_since", since=since)
    return int(rows[0][0]) if rows else None


async def _deliveries(
    connection: Connection, query: Query, *, limit: int | None = None, ids: search.PageIds = search.ALL_IDS
) -> list[Delivery]:
    """Look for deliveries among some ids, newest first unless these ascend; limit None means all."""
    name = "search_by_id" if search.names_id(query) else "search"
    return [records.delivery_of(row) for row in await _found(connection, name, query, limit, ids)]


async def _found(
    connection: Connection, name: str, query: Query, limit: int | None, ids: search.PageIds
) -> Sequence[Sequence[Any]]:
    given = {**asked(query), "limit": limit, "before": ids.before, "floor": ids.floor}
    return await rows_of(connection, f"{name}_ascending" if ids.ascending else name, **given)


async def _merged(connection: Connection, query: Query) -> list[Delivery]:
    asked = search.merged_into(query, await _dropped(connection, Query(message_id=query.message_id, exit=Exit.MERGED)))
    return [delivery for each in asked for delivery in await _deliveries(connection, each)]


async def _dropped(
    connection: Connection, query: Query, *, limit: int | None = None, ids: search.PageIds = search.ALL_IDS
) -> list[tuple[int, float, DroppedEvent]]:
    """Look for dropped events among some ids, likewise."""
    return [records.dropped_of(row) for row in await _found(connection, "search_dropped", query, limit, ids)]


async def _whole(connection: Connection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    ids = [int(each.delivery_id) for each in deliveries]
    rows = await rows_of(connection, "whole", ids=ids) if ids else []
    more = {str(id_): (history or (), payload) for id_, history, payload in rows}
    whole = []
    for each in deliveries:
        history, payload = more.get(each.delivery_id, ((), None))
        whole.append(replace(each, history=tuple(map(records.attempt_of, history)), payload=payload))
    return whole
