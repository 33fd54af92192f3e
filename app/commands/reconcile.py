"""`pinrelay reconcile`: the shop's orders against the ledger, and those that were never received sent after all."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.terminal import AsJson, add_row, print_json, print_table, say, with_outbox, writing
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE, Exit
from app.core.pages import AuditAction
from app.core.receipts import Receipt
from app.core.values.times import DAY_S
from app.insights.alerts.watcher import AlertWebhook
from app.insights.orders.missing_orders import NOT_AGAIN, MissingOrders, missing_events, orders_permitted
from app.insights.orders.reconcile import LedgerPart, Reconciliation, reconciled
from app.insights.orders.verdicts import BY, OrderVerdict
from app.outbox import Outbox
from app.source import Arrival, read_event
from app.warehouse import open_rows, temporary_folder

_BATCH_ROWS: Final = 1_000
#: Of each reason so many orders are named.
_NAMED: Final = 1_000
#: Shorter ones say nothing.
_MIN_WORDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAsked:
    """What somebody said about sending what is missing."""

    #: The column that must say yes; None: `words` say why nobody needs to be asked.
    consent: str | None
    words: str
    #: Send without asking.
    yes: bool


@dataclass(slots=True, kw_only=True)
class SentMissing:
    """What became, or would become, of orders that were missing."""

    exits: Counter[tuple[Exit, str]] = field(default_factory=Counter)
    #: Ids of those that may not be sent, by why.
    unsent: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def enqueued(self) -> int:
        """How many of the orders make a delivery."""
        return sum(count for (exit_, _), count in self.exits.items() if exit_ is Exit.ENQUEUED)

    def json(self) -> dict[str, Any]:
        """Return the figures as a dict that can be written as JSON."""
        exits = [{"exit": exit_.value, "reason": reason, "count": n} for (exit_, reason), n in self.exits.items()]
        return {"exits": exits, "unsent": dict(self.unsent)}


def send_asked(*, send: bool, consent: str | None, words: str | None, yes: bool) -> SendAsked | None:
    """Return how missing orders are sent, None where they are not. Raises BadParameter where no permission is named."""
    if not send:
        if consent or words or yes:
            raise typer.BadParameter("--consent, --consent-not-needed and --yes are for --send-missing")
        return None
    if (consent is None) == (words is None) or len(words or "x" * _MIN_WORDS) < _MIN_WORDS:
        raise typer.BadParameter(
            "orders that never arrived are often those whose buyers refused: name the column that says who permitted "
            "it by --consent COLUMN, or say in words why nobody needs to be asked by --consent-not-needed"
        )
    return SendAsked(consent=consent, words=words or "", yes=yes)


async def send_missing(
    settings: Settings,
    outbox: Outbox,
    rows: tuple[str, str | None],
    found: Reconciliation,
    missing: MissingOrders,
    asked: SendAsked,
    *,
    source: str | None,
) -> SentMissing:
    """Show what would become of missing orders, ask, and send them; return what became of them, or would.

    `rows` are the file or address, and the query; `found` is what they came to. It is written into the audit log, with
    the words.
    """
    catalog = assemble.running_catalog(settings).catalog
    switches = await Switches.read(outbox)
    explainer = assemble.explainer(settings, outbox=outbox, why_off=switches.why_off)
    name = source or DEFAULT_SOURCE
    each = partial(_each, settings, rows, found, missing, asked, name)
    preview = await each(partial(explainer.receipt, catalog=catalog))
    told = f"{preview.enqueued} of {len(missing.ids)} missing orders can be sent."
    if not preview.enqueued or not (asked.yes or typer.confirm(f"{told} Send them?", err=True)):
        say(f"{told} Nothing is sent.", err=True)
        return preview
    pipeline = assemble.pipeline(settings, catalog, outbox=outbox, why_off=switches.why_off)
    sent = await each(partial(pipeline.accept, is_proven=True))
    why = asked.words or f"permitted by the column {asked.consent}"
    await Audit(outbox, time.time).note(caller(), AuditAction.MISSING_SENT, target=why, after=str(sent.enqueued))
    return sent


async def _each(
    settings: Settings,
    rows: tuple[str, str | None],
    compared: Reconciliation,
    missing: MissingOrders,
    asked: SendAsked,
    source: str,
    take: Callable[..., Awaitable[Receipt]],
) -> SentMissing:
    """Return what becomes of all that may be sent, once `take` has it."""
    found, left = SentMissing(), set(missing.ids)
    (where, query), columns = rows, compared.columns
    with temporary_folder() as folder, open_rows(where, folder, query=query) as table:
        may = None if asked.consent is None else orders_permitted(table, columns, missing.ids, asked.consent)
        for some in table.wholes(limit=_BATCH_ROWS):
            now, events = time.time(), []
            oldest = now - settings.max_event_age_days * DAY_S
            for order, event, why in missing_events(
                some, columns, left, place=compared.place, permitted=may, oldest=oldest
            ):
                left.discard(order)
                if event is not None:
                    events.append(read_event(event, Arrival.at(now, is_live=False)))
                elif len(found.unsent[why]) < _NAMED:
                    found.unsent[why].append(order)
            if events:
                receipt = await take(events, now=now, source=source)
                found.exits.update((line.exit, line.reason) for each in receipt.events for line in each.deliveries)
            if not left:
                break
    if left:
        found.unsent[NOT_AGAIN] = sorted(left)[:_NAMED]
    return found


_PERCENT: Final = Decimal(100)
#: Of each fate and reason so many orders are shown.
_SHOWN: Final = 3

Where = Annotated[
    str,
    typer.Argument(help="A file (.csv, .tsv, .parquet, .ndjson, .jsonl, .json; gzipped too), or a database's address."),
]
_Query = Annotated[str | None, typer.Option(help="SQL that gives the shop's orders, of a database.")]
_OrderId = Annotated[str | None, typer.Option("--order-id", help="Column of the order's id.")]
_Total = Annotated[str | None, typer.Option(help="Column of the amount, as it is sent.")]
_Currency = Annotated[str | None, typer.Option(help="Column of the currency, or the ISO code of all.")]
_Time = Annotated[str | None, typer.Option("--time", help="Column of when the order was made.")]
_Source = Annotated[str | None, typer.Option(help="Only what this source sent.")]
_Account = Annotated[str | None, typer.Option(help="Only what is for this ad account.")]
_Tolerance = Annotated[str | None, typer.Option(help="Percent of the expected orders that may be missing.")]
_Send = Annotated[bool, typer.Option("--send-missing", help="Send orders that were never received, after a preview.")]
_Consent = Annotated[str | None, typer.Option(help="Column that must say yes for an order to be sent.")]
_Words = Annotated[
    str | None, typer.Option("--consent-not-needed", help="Why nobody needs to be asked, in words that are kept.")
]
_Yes = Annotated[bool, typer.Option("--yes", help="Send without asking.")]
_Details = Annotated[Path | None, typer.Option(dir_okay=False, help="Write each order's fate here, as NDJSON.")]


def reconcile(  # noqa: PLR0913, PLR0917 - options are arguments
    file: Where,
    query: _Query = None,
    order_id: _OrderId = None,
    total: _Total = None,
    currency: _Currency = None,
    at: _Time = None,
    source: _Source = None,
    account: _Account = None,
    tolerance: _Tolerance = None,
    details: _Details = None,
    consent: _Consent = None,
    consent_not_needed: _Words = None,
    *,
    send: _Send = False,
    yes: _Yes = False,
    as_json: AsJson = False,
) -> None:
    """Compare the shop's orders with what was sent: which are missing, and why; which amounts differ.

    Exports of Shopify and WooCommerce are known by their columns; of other files name them. No other column is read.
    With --tolerance the exit code is 1 where more is missing, and ALERT_WEBHOOK_URL is told, for a nightly job.

    Example: pinrelay reconcile orders_export.csv --tolerance 2
    Example: pinrelay reconcile orders_export.csv --send-missing --consent "Accepts Marketing"
    """
    most = _percent(tolerance)
    settings = load_settings()
    named = {"order_id": order_id, "total": total, "currency": currency, "time": at}
    asked = send_asked(send=send, consent=consent, words=consent_not_needed, yes=yes)
    part = LedgerPart(source=source, ad_account_id=account)
    rows = file, query
    found, sent = with_outbox(lambda outbox: _compare(outbox, settings, rows, named, part, details, asked))
    if as_json:
        print_json(found.json() | ({} if sent is None else {"missing": sent.json()}))
    else:
        _print(found, sent)
    _judge(settings, found, most)


def _percent(text: str | None) -> Decimal | None:
    try:
        most = None if text is None else Decimal(text.removesuffix("%"))
    except InvalidOperation:
        most = Decimal(-1)
    if most is not None and not (most.is_finite() and 0 <= most <= _PERCENT):
        raise typer.BadParameter("--tolerance is a percentage from 0 to 100, such as 2 or 0.5")
    return most


async def _compare(
    outbox: Outbox,
    settings: Settings,
    rows: tuple[str, str | None],
    named: dict[str, str | None],
    part: LedgerPart,
    details: Path | None,
    asked: SendAsked | None,
) -> tuple[Reconciliation, SentMissing | None]:
    missing = MissingOrders()
    begins = time.time() - min(settings.ledger_days, settings.ledger_delivered_days) * DAY_S
    with ExitStack() as stack:
        with writing("--details"):
            file = None if details is None else stack.enter_context(details.open("wb"))

        def write(verdict: OrderVerdict) -> None:
            missing.note(verdict)
            if file is not None:
                told = orjson.dumps(verdict._asdict(), default=str, option=orjson.OPT_APPEND_NEWLINE)
                file.write(told)  # amounts are texts

        found = await reconciled(
            outbox, rows[0], query=rows[1], named=named, part=part, ledger_begins=begins, on_verdict=write
        )
    if asked is None:
        return found, None
    return found, await send_missing(settings, outbox, rows, found, missing, asked, source=part.source)


def _print(found: Reconciliation, sent: SentMissing | None) -> None:
    sums = found.sums
    table = Table(
        "what became of them", "orders", "why", "such as", title=f"{found.columns.kind}: {sums.orders} orders"
    )
    for (fate, reason), count in sums.reasons.most_common():
        add_row(table, fate.value, count, reason, ", ".join([*sums.named[fate, reason]][:_SHOWN]))
    print_table(table)
    for name in BY:
        table = Table(name.replace("_", " "), "currency", "orders", "worth in the shop", "sent", "%")
        for key, by_currency in sums.by(name).items():
            for currency, worth in sorted(by_currency.items()):
                part = f"{_PERCENT * worth.sent / worth.shop:.1f}" if worth.shop else ""
                add_row(table, key or "-", currency or "-", worth.orders, worth.shop, worth.sent, part)
        print_table(table)
    for number, what in (
        (found.without_id, "rows have no order id"),
        (found.repeated, "rows repeat an order"),
        (found.stubs, "ids stand alone, without an amount and a time, and are compared with nothing"),
        (found.unreadable, "orders have an amount, a currency or a time that cannot be read"),
    ):
        if number:
            say(f"{number} {what}.")
    for (exit_, reason), count in () if sent is None else sent.exits.items():
        say(f"missing: {count} {exit_.value} {reason}".rstrip())
    for why, orders in () if sent is None else sent.unsent.items():
        say(f"missing: {len(orders)} not sent, {why}: {', '.join(orders)}")
    say(f"{sums.right} of {sums.expected} expected orders were sent as the shop has them.")


def _judge(settings: Settings, found: Reconciliation, most: Decimal | None) -> None:
    """Tell where more is missing than may be, and exit with 1."""
    missing = found.sums.missing_percent()
    if most is None or missing <= most:
        return
    told = f"{missing:.2f} % of the shop's expected orders were not sent as the shop has them; {most} % may be missing"
    say(f"pinrelay: {told}", err=True)
    if settings.alert_webhook_url is not None:
        asyncio.run(_alert(AlertWebhook(settings.alert_webhook_url), told))
    raise typer.Exit(1)


async def _alert(webhook: AlertWebhook, told: str) -> None:
    try:
        await webhook.post([told])
    finally:
        await webhook.close()
