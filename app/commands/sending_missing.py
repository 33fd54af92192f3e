"""`pinrelay reconcile --send-missing`: orders that were never received are sent after all, where that is permitted."""

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import typer

from app import assemble
from app.access.audit import Audit
from app.commands.auditing import caller
from app.config import Settings
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE, Exit
from app.core.pages import AuditAction
from app.core.receipts import Receipt
from app.core.values.times import DAY_S
from app.insights.orders.missing_orders import NOT_AGAIN, MissingOrders, missing_events, orders_permitted
from app.insights.orders.reconcile import Reconciliation
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
        typer.echo(f"{told} Nothing is sent.", err=True)
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
