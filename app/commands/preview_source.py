"""`pinrelay preview-source`: what a source of kind `mapped` makes of a request, and what would become of that."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from app import assemble
from app.catalog.sources import load_source
from app.commands.terminal import AsJson, opened_file, print_json
from app.config import Settings, load_settings
from app.errors import EventRefused
from app.source import Arrival, NamedSource, event_json, events_of, held_back, read_or_refuse, read_raw_requests
from app.source.responses import RequestRefused


def preview_source(
    source: Annotated[str, typer.Argument(help="Name of its file.")],
    file: Annotated[Path, typer.Argument(help="The body of a request. - is standard input.")] = Path("-"),
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="`Name: value`, each.")] = None,
    query: Annotated[str, typer.Option("--query", help="As it stands behind the question mark.")] = "",
    *,
    as_json: AsJson = False,  # noqa: ARG001 - it prints JSON anyway
) -> None:
    """Show which Segment events a named source makes of a request, and what would become of each.

    Neither secret nor signature is needed, nothing is sent or stored, and no outbox is asked. Prints one JSON line an
    event: the event that was made, and what `pinrelay preview` tells of it.

    Example: pinrelay preview-source shopify order.json -H 'X-Shopify-Topic: orders/paid'
    """
    headers = dict(_pair(each) for each in header or ())
    with opened_file(file) as stream:
        raw = stream.read()
    settings = load_settings()
    found = load_source(settings.source_folders, source)
    if found.reshape is None:
        message = f"{source} is of kind `segment`: `pinrelay preview --source {source}` shows its events"
        raise typer.BadParameter(message)
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    try:
        made = list(events_of(read_raw_requests(raw, content_type, headers, query), found.reshape))
    except RequestRefused as exc:
        raise typer.BadParameter(exc.reason) from exc
    asyncio.run(_show(settings, made, found))


async def _show(settings: Settings, made: list[Any], source: NamedSource) -> None:
    catalog = assemble.running_catalog(settings).catalog
    explainer = assemble.explainer(settings)
    for event in made:
        now = time.time()
        shown = None if isinstance(event, EventRefused) else dict(event) if isinstance(event, dict) else event
        arrived = held_back(read_or_refuse(event, Arrival.at(now)), source)
        report = await explainer.explain(arrived, catalog, now=now, source=source.name)
        print_json({"made": shown, **event_json(report.receipt)})


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"{text!r} is no header: write it as `Name: value`")
    return name.strip(), value.strip()
