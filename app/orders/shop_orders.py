"""One row of a shop's export, read as an order: its ids as the ledger has them, and its money without a float."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from app.core.values.amounts import Context, currency_code, is_plain_text, read_amount
from app.core.values.flags import read_flag
from app.core.values.order_states import no_purchase_word
from app.core.values.placeholders import says_nothing
from app.core.values.times import unix_seconds
from app.destination.custom_data import read_order_id
from app.orders.shop_exports import ShopColumns

#: Shopify's `gid://shopify/Order/5001`, and the sign before its `#1001`.
_BEFORE_ID: Final = re.compile(r"^(?:gid://shopify/Order/|#)")
_PLAIN_ID: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
#: How a number is written that was no text.
_WHOLE: Final = re.compile(r"([0-9]+)\.0+", re.ASCII)
_NUMBERS: Final = re.compile(r"[0-9]+", re.ASCII)


class ShopOrder(NamedTuple):
    """What a shop says of one order."""

    #: As the shop writes it; one that holds an e-mail address as its digest.
    shown: str
    #: Under which the ledger may have it, see `ledger_key`.
    keys: tuple[str, ...]
    #: None where none can be read.
    amount: Decimal | None
    currency: str | None
    #: Unix seconds.
    at: float | None
    #: Whether the shop still counts it.
    is_purchase: bool = True
    #: Whether the row has an id alone: a further line of its order, as Shopify writes one for each product, or a stub.
    is_bare: bool = False


def ledger_key(order_id: str | None) -> str | None:
    """Return the form in which two ways of writing one order id are equal; None where the text is no order id.

    `#1001` is 1001, and so is `gid://shopify/Order/1001`; the rest is as the rules of order ids have it.

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
    """Yield an order for each row, the texts of `columns.names`; None for one without an id."""
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
    """Return the number of an order by the name that its shop gives it; None where that is not the only one in it."""
    found = _NUMBERS.findall(name or "")
    return found[0] if len(found) == 1 else None


def is_readable(order: ShopOrder, columns: ShopColumns) -> bool:
    """Return whether it can be said what the shop has: its amount, and its currency where a column has such."""
    return order.amount is not None and (order.currency is not None or columns.currency is None)


def _moment(text: str | None) -> float | None:
    return None if text is None else unix_seconds(text)


def _less(texts: Sequence[str | None], currency: str | None) -> Decimal | None:
    """Return the first amount less the others; None where the first cannot be read."""
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
    """Return whether a state says that an order is no purchase: a word, a time of cancelling, or that it is a test."""
    if state is None or says_nothing(state):
        return False
    return no_purchase_word(state) is not None or read_flag(state) is True or _moment(state) is not None
