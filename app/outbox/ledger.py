"""The ledger for people: deliveries, dropped events, messages, counts; the audit log, and logins."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias

from app.core.deliveries import Attempt, Delivery, NewDelivery, Seen, State
from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.pages import (
    AuditAction,
    AuditEntry,
    AuditPage,
    DroppedPage,
    Message,
    Page,
    Query,
    Revenue,
    Session,
    Undelivered,
)
from app.outbox import search
from app.outbox.counts import sum_parameters, summed_spans
from app.outbox.dedup import names_of, number_digests, order_ids_of
from app.outbox.enqueue import asked_call, foreseen, holders, key_rows_of, other_sides
from app.outbox.pairing import read_twins
from app.outbox.rows import kept, read_memory, read_warnings, record_of
from app.outbox.search import ALL_IDS, OrderPage, OrderRow, PageIds, order_page
from app.outbox.statements import Statements, UsesStore, reads, writes

#: Amounts are summed in millionths.
_MILLION: Final = 1_000_000
#: The number of orders per page of `orders_since`.
_ORDERS_AT_ONCE: Final = 10_000
#: Queries of keys regardless of their expiry.
_WHENEVER: Final = {"now": 0, "window_s": 0, "ledger_s": 0}

#: Of a delivery: its attempts, and its payload while stored.
Kept: TypeAlias = tuple[Iterable[Sequence[Any]], bytes | None]


class Ledger(UsesStore):
    """The part of the `Outbox` for people."""

    @abstractmethod
    async def _kept(self, store: Any, ids: Sequence[int]) -> Mapping[int, Kept]:
        """Return the other stored data of some deliveries, by their ids."""

    @reads
    async def search(
        self, store: Statements, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False
    ) -> Page:
        """Return deliveries that match the query, newest first by default, without history.

        A page with `scanned` may contain fewer than `limit` and still have a next page.
        """
        ((lowest, highest),) = await store.rows("delivery_range")
        if lowest is None or not search.means_deliveries(query):
            return Page(deliveries=())
        if search.skips_older(query):
            lowest = await _first_since(store, query.since)
            if lowest is None:
                return Page(deliveries=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = await self._deliveries(store, query, limit=limit + 1, ids=ids)
        if query.message_id and not found and cursor is None:
            found = await self._merged(store, query)
        return search.page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @reads
    async def search_dropped(
        self, store: Statements, query: Query, *, limit: int, cursor: str | None = None, oldest_first: bool = False
    ) -> DroppedPage:
        """Return dropped events that match the query, each with its time, in the order and the pages of `search`."""
        ((lowest, highest),) = await store.rows("dropped_event_range", since=query.since or 0.0)
        if lowest is None or not search.dropped_outcomes(query):
            return DroppedPage(events=())
        ids = search.ids_of_page(query, cursor, lowest=lowest, highest=highest, oldest_first=oldest_first)
        found = await self._dropped(store, query, limit=limit + 1, ids=ids)
        return search.dropped_page(found, limit=limit, ids=ids, lowest=lowest, highest=highest)

    @reads
    async def orders(
        self, store: Statements, *, dropped: bool, since: float, after: int | None = None, limit: int
    ) -> OrderPage:
        """Return deliveries of checkouts received since a time, the oldest first.

        `dropped` requests dropped events of orders instead. `after` is that of the previous page; `None` requests the
        first page.
        """
        if after is None:
            first = 1 if dropped else await _first_since(store, since)
            after = search.END if first is None else first - 1
        name = "dropped_orders" if dropped else "orders"
        return order_page(await store.rows(name, after=after, since=since, limit=limit), limit)

    @reads
    async def delivery(self, store: Statements, delivery_id: str) -> Delivery | None:
        """Return a delivery with its history and, while stored, its payload; `None` if it does not exist."""
        found = await self._whole(store, await self._deliveries(store, Query(delivery_id=delivery_id)))
        return found[0] if found else None

    @reads
    async def message(self, store: Statements, message_id: str) -> Message:
        """Return the results of a message id: empty if unknown."""
        query = Query(message_id=message_id)
        found = await self._merged(store, query) + await self._deliveries(store, query)
        dropped = await self._dropped(store, Query(message_id=message_id))
        return Message(
            message_id=message_id,
            dropped_events=tuple((at, event) for _, at, event in reversed(dropped)),
            deliveries=tuple(await self._whole(store, found[::-1])),
        )

    @reads
    async def counters(
        self,
        store: Statements,
        *,
        since: float,
        step_s: int,
        until: float | None = None,
        names: Collection[str] | None = None,
    ) -> list[tuple[float, CounterRow]]:
        """Return the counts since a time, summed by steps: (start of the step, counter). `step_s` 0 sums all into one.

        `until` is the end of the last step, `names` are the requested counts; `None`: all.
        """
        asked = {"since": since, "step_s": step_s, "names": None if names is None else sorted(names)}
        async with store.one_moment():
            sums = sum_parameters(since, step_s, summed_spans(await store.rows("summed_spans")), until)
            rows = await store.rows("counters", **asked, **sums)
        return list(map(counter_of, rows))

    @reads
    async def undelivered(
        self, store: Statements, *, since: float, until: float, step_s: int, by_source: bool = False
    ) -> list[Undelivered]:
        """Count the undelivered deliveries received from `since` to before `until`, by step and state."""
        asked = {"since": since, "until": until, "step_s": step_s, "by_source": by_source}
        return [record_of(Undelivered, row) for row in await store.rows("undelivered", **asked)]

    @reads
    async def revenue(self, store: Statements, *, first_day: int, last_day: int) -> list[Revenue]:
        """Return the value of the orders of some days, in the order of the days; days are counted from 1970 (UTC).

        A withdrawn order counts on the day of its cancellation. Waiting orders that an erasure deletes do not count.
        """
        rows = await store.rows("revenue", first_day=first_day, last_day=last_day)
        return list(map(_revenue_of, rows))

    @reads
    async def seen(self, store: Statements, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        """Return, for each delivery in order, the earlier one that it would repeat, or the warnings that it would get.

        `None` for a new delivery without similar ones. The check equals that of `enqueue` at `now`, by remembered keys
        and the earlier deliveries of the call; nothing is stored and no key is taken.
        """
        at = self._by_store(now)
        call = asked_call(deliveries, now=at, rules=self._rules)
        windows = {"window_s": self._rules.dedup_window_s, "ledger_s": self._rules.ledger_s}
        rows = await store.rows("seen", digests=call.digests, now=at, **windows)
        ids = other_sides([call], holders(key_rows_of(rows)))
        twins = await read_twins(store, ids)
        ((highest, _),) = await store.rows("highest_ids")
        return foreseen(call, rows, twins, self._rules, highest_id=highest)

    async def orders_since(self, since: float) -> AsyncIterator[list[OrderRow]]:
        """Yield all orders received since a time, Unix seconds: first deliveries, then dropped events."""
        for dropped in (False, True):
            after: int | None = None
            while True:
                page = await self.orders(dropped=dropped, since=since, after=after, limit=_ORDERS_AT_ONCE)
                yield page.rows
                if (after := page.after) is None:
                    break

    @reads
    async def order_ids(self, store: Statements, numbers: Sequence[str]) -> dict[str, list[str]]:
        """Return the ids of orders by their other name, the number if `order_id` is the id.

        Only while their keys are remembered; names without an order are omitted.
        """
        digests = [digest for number in numbers for digest in number_digests(number)]
        return order_ids_of(numbers, await store.rows("seen", digests=digests, **_WHENEVER))

    @reads
    async def order_names(self, store: Statements, digests: Collection[str]) -> list[str]:
        """Return the ids and other names of the orders with these keys (`order_digests`), while remembered."""
        return names_of(await store.rows("seen", digests=sorted(digests), **_WHENEVER))

    @writes
    async def write_audit(self, store: Statements, entry: AuditEntry) -> None:
        """Commit an entry of the audit log."""
        await store.count("write_audit", **_audit_row(replace(entry, at=self._by_store(entry.at))))

    @reads
    async def audit(
        self, store: Statements, *, limit: int, cursor: str | None = None, target: str | None = None
    ) -> AuditPage:
        """Return entries of the audit log, newest first, of one target or of all (`None`).

        An invalid cursor starts at the newest.
        """
        rows = await store.rows("audit", before=search.cursor_id(cursor), limit=limit + 1, target=target)
        entries = [record_of(AuditEntry, row[1:], what=AuditAction(row[4])) for row in rows[:limit]]
        return AuditPage(entries=tuple(entries), next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None)

    @writes
    async def open_session(self, store: Statements, session: Session) -> None:
        """Commit a login."""
        await store.count("open_session", **asdict(replace(session, ends_at=self._by_store(session.ends_at))))

    @reads
    async def session(self, store: Statements, digest: str, *, now: float) -> Session | None:
        """Return the session of a cookie, by its digest; `None` if missing or expired."""
        found = [record_of(Session, row) for row in await store.rows("session", digest=digest)]
        return next((each for each in found if each.ends_at > self._by_store(now)), None)

    @writes
    async def end_session(self, store: Statements, digest: str) -> None:
        """Commit the end of a session. A missing session is no error."""
        await store.count("end_session", digest=digest)

    async def _deliveries(
        self, store: Statements, query: Query, *, limit: int | None = None, ids: PageIds = ALL_IDS
    ) -> list[Delivery]:
        return [delivery_of(row) for row in await store.matching("search", query, limit=limit, **ids.range)]

    async def _dropped(
        self, store: Statements, query: Query, *, limit: int | None = None, ids: PageIds = ALL_IDS
    ) -> list[tuple[int, float, DroppedEvent]]:
        return [_dropped_of(row) for row in await store.matching("search_dropped", query, limit=limit, **ids.range)]

    async def _merged(self, store: Statements, query: Query) -> list[Delivery]:
        """Search for the deliveries into which events of the query's message were merged."""
        dropped = await self._dropped(store, Query(message_id=query.message_id, outcome=Outcome.MERGED))
        asked = search.merged_into(query, dropped)
        return [delivery for each in asked for delivery in await self._deliveries(store, each)]

    async def _whole(self, store: Statements, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return deliveries with their history and, while stored, their payload."""
        ids = [int(each.delivery_id) for each in deliveries]
        more = await self._kept(store, ids) if ids else {}
        whole = []
        for each in deliveries:
            history, payload = more.get(int(each.delivery_id), ((), None))
            attempts = tuple(record_of(Attempt, row, result=Outcome(row[2])) for row in history)
            whole.append(replace(each, history=attempts, payload=payload))
        return whole


async def _first_since(store: Statements, since: float | None) -> int | None:
    """Return the first delivery that was received since a time; `None` if there is none."""
    rows = await store.rows("first_delivery_since", since=since)
    return None if not rows or rows[0][0] is None else int(rows[0][0])


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Read a row of an engine's query `search`."""
    id_, state, warnings, is_held, is_trusted = (row[place] for place in (0, 9, 15, -2, -1))
    return record_of(
        Delivery,
        row,
        delivery_id=str(id_),
        state=State(state),
        warnings=read_warnings(warnings),
        memory=read_memory(warnings) if "{" in warnings else {},
        is_held=bool(is_held),
        is_trusted=bool(is_trusted),
    )


def _dropped_of(row: Sequence[Any]) -> tuple[int, float, DroppedEvent]:
    """Read a row of an engine's query `search_dropped`: its id, the time of the drop, and the event."""
    id_, at, *columns = row
    outcome, warnings, is_trusted, was_enqueued = (columns[place] for place in (3, 5, -2, -1))
    event = record_of(
        DroppedEvent,
        columns,
        outcome=Outcome(outcome),
        warnings=read_warnings(warnings),
        is_trusted=bool(is_trusted),
        was_enqueued=bool(was_enqueued),
    )
    return id_, at, event


def counter_of(row: Sequence[Any]) -> tuple[float, CounterRow]:
    """Read a row of an engine's query `counters`: the start of the step, and its counter."""
    return row[0], record_of(CounterRow, row[1:])


def _revenue_of(row: Sequence[Any]) -> Revenue:
    """Read a row of an engine's query `revenue`."""
    *_, millionths, largest, largest_id = row
    return record_of(
        Revenue,
        row,
        amount=Decimal(millionths) / _MILLION,
        largest=None if largest is None else Decimal(largest) / _MILLION,
        largest_id=None if largest_id is None else str(largest_id),
    )


def _audit_row(entry: AuditEntry) -> dict[str, Any]:
    """Return the parameters of an engine's statement `write_audit`, without U+0000, which some engines cannot store."""
    texts = {
        "who": entry.who,
        "place": entry.place,
        "what": entry.what.value,
        "target": entry.target,
        "was": entry.before,
        "became": entry.after,
    }
    return {"at": entry.at, **{name: kept(text) for name, text in texts.items()}}
