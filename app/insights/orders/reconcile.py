"""Compare the shop's orders with the ledger in DuckDB.

Both are streamed into DuckDB, which joins more data than fits into memory. Orders that were never received can be
converted to events from the rows in the shop's file.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final, TypeVar

import orjson

from app.core.events import Event
from app.core.values.placeholders import flag_is_given, read_flag
from app.core.values.times import DAY_S
from app.errors import WarehouseError
from app.insights.orders.shop_orders import (
    ShopColumns,
    ShopOrder,
    columns_of_shop,
    is_readable,
    ledger_key,
    read_orders,
)
from app.insights.orders.verdicts import OrderFate, OrderSums, OrderVerdict, judge_order, judge_unknown
from app.outbox import Outbox
from app.outbox.search import OrderRow
from app.warehouse import RowTable, TextTable, append_rows, open_duck, open_rows, temporary_folder
from app.warehouse.reader_process import open_rows_in_process

#: Data from before the first order of a file may belong to it, if the sender's clock was wrong.
_BEFORE_S: Final = DAY_S
#: Settings of the join, which uses the disk; a second thread would double the memory.
_LITTLE: Final[Mapping[str, str | int]] = {"memory_limit": "96MB", "threads": 1, "preserve_insertion_order": False}
_Done = TypeVar("_Done")
_AT_ONCE: Final = 10_000
_TEXTS: Final = ("order_id", "outcome", "reason", "amount", "currency", "preset", "source", "ad_account_id", "channel")
_TABLES: Final = {
    "shop": {
        "row": "BIGINT",
        "shown": "VARCHAR",
        "amount": "VARCHAR",
        "currency": "VARCHAR",
        "made_at": "DOUBLE",
        "is_purchase": "BOOLEAN",
    },
    "bare": {"shown": "VARCHAR"},
    "shop_key": {"row": "BIGINT", "place": "INTEGER", "key": "VARCHAR"},
    "number": {"name": "VARCHAR", "id": "VARCHAR"},
    "ledger": {"key": "VARCHAR", **dict.fromkeys(_TEXTS, "VARCHAR"), "made_at": "DOUBLE"},
}
_LEDGER: Final = ", ".join((*_TEXTS, "made_at"))
#: Their keys stay, so that the ledger's orders are not reported as unknown to the shop.
_OUTSIDE: Final = "DELETE FROM shop WHERE made_at < ? OR made_at >= ?"
#: Rows with only an id that are not additional lines of an order.
_STUBS: Final = "SELECT count(DISTINCT shown) FROM bare ANTI JOIN shop USING (shown)"
_NUMBERS_AND_IDS: Final = """
SELECT (SELECT count(DISTINCT name) FROM number),
       (SELECT count(DISTINCT key) FROM shop_key SEMI JOIN ledger USING (key))
"""
_RENAME: Final = "UPDATE ledger SET key = number.name FROM number WHERE ledger.key = number.id"
_IS_NEW: Final = "NOT EXISTS (SELECT 1 FROM ledger AS other WHERE other.key = number.name)"
_FIRSTS: Final = "CREATE TABLE first_row AS SELECT min(row) AS row FROM shop GROUP BY shown"
#: The column of ids in the shop's file that matches the ledger most often.
_BEST_PLACE: Final = """
SELECT place FROM shop_key SEMI JOIN ledger USING (key) GROUP BY place ORDER BY count(*) DESC, place LIMIT 1
"""
#: An id of another column counts only if it is not an order id in that column. The joined rows are stored, and sorted
#: later: a single query would need all of them in memory.
_MEANT: Final = """
CREATE TABLE meant AS
SELECT row, key FROM shop_key SEMI JOIN first_row USING (row) WHERE place = $place
UNION ALL
SELECT row, key FROM shop_key AS other SEMI JOIN first_row USING (row) WHERE place <> $place
  AND NOT EXISTS (SELECT 1 FROM shop_key AS same WHERE same.place = $place AND same.key = other.key)
"""
_FOUND: Final = f"CREATE TABLE found AS SELECT row, {_LEDGER} FROM meant JOIN ledger USING (key)"  # noqa: S608
_SHOP_IN_ORDER: Final = "SELECT * FROM shop SEMI JOIN first_row USING (row) ORDER BY row"
_FOUND_IN_ORDER: Final = "SELECT * FROM found ORDER BY row"
_UNKNOWN: Final = f"""
SELECT {_LEDGER} FROM ledger
WHERE outcome = 'delivered' AND made_at BETWEEN $first AND $last
  AND (key IS NULL OR NOT EXISTS (SELECT 1 FROM shop_key WHERE shop_key.key = ledger.key))
"""  # noqa: S608 - of constants


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPart:
    """The compared part of the ledger and of the shop's orders; `None`: everything."""

    source: str | None = None
    ad_account_id: str | None = None
    #: Orders from this time on, and before this time; Unix seconds. Orders without a time are always compared.
    since: float | None = None
    until: float | None = None

    def has(self, row: OrderRow) -> bool:
        """Return whether a row is in the part; a note without an ad account may belong to any."""
        return (self.source is None or row.source == self.source) and (
            self.ad_account_id is None or row.ad_account_id in (None, self.ad_account_id)
        )


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """The result of a comparison of the shop's orders with the ledger."""

    columns: ShopColumns
    sums: OrderSums = field(default_factory=OrderSums)
    #: The position in an order's `keys` that the ledger knows most often.
    place: int = 0
    #: Rows of the file, including additional lines of an order.
    rows: int = 0
    #: Rows without an order id, and rows of orders that occurred earlier in the file.
    without_id: int = 0
    repeated: int = 0
    #: Orders with only an id in the file, without an amount and a time. Additional lines of an order do not count.
    stubs: int = 0
    #: Orders with an unreadable amount, currency or time.
    unreadable: int = 0

    def json(self) -> dict[str, Any]:
        """Return the result for JSON."""
        counts = {"rows": self.rows, "rows_without_id": self.without_id, "rows_repeated": self.repeated}
        unread = {"ids_alone": self.stubs, "orders_unreadable": self.unreadable}
        return {"file": self.columns.kind, **counts, **unread, **self.sums.json()}


async def reconciled(
    outbox: Outbox,
    where: str,
    *,
    query: str | None = None,
    named: Mapping[str, str | None] = MappingProxyType({}),
    part: LedgerPart = LedgerPart(),
    ledger_begins: float,
    on_verdict: Callable[[OrderVerdict], object] = lambda _: None,
    is_strange: bool = False,
) -> Reconciliation:
    """Return the state of each order in a shop's file, or in a query: see `open_rows` and `columns_of_shop`.

    `on_verdict` is called with each result, in the order of the file. The ledger begins at `ledger_begins`, Unix
    seconds. A file with `is_strange` is read in a separate process, because a crafted file may crash the reader.
    Temporary data is in a separate folder. Raises WarehouseError, OutboxUnavailable, and SettingsError if the required
    extra is not installed.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        rows = folder / "rows"
        opened = open_rows_in_process(where, rows) if is_strange else open_rows(where, rows, query=query)
        table: TextTable = await _apart(stack.enter_context, opened)
        columns = columns_of_shop(table.columns, **named)
        duck = await _apart(stack.enter_context, open_duck(folder / "join", only=folder / "join", config=_LITTLE))
        found = Reconciliation(columns=columns)
        await _apart(_load_shop, duck, table, found, part)
        if found.rows == found.without_id:
            raise WarehouseError(_no_orders(found))
        ((first, last),) = duck.execute("SELECT min(made_at), max(made_at) FROM shop").fetchall()
        if first is None or columns.time is None:
            first, last = part.since or ledger_begins, part.until or math.inf
        async for known in outbox.orders_since(first - _BEFORE_S):
            await _apart(_load_ledger, duck, known, part)
        await _name_as_the_shop(duck, outbox)
        await _apart(_judge_all, duck, found, ledger_begins, (first, last), on_verdict)
        return found


def _no_orders(found: Reconciliation) -> str:
    """Return why there is no order to compare: a result without missing orders would be misleading."""
    if not found.rows:
        return "it has no row, only columns: export the orders anew, of a time in which there were some"
    return (
        f'none of its {found.rows:,} rows has an id of an order in "{found.columns.order_ids[0]}": name another column'
    )


async def _apart(work: Callable[..., _Done], *given: Any) -> _Done:
    """Run `work` in a thread and return its result.

    A cancellation waits for the end of the thread, because the resources of the work are closed afterwards.
    """
    done = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.gather(done, return_exceptions=True)
        raise


def _load_ledger(duck: Any, rows: Sequence[OrderRow], part: LedgerPart) -> None:
    kept = [(ledger_key(row.order_id), *row) for row in rows if part.has(row)]
    append_rows(duck, "ledger", _TABLES["ledger"], kept)


async def _name_as_the_shop(duck: Any, outbox: Outbox) -> None:
    """Match orders of the ledger by the name in the shop's file: the number of an order instead of its id.

    If the file matches more numbers of sent orders than ids, all its names are numbers.
    """
    asked = await _apart(duck.cursor().execute, "SELECT key FROM shop_key")
    while names := await _apart(asked.fetchmany, _AT_ONCE):
        known = await outbox.order_ids([name for (name,) in names])
        pairs = [(name, ledger_key(ids[0])) for name, ids in known.items() if len(ids) == 1]
        await _apart(append_rows, duck, "number", _TABLES["number"], pairs)
    ((numbers, ids),) = await _apart(lambda: duck.execute(_NUMBERS_AND_IDS).fetchall())
    if numbers:
        await _apart(lambda: duck.execute(_RENAME if numbers > ids else f"{_RENAME} AND {_IS_NEW}").fetchall())


def _load_shop(duck: Any, table: TextTable, found: Reconciliation, part: LedgerPart) -> None:
    for name, columns in _TABLES.items():
        duck.execute(f"CREATE TABLE {name} ({', '.join(' '.join(each) for each in columns.items())})").fetchall()
    number, last = 0, ""
    for rows in table.texts(found.columns.names):
        found.rows += len(rows)
        orders: list[tuple[Any, ...]] = []
        keys: list[tuple[Any, ...]] = []
        bare: list[tuple[Any, ...]] = []
        for order in read_orders(rows, found.columns):
            if order is None:
                found.without_id += 1
                continue
            if order.is_bare:
                bare += [(order.shown,)] if order.shown != last else []
                continue
            number, last = number + 1, order.shown
            amount = None if order.amount is None else str(order.amount)
            found.unreadable += not (is_readable(order, found.columns) and (order.at or not found.columns.time))
            orders.append((number, order.shown, amount, order.currency, order.at, order.is_purchase))
            keys += [(number, place, key) for place, key in enumerate(order.keys)]
        append_rows(duck, "shop", _TABLES["shop"], orders)
        append_rows(duck, "shop_key", _TABLES["shop_key"], keys)
        append_rows(duck, "bare", _TABLES["bare"], bare)
    ((found.stubs,),) = duck.execute(_STUBS).fetchall()
    if part.since is not None or part.until is not None:
        duck.execute(_OUTSIDE, [part.since, part.until]).fetchall()
    duck.execute(_FIRSTS)
    ((repeated,),) = duck.execute("SELECT (SELECT count(*) FROM shop) - (SELECT count(*) FROM first_row)").fetchall()
    found.repeated = repeated


def _judge_all(
    duck: Any,
    found: Reconciliation,
    ledger_begins: float,
    period: tuple[float, float],
    on_verdict: Callable[[OrderVerdict], object],
) -> None:
    found.place = next(iter(duck.execute(_BEST_PLACE).fetchall()), (0,))[0]
    duck.execute(_MEANT, {"place": found.place}).fetchall()
    duck.execute(_FOUND).fetchall()
    of_ledger = groupby(_rows(duck.cursor().execute(_FOUND_IN_ORDER)), key=itemgetter(0))
    row, group = next(of_ledger, (0, iter(())))
    for number, *told in _rows(duck.cursor().execute(_SHOP_IN_ORDER)):
        known: list[OrderRow] = []
        if number == row:
            known = [OrderRow._make(each[1:]) for each in group]
            row, group = next(of_ledger, (0, iter(())))
        order = _order_of(told)
        readable = is_readable(order, found.columns)
        verdict = judge_order(order, known, ledger_begins=ledger_begins, is_readable=readable)
        found.sums.add(verdict)
        on_verdict(verdict)
    first, last = period
    for row in _rows(duck.execute(_UNKNOWN, {"first": first, "last": last})):
        verdict = judge_unknown(OrderRow._make(row))
        found.sums.add(verdict)
        on_verdict(verdict)


def _order_of(row: Sequence[Any]) -> ShopOrder:
    shown, amount, currency, at, is_purchase = row
    amount = None if amount is None else Decimal(amount)
    return ShopOrder(shown=shown, keys=(), amount=amount, currency=currency, at=at, is_purchase=is_purchase)


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while some := cursor.fetchmany(_AT_ONCE):
        yield from some


#: More missing orders are not processed: the source has a fault that must be fixed first.
MOST_MISSING: Final = 100_000
#: Segment's name of the event, which the shipped presets match.
_EVENT: Final = "Order Completed"
_BILLING: Final = "billing_"
#: The reason for not sending a missing order.
NO_PERMISSION: Final = "no permission: the consent column does not say yes"
TOO_OLD: Final = "older than Pinterest takes events, or its time cannot be read"
NOT_AGAIN: Final = "not found when the rows were read again: they have changed, or its id is no text"


@dataclass(slots=True)
class MissingOrders:
    """The ids of orders that were never received, in the shop's notation."""

    ids: set[str] = field(default_factory=set)

    def note(self, verdict: OrderVerdict) -> None:
        """Record an order if it was never received. Only the first of very many are recorded."""
        if verdict.fate is OrderFate.NEVER_RECEIVED and len(self.ids) < MOST_MISSING:
            self.ids.add(verdict.order_id)


def orders_permitted(table: RowTable, columns: ShopColumns, wanted: Collection[str], consent: str) -> set[str]:
    """Return the wanted orders with an opt-in in the consent column, and without any other value.

    Notations of an order are equivalent: a value for `1001` applies to `#1001`.

    Raises WarehouseError if the column does not exist.
    """
    keys = {ledger_key(order) for order in wanted}
    yes: set[str | None] = set()
    other: set[str | None] = set()
    for rows in table.texts([columns.order_ids[0], consent]):
        for text, said in rows:
            key = ledger_key(text)
            if key in keys and flag_is_given(said):
                (yes if read_flag(said) is True else other).add(key)
    return {order for order in wanted if ledger_key(order) in yes - other}


def missing_events(
    rows: Iterable[str],
    columns: ShopColumns,
    wanted: Collection[str],
    *,
    place: int,
    permitted: Collection[str] | None,
    oldest: float,
) -> Iterator[tuple[str, Event | None, str]]:
    """Yield id, event and "" for each wanted order; `None` and the reason for an order that may not be sent.

    `rows` are JSON. Each event has the id at the position `place` of its keys, so that its own late event is recognised
    as a duplicate. `permitted` are the orders with an opt-in of the buyer; `None`: no opt-in is required. `oldest` is
    Unix seconds.
    """
    for text in rows:
        row: dict[str, Any] = orjson.loads(text)
        texts = [[None if (value := row.get(name or "")) is None else str(value) for name in columns.names]]
        for order in read_orders(texts, columns):
            if order is None or order.is_bare or order.shown not in wanted or not order.is_purchase:
                continue
            if permitted is not None and order.shown not in permitted:
                yield order.shown, None, NO_PERMISSION
            elif order.at is None or order.at < oldest:
                yield order.shown, None, TOO_OLD
            else:
                yield order.shown, _event(row, order, order.keys[place if place < len(order.keys) else 0]), ""


def _event(row: Mapping[str, Any], order: ShopOrder, order_id: str) -> Event:
    """Return a row as an order event of Segment, with the buyer's data in the places that the defaults read."""
    named = {name.lower().replace(" ", "_"): value for name, value in row.items()}
    billing = {name.removeprefix(_BILLING): value for name, value in named.items() if name.startswith(_BILLING)}
    properties = {**named, "order_id": order_id}
    if billing:
        properties["billing"] = {**billing, "state": billing.get("province")}
    if order.amount is not None:
        properties["revenue"] = str(order.amount)
    if order.currency is not None:
        properties["currency"] = order.currency
    return {
        "type": "track",
        "event": _EVENT,
        "messageId": f"reconcile-{order_id}",
        "timestamp": datetime.fromtimestamp(order.at or 0, UTC).isoformat(),
        "properties": properties,
    }
