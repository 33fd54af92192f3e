"""`pinrelay preview-source`: the events that a named source makes of a request, and what would become of them."""

import time
from pathlib import Path
from typing import Annotated

import typer

from app import assemble
from app.commands.terminal import AsJson, opened_file, print_json
from app.config import load_settings
from app.core.receipts import EventReceipt
from app.core.values.hidden_emails import unpersonal_id
from app.errors import EventRefused
from app.pipeline.receipts import receipt_of_refusal
from app.source import event_json
from app.source.responses import RequestRefused


def preview_source(
    source: Annotated[str, typer.Argument(help="Name of the source.")],
    file: Annotated[Path, typer.Argument(help="Body of a request. - reads standard input.")] = Path("-"),
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="Header as `Name: value`. Repeat for more.")
    ] = None,
    query: Annotated[str, typer.Option("--query", help="Query string, without the question mark.")] = "",
    *,
    as_json: AsJson = False,  # noqa: ARG001 - it prints JSON anyway
) -> None:
    """Show the Segment events that a named source makes from a request, and what Pinrelay would do with each.

    Needs no secret and no signature. Sends and stores nothing, and reads no outbox. Prints one JSON line per event:
    the event that was made, and the output of `pinrelay preview` for it.

    Example: pinrelay preview-source shopify order.json -H 'X-Shopify-Topic: orders/paid'
    """
    headers = dict(_pair(each) for each in header or ())
    with opened_file(file) as stream:
        raw = stream.read()
    pipeline = assemble.pipeline(load_settings())
    try:
        for made, event, lines in pipeline.previewed(source, raw, headers, now=time.time(), query=query):
            if isinstance(event, EventRefused):
                receipt = receipt_of_refusal(event)
            else:
                receipt = EventReceipt(message_id=unpersonal_id(event["messageId"]), deliveries=tuple(lines))
            print_json({"made": made, **event_json(receipt)})
    except RequestRefused as exc:
        raise typer.BadParameter(exc.reason) from exc


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"--header {text!r} has no colon: write it as `Name: value`")
    return name.strip(), value.strip()
