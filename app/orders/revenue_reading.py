"""What orders are worth, read from the ledger: for the console, programs and commands."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol

from app.core.pages import Page, Query, Revenue
from app.core.values.times import DAY_S
from app.orders.revenue_figures import OfCurrency, by_currency, first_day_read

#: What orders usually are worth is told by so many, the newest; and of so many currencies.
_SAMPLED: Final = 100
_JUDGED: Final = 4


class RevenueOutbox(Protocol):
    """What is asked of the outbox."""

    async def revenue(self, *, first_day: int, last_day: int) -> list[Revenue]:
        """Do `Outbox.revenue`."""
        ...

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        """Do `Outbox.search`."""
        ...


async def read_revenue(
    outbox: RevenueOutbox, wanted: Mapping[str, str | None], *, first_day: int, last_day: int
) -> list[OfCurrency]:
    """Return the figures of some days (UTC, counted from 1970) by currency, that with the most orders first.

    `wanted` narrows them by `ad_account_id`, `source` and `preset`; None means any. Raises OutboxUnavailable.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    rows = await outbox.revenue(first_day=first_day_read(first_day, last_day), last_day=last_day)
    meant = [row for row in rows if all(getattr(row, name) == value for name, value in asked.items())]
    figures = by_currency(meant, first_day=first_day, last_day=last_day)
    since, until = first_day * DAY_S, (last_day + 1) * DAY_S
    query = Query(
        event_name="checkout",
        since=since,
        until=until,
        ad_account_id=asked.get("ad_account_id"),
        source=asked.get("source"),
        preset=asked.get("preset"),
    )
    judged = [
        each.judged_by(await _amounts(outbox, replace(query, currency=each.currency))) if each.currency else each
        for each in figures[:_JUDGED]
    ]
    return judged + figures[_JUDGED:]


async def _amounts(outbox: RevenueOutbox, query: Query) -> list[Decimal]:
    """Return the amounts of the newest orders that a query means, without those that name none."""
    page = await outbox.search(query, limit=_SAMPLED)
    return [amount for each in page.deliveries if each.amount and (amount := _read(each.amount)) is not None]


def _read(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None
