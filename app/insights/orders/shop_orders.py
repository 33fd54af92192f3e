"""Read the rows of a shop's export as orders: its columns, ids and money without floats."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple

from app.core.values.amounts import Context, currency_code, is_plain_text, read_amount
from app.core.values.placeholders import read_flag, says_nothing
from app.core.values.times import unix_seconds
from app.destination.custom_data import read_order_id
from app.errors import ColumnsUnknown, WarehouseError
from app.source.withholding import no_purchase_word

_CODE: Final = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopColumns:
    """The columns to read; all other columns of a file are ignored."""

    #: Each column may have the id of the sent order.
    order_ids: tuple[str, ...]
    #: The amount is the first column minus the others.
    amounts: tuple[str, ...]
    #: `None` if `currency_code` applies to all orders, or the currency is unknown.
    currency: str | None = None
    currency_code: str | None = None
    #: `None`: no results by day, and the whole ledger is compared.
    time: str | None = None
    #: The columns with a cancelled state: words, or a time of cancelling.
    states: tuple[str, ...] = ()
    #: The first id is a name with possible words around the sent order number: `PG1001` is 1001.
    has_numbers_in_names: bool = False
    #: The kind of export, for people.
    kind: str = "columns as named"

    @property
    def names(self) -> list[str | None]:
        """Return all columns, in the order of the texts for `read_orders`; `None` for a column that does not exist."""
        return [*self.order_ids, *self.amounts, self.currency, self.time, *self.states]


_EXPORTS: Final = (
    ShopColumns(
        kind="Shopify's export",
        order_ids=("Name", "Id"),
        has_numbers_in_names=True,
        amounts=("Subtotal",),
        currency="Currency",
        time="Created at",
        states=("Financial Status", "Cancelled at"),
    ),
    ShopColumns(
        kind="Shopify's REST API",
        order_ids=("name", "order_number", "id"),
        has_numbers_in_names=True,
        amounts=("subtotal_price",),
        currency="currency",
        time="created_at",
        states=("financial_status", "cancelled_at", "test"),
    ),
    ShopColumns(
        kind="WooCommerce's REST API",
        order_ids=("number", "id"),
        amounts=("total", "total_tax", "shipping_total"),
        currency="currency",
        time="date_created_gmt",
        states=("status",),
    ),
    ShopColumns(
        kind="WooCommerce's export of Analytics > Orders",
        order_ids=("Order #",),
        amounts=("N. Revenue",),
        time="Date",
        states=("Status",),
    ),
)


def columns_of_shop(
    columns: Sequence[str],
    *,
    order_id: str | None = None,
    total: str | None = None,
    currency: str | None = None,
    time: str | None = None,
) -> ShopColumns:
    """Return the columns to read: the given names, and the rest from the known export.

    `currency` may also be an ISO 4217 code for all orders. Raises WarehouseError if a column is missing, or if the
    export is unknown and id and total are not both given.
    """
    known = next((each for each in _EXPORTS if _is_of(each, columns)), None)
    if known is None and (order_id is None or total is None):
        raise ColumnsUnknown(columns)
    found = known or ShopColumns(order_ids=(), amounts=())
    is_code = currency is not None and currency not in columns and _CODE.fullmatch(currency) is not None
    found = replace(
        found,
        order_ids=found.order_ids if order_id is None else (order_id,),
        has_numbers_in_names=found.has_numbers_in_names and order_id is None,
        amounts=found.amounts if total is None else (total,),
        currency=None if is_code else currency or found.currency,
        currency_code=currency if is_code else None,
        time=time or found.time,
    )
    named = (*found.order_ids[:1], *found.amounts, *filter(None, (currency if not is_code else None, time)))
    found = replace(
        found,
        order_ids=tuple(name for name in found.order_ids if name in columns) or found.order_ids,
        states=tuple(name for name in found.states if name in columns),
    )
    if missing := [name for name in named if name not in columns]:
        raise WarehouseError(f'there is no column "{missing[0]}"; there are: {", ".join(columns)}')
    return found


def _is_of(export: ShopColumns, columns: Collection[str]) -> bool:
    return all(name in columns for name in (export.order_ids[0], *export.amounts, *export.states[:1]))


#: Shopify's `gid://shopify/Order/5001`, and the sign before its `#1001`.
_BEFORE_ID: Final = re.compile(r"^(?:gid://shopify/Order/|#)")
_PLAIN_ID: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
#: The text of a number that was not stored as text.
_WHOLE: Final = re.compile(r"([0-9]+)\.0+", re.ASCII)
_NUMBERS: Final = re.compile(r"[0-9]+", re.ASCII)


class ShopOrder(NamedTuple):
    """The shop's data about an order."""

    #: In the shop's notation; an id with an e-mail address is replaced with its digest.
    shown: str
    #: Possible ids in the ledger, see `ledger_key`.
    keys: tuple[str, ...]
    #: `None` if it is unreadable.
    amount: Decimal | None
    currency: str | None
    #: Unix seconds.
    at: float | None
    #: Whether the shop still counts it as a sale.
    is_purchase: bool = True
    #: Whether the row has only an id: an additional line of its order (Shopify writes a line for each product), or a
    #: stub.
    is_bare: bool = False


def ledger_key(order_id: str | None) -> str | None:
    """Return the canonical form of an order id; `None` if the text is not an order id.

    `#1001` and `gid://shopify/Order/1001` are 1001; other ids follow the rules of order ids.

    >>> ledger_key(" #1001 "), ledger_key("gid://shopify/Order/1001"), ledger_key("n/a")
    ('1001', '1001', None)
    """
    if order_id is None:
        return None
    bare = _BEFORE_ID.sub("", order_id.strip())
    if whole := _WHOLE.fullmatch(bare):
        bare = whole[1]
    return bare if _PLAIN_ID.fullmatch(bare) and bare.strip("0") else read_order_id(bare)


def read_orders(rows: Sequence[Sequence[str | None]], columns: ShopColumns) -> Iterator[ShopOrder | None]:
    """Yield an order for each row, the texts of `columns.names`; `None` for a row without an id."""
    ids, amounts = len(columns.order_ids), len(columns.order_ids) + len(columns.amounts)
    for row in rows:
        money, (currency, time, *states) = row[ids:amounts], row[amounts:]
        told = [_number_in(row[0]), *row[:ids]] if columns.has_numbers_in_names else row[:ids]
        keys = tuple(dict.fromkeys(key for text in told if (key := ledger_key(text))))
        if not keys:
            yield None
            continue
        code = columns.currency_code or currency_code(currency)
        yield ShopOrder(
            shown=read_order_id(row[0]) or keys[0],
            keys=keys,
            amount=_less(money, code),
            currency=code,
            at=_moment(time),
            is_purchase=not any(map(_came_to_nothing, states)),
            is_bare=money[0] is None and time is None and columns.time is not None,
        )


def _number_in(name: str | None) -> str | None:
    """Return the only number in an order's name; `None` if there are none or several."""
    found = _NUMBERS.findall(name or "")
    return found[0] if len(found) == 1 else None


def is_readable(order: ShopOrder, columns: ShopColumns) -> bool:
    """Return whether the shop's amount is readable, and its currency if a column has one."""
    return order.amount is not None and (order.currency is not None or columns.currency is None)


def _moment(text: str | None) -> float | None:
    return None if text is None else unix_seconds(text)


def _less(texts: Sequence[str | None], currency: str | None) -> Decimal | None:
    """Return the first amount minus the others; `None` if the first is unreadable."""
    first, *others = (_amount(text, currency) for text in texts)
    return None if first is None else first - sum(each for each in others if each is not None)


def _amount(text: str | None, currency: str | None) -> Decimal | None:
    if text is None:
        return None
    if is_plain_text(text):  # nearly every amount
        return Decimal(text)
    read = read_amount(text, Context(currency=currency))
    return None if read is None else Decimal(read.number)


def _came_to_nothing(state: str | None) -> bool:
    """Return whether a state shows that an order is no sale: a word, a time of cancelling, or a test flag."""
    if state is None or says_nothing(state):
        return False
    return no_purchase_word(state) is not None or read_flag(state) is True or _moment(state) is not None
