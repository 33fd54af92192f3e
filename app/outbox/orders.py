"""The orders of the ledger: what became of each, as a stream that takes no more memory for more of them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

_ROWS_AT_ONCE: Final = 10_000


class OrderRow(NamedTuple):
    """One delivery of a checkout, or one dropped event of an order."""

    #: As it is sent; None where the checkout named none.
    order_id: str | None
    #: A `State` of a delivery, an `Exit` of a dropped event.
    exit: str
    #: "" where there is nothing to say.
    reason: str
    #: As sent, or as they would be; None where unknown.
    amount: str | None
    currency: str | None
    #: None where the event reached none.
    preset: str | None
    source: str
    #: None where the event reached none.
    ad_account_id: str | None
    #: Of a delivery: when the order was made. Of a dropped event: when it was received. Unix seconds.
    at: float


class OrderPage(NamedTuple):
    """Some orders of the ledger, the oldest first."""

    rows: list[OrderRow]
    #: Leads to the next ones; None where these were the last.
    after: int | None


class PagesOrders(Protocol):
    """The part of the outbox that knows orders. May raise OutboxUnavailable."""

    async def orders(self, *, dropped: bool, since: float, after: int | None = None, limit: int) -> OrderPage: ...

    async def order_ids(self, numbers: Sequence[str]) -> dict[str, list[str]]: ...


async def orders_since(outbox: PagesOrders, since: float) -> AsyncIterator[list[OrderRow]]:
    """Yield all orders received since a moment, Unix seconds: first deliveries, then dropped events."""
    for dropped in (False, True):
        after: int | None = None
        while True:
            page = await outbox.orders(dropped=dropped, since=since, after=after, limit=_ROWS_AT_ONCE)
            yield page.rows
            if (after := page.after) is None:
                break


def order_page(rows: Sequence[Sequence[Any]], limit: int) -> OrderPage:
    """Read rows of an engine's query `orders` or `dropped_orders`: an id, and the order."""
    after = rows[-1][0] if len(rows) == limit else None
    return OrderPage([OrderRow._make(row[1:]) for row in rows], after)


def order_spellings(name: str) -> tuple[str, ...]:
    """Return a name as it is, without and with the sign that shops write before numbers.

    >>> order_spellings("#1001"), order_spellings("1001.0"), order_spellings(" SO-7 ")
    (('#1001', '1001'), ('1001.0', '1001', '#1001'), ('SO-7', '#SO-7'))
    """
    name = name.strip()
    bare = name.removeprefix("#").lstrip()
    whole = bare.removesuffix(".0")
    bare = whole if whole.isdecimal() else bare
    return tuple(dict.fromkeys(each for each in (name, bare, f"#{bare}") if each not in ("", "#")))
