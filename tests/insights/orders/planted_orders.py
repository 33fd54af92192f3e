"""A shop of ten thousand orders, of which some are lost in every way there is, and what is known of each.

It knows nothing of the code that compares: it sends events, settles deliveries, and writes the file that Shopify would.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.core.deliveries import State, Withdrawal
from app.core.pages import Query
from app.outbox import Outbox
from app.pipeline.pipeline import Pipeline
from app.source import Intake
from tests.outbox.build import ACCOUNT, NOW, At

PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
CURRENCIES = ("EUR", "USD", "JPY")
#: What happens to an order -> what is to be said of it, and of which part of its reason.
KINDS = {
    "fine": ("sent", ""),
    "other amount": ("sent with another amount", ""),
    "other currency": ("sent with another currency", ""),
    "no consent": ("withheld", "consent: category ads is not granted"),
    "nobody": ("invalid", "user_data needs at least one of"),
    "no preset": ("no preset", ""),
    "refused by Pinterest": ("dead", "em is malformed"),
    "same event id": ("duplicate", "the same event_id was taken before, as another delivery"),
    "never sent": ("never received", ""),
    "not yet": ("waiting", ""),
    "cancelled in time": ("withdrawn", "withdrawn by another message"),
    "dismissed": ("dismissed", ""),
    "a test": ("withheld", "a test: `properties.test` is true"),
    "unknown": ("unknown to the shop", ""),
    "refunded later": ("sent, though no purchase", ""),
    "refunded at once": ("no purchase", ""),
}
_LOST = [kind for kind in KINDS if kind != "fine"]
COLUMNS = ("Name", "Email", "Financial Status", "Subtotal", "Total", "Currency", "Created at", "Lineitem name", "Id")
#: Every so many orders one is lost.
ONE_IN = 20


@dataclass
class Shop:
    """The orders, by the id that the shop shows."""

    file: str
    kinds: dict[str, str]
    #: By kind and currency.
    worth: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def planted(orders: int) -> Shop:
    """Return a shop with so many orders."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(COLUMNS)
    shop = Shop("", {})
    for number in range(orders):
        kind = _LOST[number // ONE_IN % len(_LOST)] if number % ONE_IN == ONE_IN - 1 else "fine"
        _add(shop, rows, number, kind)
    shop.file = written.getvalue()
    return shop


def _add(shop: Shop, rows: Any, number: int, kind: str) -> None:
    name, amount = f"{100_000 + number}", Decimal(5 + number % 900) + Decimal(number % 100) / 100
    currency, at = CURRENCIES[number % len(CURRENCIES)], NOW - 60 - number % (5 * 86_400)
    shown = _sent_id(name).strip() if kind == "unknown" else f"#{name}"
    shop.kinds[shown] = kind
    shop.worth[kind, currency] = shop.worth.get((kind, currency), Decimal()) + amount
    if kind != "unknown":
        status = "refunded" if kind.startswith("refunded") else "paid"
        made = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S +0000}"
        total = amount + 5
        rows.writerow((shown, "a@b.example", status, amount, total, currency, made, "A stool", 5_000_000 + number))
        if number % 3 == 0:
            rows.writerow((shown, "a@b.example", "", "", "", "", "", "A cushion", ""))
    if kind not in ("never sent", "refunded at once"):
        shop.events.setdefault(kind, []).append(_event(name, amount, currency, at, kind))


def _sent_id(name: str) -> str:
    return f"gid://shopify/Order/{name}" if int(name) % 7 == 0 else f" {name}"


def _event(name: str, amount: Decimal, currency: str, at: float, kind: str) -> dict[str, Any]:
    amount += 1 if kind == "other amount" else 0
    if kind == "other currency":
        currency = "GBP"
    consent = {"consent": {"categoryPreferences": {"ads": False}}} if kind == "no consent" else {}
    return {
        "type": "track",
        "event": "Purchase Made" if kind == "no preset" else "Order Completed",
        "messageId": "the same" if kind == "same event id" else f"order-{name}",
        "timestamp": at,
        "context": {} if kind == "nobody" else PERSON | consent,
        "properties": {
            "order_id": _sent_id(name),
            "revenue": str(amount),
            "currency": currency,
            "test": kind == "a test",
        },
    }


async def play(shop: Shop, pipeline: Pipeline, outbox: Outbox) -> None:
    """Send all events, and let each meet its end."""
    at = At(outbox)
    for kind in ("refused by Pinterest", "dismissed"):
        await _send(shop.events[kind], pipeline)
        await at.kill(*await at.claim(100_000))
        if kind == "dismissed":
            await _dismiss(shop, at)
    await pipeline.accept(Intake([_event("1", Decimal(1), "EUR", NOW - 86_400 * 6, "same event id")], now=NOW))
    for kind, events in shop.events.items():
        if kind not in ("refused by Pinterest", "dismissed", "not yet", "cancelled in time"):
            await _send(events, pipeline)
    while claimed := await at.claim(100_000):
        await at.deliver(*claimed)
    await _send(shop.events["cancelled in time"], pipeline)
    await outbox.withdraw(list(_cancelled(shop)), now=NOW)
    await _send(shop.events["not yet"], pipeline)


async def _send(events: list[dict[str, Any]], pipeline: Pipeline) -> None:
    for start in range(0, len(events), 1_000):
        await pipeline.accept(Intake(events[start : start + 1_000], now=NOW))


async def _dismiss(shop: Shop, at: At) -> None:
    for event in shop.events["dismissed"]:
        await at.outbox.dead_letters.dismiss(
            Query(message_id=event["messageId"], state=State.DEAD), because="dismissed"
        )


def _cancelled(shop: Shop) -> Iterator[Withdrawal]:
    for event in shop.events["cancelled in time"]:
        order_id = event["properties"]["order_id"].strip()
        yield Withdrawal(ad_account_id=ACCOUNT, preset="Order Completed", order_id=order_id, message_id="c")
