"""The shop's orders laid beside the ledger: both are streamed into DuckDB, which joins what no memory holds.

Orders that were never received can be made into events of the rows that the shop's file has of them.
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

#: What came before the first order of a file may be its event, sent by a clock that is off.
_BEFORE_S: Final = DAY_S
#: Of the join, whose rest lies on disk; a second thread would need as much again.
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
#: Their keys stay: what the ledger has of them is not unknown to the shop.
_OUTSIDE: Final = "DELETE FROM shop WHERE made_at < ? OR made_at >= ?"
#: What has an id alone and is no further line of an order.
_STUBS: Final = "SELECT count(DISTINCT shown) FROM bare ANTI JOIN shop USING (shown)"
_NUMBERS_AND_IDS: Final = """
SELECT (SELECT count(DISTINCT name) FROM number),
       (SELECT count(DISTINCT key) FROM shop_key SEMI JOIN ledger USING (key))
"""
_RENAME: Final = "UPDATE ledger SET key = number.name FROM number WHERE ledger.key = number.id"
_IS_NEW: Final = "NOT EXISTS (SELECT 1 FROM ledger AS other WHERE other.key = number.name)"
_FIRSTS: Final = "CREATE TABLE first_row AS SELECT min(row) AS row FROM shop GROUP BY shown"
#: Which of the shop's columns of ids the ledger has them by, mostly.
_BEST_PLACE: Final = """
SELECT place FROM shop_key SEMI JOIN ledger USING (key) GROUP BY place ORDER BY count(*) DESC, place LIMIT 1
"""
#: An id of another column counts only where it is no order's id in that one. What is joined is kept, and sorted later:
#: as one query it would need all of it in memory.
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
    """Which part of the ledger and of the shop's orders is compared; None: all of it."""

    source: str | None = None
    ad_account_id: str | None = None
    #: The shop's orders made from then on, and before then; Unix seconds. Those without a time are compared always.
    since: float | None = None
    until: float | None = None

    def has(self, row: OrderRow) -> bool:
        """Return whether a row is in it; a note that reached no ad account may be of any."""
        return (self.source is None or row.source == self.source) and (
            self.ad_account_id is None or row.ad_account_id in (None, self.ad_account_id)
        )


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """What a comparison of the shop's orders with the ledger found."""

    columns: ShopColumns
    sums: OrderSums = field(default_factory=OrderSums)
    #: By which of an order's `keys` the ledger knows most of them.
    place: int = 0
    #: As the file has them, with further lines of one order.
    rows: int = 0
    #: Rows without an id of an order, and rows of orders that came before in the file.
    without_id: int = 0
    repeated: int = 0
    #: Orders of which the file has the id alone, without an amount and a time. Further lines of an order do not count.
    stubs: int = 0
    #: Orders whose amount, currency or time cannot be read.
    unreadable: int = 0

    def json(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
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
    """Return where each order of a shop's file, or of a query, went: see `open_rows` and `columns_of_shop`.

    `on_verdict` is told of each, in the order of the file. What the ledger has begins at `ledger_begins`, Unix seconds.
    A file that `is_strange` is read by a process of its own, since it may be made to crash what reads it.
    What does not fit into memory lies in a folder of its own meanwhile. Raises WarehouseError, OutboxUnavailable, and
    SettingsError where the extra that reads it is not installed.
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
    """Return why nothing can be compared: to say that none of no orders is missing would pass for good news."""
    if not found.rows:
        return "it has no row, only columns: export the orders anew, of a time in which there were some"
    return (
        f'none of its {found.rows:,} rows has an id of an order in "{found.columns.order_ids[0]}": name another column'
    )


async def _apart(work: Callable[..., _Done], *given: Any) -> _Done:
    """Return what `work` returns, done in a thread.

    Whoever cancels this waits for the end of the work, since what it works with is closed then.
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
    """Let the ledger have orders by the name that the shop's file has: the number of an order instead of its id.

    Where the file has more numbers of sent orders than ids, all its names are numbers.
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


#: Of more than these nobody says that each is wanted: the source is broken, and is mended first.
MOST_MISSING: Final = 100_000
#: So Segment names it, and the shipped presets take it.
_EVENT: Final = "Order Completed"
_BILLING: Final = "billing_"
#: Why an order is not sent though it is missing.
NO_PERMISSION: Final = "no permission: the consent column does not say yes"
TOO_OLD: Final = "older than Pinterest takes events, or its time cannot be read"
NOT_AGAIN: Final = "not found when the rows were read again: they have changed, or its id is no text"


@dataclass(slots=True)
class MissingOrders:
    """The ids of orders that were never received, as the shop writes them."""

    ids: set[str] = field(default_factory=set)

    def note(self, verdict: OrderVerdict) -> None:
        """Take note of an order, if it is one of them. Of very many only the first are noted."""
        if verdict.fate is OrderFate.NEVER_RECEIVED and len(self.ids) < MOST_MISSING:
            self.ids.add(verdict.order_id)


def orders_permitted(table: RowTable, columns: ShopColumns, wanted: Collection[str], consent: str) -> set[str]:
    """Return those of the wanted orders of which a row says yes in this column, and none says anything else.

    However an order is written, it is one: what is said of `1001` is said of `#1001`.

    Raises WarehouseError where there is no such column.
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
    """Yield id, event and "" for each wanted order of rows of JSON; None and why for one that may not be sent.

    Each is sent by the id in this `place` of its keys, so that it is known again when its own event comes late.
    `permitted` are the orders whose buyers said yes; None: nobody needs to be asked. `oldest` is Unix seconds.
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
    """Return a row as an order of Segment's: what of the buyer it names is where the defaults look for it."""
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
