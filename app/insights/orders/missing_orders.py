"""Orders that were never received, made into events of the rows that the shop's file has of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from app.core.events import Event
from app.core.values.flags import flag_is_given, read_flag
from app.insights.orders.shop_orders import ShopColumns, ShopOrder, ledger_key, read_orders
from app.insights.orders.verdicts import OrderFate, OrderVerdict
from app.warehouse import RowTable

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
