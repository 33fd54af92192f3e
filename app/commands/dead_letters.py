"""`pinrelay dead-letters`, `redrive` and `dismiss`: what Pinterest will not get, and what is done about it."""

import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.commands.audit import caller
from app.commands.find import FILTER_NAMES, filters_of_words
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, time_text, with_outbox
from app.config import load_settings
from app.core.deliveries import Delivery
from app.core.pages import DeadCause, Query
from app.operations.acts import MAX_WHY, DeadLetterActs, dead_query
from app.outbox import Outbox

Which = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[DELIVERY | FILTER=TEXT...]", help=f"A delivery id, or filters, combined with AND: {FILTER_NAMES}."
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All dead letters.")]
#: So many causes are shown.
_CAUSES = 100


def dead_letters(
    which: Which = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of dead letters.")] = 50,
    *,
    causes: Annotated[bool, typer.Option("--causes", help="Count dead letters by cause instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first, with the reason of each. They are not sent again until you redrive them.

    Example: pinrelay dead-letters preset="Order Completed" reason=currency
    """
    if causes:
        _show_causes(with_outbox(lambda outbox: outbox.dead_letters.causes(limit=_CAUSES)), as_json=as_json)
        return
    query = _query(which or [])

    async def find(outbox: Outbox) -> list[Delivery]:
        await _acts(outbox).check(query)
        if query.delivery_id is None:
            return list((await outbox.search(query, limit=limit)).deliveries)
        found = await outbox.delivery(query.delivery_id)
        return [found] if found else []

    _show(with_outbox(find), as_json=as_json or query.delivery_id is not None)


def redrive(which: Which = None, *, everything: Everything = False, as_json: AsJson = False) -> None:
    """Send dead letters again: one, those that match the filters, or all. Safe to repeat; the history is kept.

    A dead letter stays dead while another delivery of the same event waits. It is dismissed if another delivery of
    the same event was delivered.

    Example: pinrelay redrive reason="Authentication failed"
    """
    query = _some(which or [], everything=everything)

    done = with_outbox(lambda outbox: _acts(outbox).redrive(caller(), query))
    if as_json:
        print_json(asdict(done))
        return
    print_line(f"{done.redriven} redriven.")
    if done.overtaken:
        print_line(f"{done.overtaken} dismissed: another delivery of the same event was delivered.")
    if done.waiting:
        print_line(f"{done.waiting} left dead: another delivery of the same event waits; the reason has its id.")


def dismiss(
    because: Annotated[str, typer.Option(help=f"Why, in at most {MAX_WHY} characters. It is added to the reason.")],
    which: Which = None,
    *,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Drop dead letters for good and erase their payloads: one, those that match the filters, or all.

    Example: pinrelay dismiss reason="too old" --because "sent by hand"
    """
    query = _some(which or [], everything=everything)
    count = with_outbox(lambda outbox: _acts(outbox).dismiss(caller(), query, because))
    if as_json:
        print_json({"dismissed": count})
    else:
        print_line(f"{count} dismissed.")


def _query(words: list[str]) -> Query:
    texts = {"delivery_id": words[0]} if len(words) == 1 and "=" not in words[0] else filters_of_words(words)
    return dead_query(texts)


def _some(words: list[str], *, everything: bool) -> Query:
    """Return which dead letters are meant. Raises BadParameter where there is neither a word nor --all."""
    if not everything and not words:
        raise typer.BadParameter("nothing selected: give a delivery id, a filter such as reason=currency, or --all")
    return _query(words)


def _acts(outbox: Outbox) -> DeadLetterActs:
    settings = load_settings()
    finder = assemble.event_finder(settings, outbox)
    return DeadLetterActs(outbox, finder, Audit(outbox, time.time), max_event_age_s=settings.max_event_age_s)


def _show(deliveries: list[Delivery], *, as_json: bool) -> None:
    if as_json:
        for delivery in deliveries:
            print_json(asdict(delivery))
        return
    if not deliveries:
        print_line("No dead letters.")
        return
    table = Table("delivery", "preset", "message id", "dead since (UTC)", "attempts", "reason")
    for each in deliveries:
        since = time_text(each.settled_at or 0)
        add_row(table, each.delivery_id, each.preset, each.message_id, since, each.attempts, each.reason)
    print_table(table)


def _show_causes(causes: list[DeadCause], *, as_json: bool) -> None:
    if as_json:
        for cause in causes:
            print_json(asdict(cause))
        return
    if not causes:
        print_line("No dead letters.")
        return
    table = Table("dead", "reason", "preset", "ad account", "newest (UTC)")
    for each in causes:
        add_row(table, each.count, each.reason, each.preset, each.ad_account_id, time_text(each.last_at))
    print_table(table)
