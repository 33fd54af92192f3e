"""`pinrelay message`: what became of one event."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from app.assemble.ad_accounts import account_names
from app.commands.find import received_text
from app.commands.terminal import AsJson, add_row, print_json, print_line, print_table, time_text, with_outbox
from app.config import load_settings
from app.core.deliveries import Delivery
from app.core.events import Exit
from app.core.pages import Message
from app.core.values.hidden_emails import unpersonal_id
from app.pipeline.receipts import receipt_of_message
from app.source import event_json


def message(
    message_id: Annotated[str, typer.Argument(help="Segment's `messageId` of the event.")], *, as_json: AsJson = False
) -> None:
    """Show every delivery of a message id with its attempts, or why it was not sent.

    In JSON, `receipt` is the receipt that the sender got, with the names of the ad accounts, and `trust` says whether
    the event is proven or public.

    Example: pinrelay message ajs-next-1772640772244
    """
    found = with_outbox(lambda outbox: outbox.message(unpersonal_id(message_id)))
    if as_json:
        receipt = event_json(receipt_of_message(found, account_names(load_settings())))
        print_json(asdict(found) | {"receipt": receipt["deliveries"], "trust": receipt["trust"]})
    elif found.dropped_events or found.deliveries:
        print_table(_what_became(found))
        if attempts := [each for each in found.deliveries if each.history]:
            print_table(_attempts(attempts))
        if any(event.exit is Exit.UNMATCHED for _, event in found.dropped_events):
            print_line("`pinrelay inventory` names the nearest preset of each event, and why it does not take it.")
    if not found.dropped_events and not found.deliveries:
        print_line(
            f"pinrelay: message {message_id} not found. Use the complete id; find other ids by "
            f"`pinrelay find {message_id}`. Unmatched events without an order id are counted, not stored.",
            err=True,
        )
        raise typer.Exit(1)


def _what_became(found: Message) -> Table:
    rows: list[tuple[float, list[str]]] = []
    for each in found.deliveries:
        told = "; ".join(filter(None, (each.reason, *each.warnings)))
        rows.append(
            (
                each.enqueued_at,
                [
                    received_text(each),
                    each.delivery_id,
                    each.state.value,
                    each.preset,
                    each.ad_account_id,
                    each.event_id,
                    "proven" if each.is_proven else "public",
                    told,
                ],
            )
        )
    for at, event in found.dropped_events:
        told = "; ".join(filter(None, (event.reason, *event.warnings)))
        trust = "proven" if event.is_proven else "public"
        about = [event.exit.value, event.preset or "", event.ad_account_id or "", "", trust, told]
        rows.append((at, [time_text(at), "", *about]))
    table = Table(
        "received (UTC)", "delivery", "result", "preset", "ad account", "event id", "trust", "why, and warnings"
    )
    for _, cells in sorted(rows, key=lambda row: row[0]):
        add_row(table, *cells)
    return table


def _attempts(deliveries: list[Delivery]) -> Table:
    table = Table("tried (UTC)", "delivery", "attempt", "outcome", "status", "answer")
    for each in deliveries:
        for tried in each.history:
            status = "" if tried.status is None else tried.status
            add_row(table, time_text(tried.at), each.delivery_id, tried.number, tried.exit.value, status, tried.message)
    return table
