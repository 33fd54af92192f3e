"""`pinrelay revenue`: what orders were worth, by currency, and what became of them."""

import time
from typing import Annotated, Any

import typer
from rich.table import Table

from app import assemble
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, with_outbox
from app.config import load_settings
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.insights.orders.revenue import ORDERS_BECAME, CurrencyTotals, OrderTotals, read_revenue
from app.outbox import Outbox


def revenue(
    days: Annotated[int, typer.Option(min=1, max=366, help="Number of days (UTC), up to today.")] = 7,
    ad_account_id: Annotated[str | None, typer.Option(help="Only orders for this ad account.")] = None,
    source: Annotated[str | None, typer.Option(help="Only orders from this source.")] = None,
    preset: Annotated[str | None, typer.Option(help="Only orders that this preset took.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the amounts of the last days' orders by currency, and how many of them were sent.

    Example: pinrelay revenue --days 1
    """
    wanted = {"ad_account_id": ad_account_id, "source": source, "preset": preset}
    today = int(time.time() // DAY_S)

    async def read(outbox: Outbox) -> list[CurrencyTotals]:
        await assemble.event_finder(load_settings(), outbox).check(
            Query(ad_account_id=ad_account_id, source=source, preset=preset)
        )
        return await read_revenue(outbox, wanted, first_day=today - days + 1, last_day=today)

    found = with_outbox(read)
    if as_json:
        for each in found:
            print_json(each.as_json())
    elif found:
        _print_all(found)
    else:
        print_line("No orders in these days.")


def _print_all(found: list[CurrencyTotals]) -> None:
    shown = {
        became: words for became, words in ORDERS_BECAME.items() if any(became in each.whole.became for each in found)
    }
    table = Table("currency", "received", *shown.values(), "average")
    for each in found:
        whole = each.whole
        became = [_told(whole.became.get(name, OrderTotals())) for name in shown]
        add_row(table, each.currency or "no currency", _told(whole.received), *became, _average(whole.received))
    print_table(table)
    for each in found:
        trust = each.trust
        if trust.public:
            print_line(
                f"Public orders among the {trust.orders:,} that were sent in {each.currency or 'no currency'}: "
                f"{trust.public:,}. Not confirmed by the shop: {trust.unconfirmed:,} ({trust.share:.0%})."
            )
        for odd in each.odd:
            told = f"{odd.amount} {each.currency} is {odd.times} times the usual amount"
            print_line(f"Delivery {odd.delivery_id}: {told}.")


def _told(worth: OrderTotals) -> str:
    return f"{worth.amount:,} ({worth.orders:,})" if worth.orders else "0"


def _average(worth: OrderTotals) -> Any:
    return "" if worth.average is None else f"{worth.average:,}"
