"""The tables of `pinrelay orders revenue`."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rich.table import Table

from app.commands.terminal import add_row, print_line, print_table
from app.insights.orders.revenue import ORDERS_BECAME
from app.operations.orders import CurrencyRevenue, RevenueLine, Worth


def print_revenue(found: Sequence[CurrencyRevenue]) -> None:
    """Print the amounts by currency and by channel, and unusual orders."""
    if not found:
        print_line("No orders in these days.")
        return
    shown = {became: words for became, words in ORDERS_BECAME.items() if any(became in each.became for each in found)}
    whole, by_channel = (
        Table(*head, "received", *shown.values(), "average") for head in (["currency"], ["channel", "currency"])
    )
    for each in found:
        currency = each.currency or "no currency"
        add_row(whole, currency, *_row(each, shown))
        for line in each.by["channel"]:
            add_row(by_channel, line.name or "none stated", currency, *_row(line, shown))
    print_table(whole)
    print_table(by_channel)
    for each in found:
        trust = each.trust
        if trust.public:
            share = trust.unconfirmed / trust.orders
            print_line(
                f"Public orders among the {trust.orders:,} that were sent in {each.currency or 'no currency'}: "
                f"{trust.public:,}. Not confirmed by the shop: {trust.unconfirmed:,} ({share:.0%})."
            )
        for odd in each.odd:
            text = f"{odd.amount} {each.currency} is {odd.times} times the usual amount"
            print_line(f"Delivery {odd.delivery_id}: {text}.")


def _row(line: CurrencyRevenue | RevenueLine, shown: Iterable[str]) -> list[str]:
    return [_worth(line.received), *(_worth(line.became.get(name)) for name in shown), _amount(line.received.average)]


def _worth(worth: Worth | None) -> str:
    return f"{_amount(worth.amount)} ({worth.orders:,})" if worth and worth.orders else "0"


def _amount(text: str | None) -> str:
    return "" if text is None else f"{Decimal(text):,}"
