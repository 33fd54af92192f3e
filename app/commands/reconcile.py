"""`pinrelay reconcile` and `revenue`: compare the shop's orders with the ledger, and sum the value of orders."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.commands.terminal import AsJson, add_row, caller, print_json, print_line, print_table, with_outbox, writing
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE, Outcome
from app.core.values.times import DAY_S
from app.insights.alerts.overall import Alert
from app.insights.alerts.watcher import AlertWebhook
from app.insights.incidents import begin
from app.insights.orders.reconcile import LedgerPart, MissingOrders, Reconciliation
from app.insights.orders.verdicts import BY, OrderVerdict
from app.operations.reconcile import Missing, OrderActs, SentMissing
from app.outbox import Outbox

#: Shorter explanations are refused.
_MIN_WORDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """The permission to send missing orders."""

    #: The column with the opt-in; `None`: `words` explain why no consent is needed.
    consent: str | None
    words: str
    #: Send without confirmation.
    yes: bool


def read_send_options(*, send: bool, consent: str | None, words: str | None, yes: bool) -> SendOptions | None:
    """Return how missing orders are sent, `None` if they are not. Raises BadParameter without a permission."""
    if not send:
        if consent or words or yes:
            raise typer.BadParameter("--consent, --consent-not-needed and --yes need --send-missing: add it")
        return None
    if (consent is None) == (words is None) or len(words or "x" * _MIN_WORDS) < _MIN_WORDS:
        raise typer.BadParameter(
            "--send-missing needs proof of consent, because buyers of missing orders have often refused tracking: "
            "name the column with their consent by --consent COLUMN, or explain in "
            f"{_MIN_WORDS} characters or more why none is needed by --consent-not-needed"
        )
    return SendOptions(consent=consent, words=words or "", yes=yes)


async def _send_missing(
    settings: Settings, outbox: Outbox, acts: OrderActs, missing: Missing, *, yes: bool
) -> SentMissing:
    """Show the preview for missing orders, ask for confirmation, and send them; return the results or the preview."""
    catalog = assemble.running_catalog(settings).catalog
    switches = await Switches.read(outbox)
    explainer = assemble.explainer(settings, outbox=outbox, why_off=switches.why_off)
    preview = await acts.judge_missing(missing, partial(explainer.receipt, catalog=catalog))
    told = f"{preview.enqueued} of {len(missing.orders.ids)} missing orders can be sent."
    if not preview.enqueued or not (yes or typer.confirm(f"{told} Send them?", err=True)):
        print_line(f"{told} None was sent.", err=True)
        unsent = {key: count for key, count in preview.outcomes.items() if key[0] is not Outcome.ENQUEUED}
        return replace(preview, outcomes=Counter(unsent))
    pipeline = assemble.pipeline(settings, catalog, outbox=outbox, why_off=switches.why_off)
    return await acts.send_missing(caller(), missing, pipeline.accept)


_PERCENT: Final = Decimal(100)
#: Maximum number of listed orders for each result and reason.
_SHOWN: Final = 3

Where = Annotated[
    str, typer.Argument(help="File (.csv, .tsv, .parquet, .ndjson, .jsonl, .json; also gzipped) or database address.")
]
_Query = Annotated[str | None, typer.Option(help="SQL query for the shop's orders in a database.")]
_OrderId = Annotated[str | None, typer.Option("--order-id", help="Column with the order id.")]
_Total = Annotated[str | None, typer.Option(help="Column with the amount that is sent.")]
_Currency = Annotated[str | None, typer.Option(help="Column with the currency, or one ISO code.")]
_Time = Annotated[str | None, typer.Option("--time", help="Column with the time of the order.")]
_Source = Annotated[str | None, typer.Option(help="Only orders from this source.")]
_Account = Annotated[str | None, typer.Option(help="Only orders for this ad account.")]
_Tolerance = Annotated[str | None, typer.Option(help="Allowed percentage of missing orders.")]
_Send = Annotated[bool, typer.Option("--send-missing", help="Send orders that were never received, after a preview.")]
_Consent = Annotated[str | None, typer.Option(help="Column that must say yes before an order is sent.")]
_Words = Annotated[
    str | None, typer.Option("--consent-not-needed", help="Why no consent is needed. Written to the audit log.")
]
_Yes = Annotated[bool, typer.Option("--yes", help="Send without asking.")]
_Details = Annotated[Path | None, typer.Option(dir_okay=False, help="File for the result of each order, as NDJSON.")]


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
    """Compare the shop's orders with those sent to Pinterest. Lists missing orders with reasons, and wrong amounts.

    Recognises the columns of Shopify's and WooCommerce's exports. For other files, name the columns by the options.
    With --tolerance it exits with 1 and posts to ALERT_WEBHOOK_URL if more orders are missing. Use that nightly.

    Example: pinrelay reconcile orders_export.csv --tolerance 2
    Example: pinrelay reconcile orders_export.csv --send-missing --consent "Accepts Marketing"
    """
    most = _percent(tolerance)
    settings = load_settings()
    named = {"order_id": order_id, "total": total, "currency": currency, "time": at}
    asked = read_send_options(send=send, consent=consent, words=consent_not_needed, yes=yes)
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
        raise typer.BadParameter(f"--tolerance {text} is not a percentage: write a number from 0 to 100, such as 0.5")
    return most


async def _compare(
    outbox: Outbox,
    settings: Settings,
    rows: tuple[str, str | None],
    named: dict[str, str | None],
    part: LedgerPart,
    details: Path | None,
    asked: SendOptions | None,
) -> tuple[Reconciliation, SentMissing | None]:
    missing, acts, (where, query) = MissingOrders(), OrderActs(outbox, Audit(outbox, time.time)), rows
    begins = time.time() - min(settings.retention_days.other, settings.retention_days.delivered) * DAY_S
    with _written(details) as write:

        def note(verdict: OrderVerdict) -> None:
            missing.note(verdict)
            write(verdict)

        found = await acts.compare(
            caller(), where, query=query, named=named, part=part, ledger_begins=begins, on_verdict=note
        )
    if asked is None:
        return found, None
    to_send = Missing(
        rows=rows,
        compared=found,
        orders=missing,
        consent=asked.consent,
        words=asked.words,
        source=part.source or DEFAULT_SOURCE,
        max_event_age_days=settings.max_event_age_days,
    )
    return found, await _send_missing(settings, outbox, acts, to_send, yes=asked.yes)


@contextmanager
def _written(details: Path | None) -> Iterator[Callable[[OrderVerdict], object]]:
    """Yield a function that writes each order's result to the file of `--details`; without a file it does nothing."""
    if details is None:
        yield lambda _: None
        return
    with writing("--details"):
        file = details.open("wb")
    with file:
        yield lambda verdict: file.write(  # amounts are texts
            orjson.dumps(verdict._asdict(), default=str, option=orjson.OPT_APPEND_NEWLINE)
        )


def _print(found: Reconciliation, sent: SentMissing | None) -> None:
    sums = found.sums
    table = Table("result", "orders", "why", "examples", title=f"{found.columns.kind}: {sums.orders} orders")
    for (fate, reason), count in sums.reasons.most_common():
        add_row(table, fate.value, count, reason, ", ".join([*sums.named[fate, reason]][:_SHOWN]))
    print_table(table)
    for name in BY:
        table = Table(name.replace("_", " "), "currency", "orders", "in the shop", "sent", "%")
        for key, by_currency in sums.by(name).items():
            for currency, worth in sorted(by_currency.items()):
                part = f"{_PERCENT * worth.sent / worth.shop:.1f}" if worth.shop else ""
                add_row(table, key or "-", currency or "-", worth.orders, worth.shop, worth.sent, part)
        print_table(table)
    for number, what in (
        (found.without_id, "rows have no order id"),
        (found.repeated, "rows repeat an order"),
        (found.stubs, "rows have only an order id, no amount and no time, and were not compared"),
        (found.unreadable, "orders have an unreadable amount, currency or time"),
    ):
        if number:
            print_line(f"{number} {what}.")
    for (outcome, reason), count in () if sent is None else sent.outcomes.items():
        print_line(f"missing: {count} {outcome.value} {reason}".rstrip())
    for why, orders in () if sent is None else sent.unsent.items():
        print_line(f"missing: {len(orders)} not sent, {why}: {', '.join(orders)}")
    print_line(f"{sums.right} of {sums.expected} expected orders were sent with the shop's amounts.")


def _judge(settings: Settings, found: Reconciliation, most: Decimal | None) -> None:
    missing = found.sums.missing_percent()
    if most is None or missing <= most:
        return
    told = f"{missing:.2f} % of the shop's expected orders are missing or wrong; at most {most} % are allowed"
    print_line(f"pinrelay: {told}", err=True)
    if webhook := AlertWebhook.of(settings, time.time):
        asyncio.run(_alert(webhook, told))
    raise typer.Exit(1)


async def _alert(webhook: AlertWebhook, told: str) -> None:
    try:
        await webhook.post([begin(Alert(key="reconcile", text=told), time.time())])
    finally:
        await webhook.close()
