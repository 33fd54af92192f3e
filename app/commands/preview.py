"""`pinrelay check`, `preview` and `preview-source`: check the files of the catalog, and apply them to events."""

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app import assemble
from app.assemble.ad_accounts import key_sources
from app.catalog import MAX_ENABLED_PRESETS, Catalog, Preset
from app.catalog.destinations import load_destinations
from app.catalog.sources import RunningSources, load_source
from app.commands.story import show_stories
from app.commands.terminal import (
    FORMS,
    AsJson,
    add_row,
    escaped,
    opened_file,
    opened_outbox,
    print_json,
    print_line,
    print_table,
    time_text,
)
from app.config import Settings, doubtful_variables, load_settings
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE, Event, Outcome
from app.core.receipts import EventReceipt, PresetResult
from app.core.values.hidden_emails import unpersonal_id
from app.destination import components
from app.errors import CatalogError, EventRefused
from app.identity import HeldMemory
from app.outbox import exists
from app.pipeline.explain import IN_WORDS, EventReport, PresetReport, event_without_memory
from app.pipeline.identity_events import own_time
from app.pipeline.receipts import receipt_of_refusal
from app.source.event_files import read_event_file
from app.source.named_sources import held_back
from app.source.responses import RequestRefused, event_json

#: The default number of days in memory.
DEFAULT_DAYS = 90.0


def preview_in_order(
    events: Iterable[Event | EventRefused], settings: Settings, catalog: Catalog, *, clock: float
) -> Iterator[EventReceipt]:
    """Yield the results of events in order, each at its own time, with an initially empty memory.

    `settings` have the duration of memory; `clock` (Unix seconds) is the time of an event without a time.
    """
    walk, memory = assemble.event_router(settings), HeldMemory()
    for event in events:
        lines: Iterable[PresetResult] = ()
        if not isinstance(event, EventRefused):
            at = own_time(event, math.inf)
            lines = walk.lines(event, catalog, now=clock if math.isinf(at) else at, memory=memory)
        yield _receipt(event, lines)


def _receipt(event: Event | EventRefused, lines: Iterable[PresetResult]) -> EventReceipt:
    if isinstance(event, EventRefused):
        return receipt_of_refusal(event)
    return EventReceipt(message_id=unpersonal_id(event["messageId"]), deliveries=tuple(lines))


def print_previews(settings: Settings, stream: IO[bytes], *, as_json: bool) -> None:
    """Print a line of JSON for each event, or a summary by preset.

    The summary has the quality components per event, without and with memory.
    """
    catalog = assemble.running_catalog(settings).catalog
    events = read_event_file(stream, clock=time.time)
    receipts = preview_in_order(events, settings, catalog, clock=time.time())
    if as_json:
        for receipt in receipts:
            print_json(_json(receipt))
    else:
        print_table(_summary(receipts))


def _json(receipt: EventReceipt) -> dict[str, Any]:
    told = event_json(receipt)
    for line, delivery in zip(receipt.deliveries, told["deliveries"], strict=True):
        delivery["event"] = line.event
        delivery.setdefault("memory", {})
    return told


def _summary(receipts: Iterable[EventReceipt]) -> Table:
    events: Counter[str] = Counter()
    own: Counter[str] = Counter()
    with_memory: Counter[str] = Counter()
    for line in (line for receipt in receipts for line in receipt.deliveries):
        if line.event is not None and line.outcome is Outcome.ENQUEUED:
            for name in (line.preset or "", "all"):
                events[name] += 1
                own[name] += len(components(event_without_memory(line) or {}))
                with_memory[name] += len(components(line.event))
    table = Table("preset", "events", "own", "with memory", title="Quality components an event, of Pinterest's eleven")
    for name, count in events.most_common():
        add_row(table, name, count, f"{own[name] / count:.2f}", f"{with_memory[name] / count:.2f}")
    return table


Presets = Annotated[
    list[Path] | None, typer.Option("--presets", help="Folder of presets to use instead of PRESETS_DIR.")
]
Mappings = Annotated[list[Path] | None, typer.Option("--mappings", help="The same, instead of MAPPINGS_DIR.")]


def check(presets: Presets = None, mappings: Mappings = None, *, as_json: AsJson = False) -> None:
    """Check settings, presets, mappings, named sources and destinations, run the tests of the files, and list them.

    The list of sources shows whose events are trusted, which means that a secret says who made them.

    Prints every fault that would stop `pinrelay serve`, and every failing test, with file, place and remedy. Outcomes
    with 1 if there is one. Opens no store and no port.

    Example: pinrelay check --presets presets
    """
    if doubtful := doubtful_variables():
        print_line(f"warning: {doubtful}", err=True)
    settings = assemble.checked_settings(os.environ, **_folders(presets, mappings))
    catalog = assemble.running_catalog(settings).catalog
    for warning in catalog.warnings:
        print_line(f"warning: {warning}", err=True)
    sources = assemble.running_sources(settings, on_fault=print_line)
    if faults := assemble.file_tests().failing(catalog, sources.to_test() if sources else ()):
        raise CatalogError(faults)
    if as_json:
        presets_told = [_row(preset) for preset in catalog.presets]
        print_json({"presets": presets_told, "sources": list(_source_rows(settings, sources))})
        return
    table = Table("preset", "sends", "on", "trigger", title=f"{len(catalog.enabled)} of {MAX_ENABLED_PRESETS} presets")
    for row in map(_row, catalog.presets):
        add_row(table, row["preset"], row["event_name"], "yes" if row["enabled"] else "no", row["subscribe"])
    print_table(table)
    told = Table("source", "path", "kind", "on", "events", "shop", title="sources")
    for row in _source_rows(settings, sources):
        is_on, trust = "yes" if row["enabled"] else "no", "trusted" if row["trusted"] else "public"
        add_row(told, row["source"], row["path"], row["kind"], is_on, trust, row["shop"])
    print_table(told)
    if settings.destinations_dir:
        table = Table("destination", "ad account", "mode", "on", "sources", "presets", title="destinations")
        for each in load_destinations(settings.destinations_dir).values():
            takes = (", ".join(names) if names else "all" for names in (each.sources, each.presets))
            add_row(table, each.name, each.ad_account_id, each.mode, "yes" if each.enabled else "no", *takes)
        print_table(table)


def _source_rows(settings: Settings, sources: RunningSources | None) -> Iterator[dict[str, Any]]:
    """Yield the author and trust of each source."""
    traits_of = assemble.source_traits(settings, sources)
    named = sources.sources if sources else {}
    for name in (*key_sources(settings), *named):
        source, traits = named.get(name), traits_of(name)
        yield {
            "source": name,
            "path": f"/webhook/{name}" if source else "/webhook" if name == DEFAULT_SOURCE else "/v1",
            "kind": "mapped" if source and source.reshape else "segment",
            "enabled": not source.is_off if source else name != DEFAULT_SOURCE or settings.webhook_takes_events,
            "authors": source.authors if source else "server" if traits.is_trusted else "browser",
            "trusted": traits.is_trusted,
            "shop": traits.shop,
        }


def _row(preset: Preset) -> dict[str, Any]:
    name = preset.fields["event_name"]
    return {
        "preset": preset.name,
        "event_name": name if isinstance(name, str) else "(computed)",
        "enabled": preset.enabled,
        "subscribe": preset.trigger.text,
        "file": preset.file,
    }


def preview(  # noqa: PLR0913 - each is an option
    file: Annotated[Path, typer.Argument(help=f"{FORMS} - is standard input.")] = Path("-"),
    presets: Presets = None,
    mappings: Mappings = None,
    *,
    source: Annotated[str, typer.Option(help="Source that the events come from.")] = DEFAULT_SOURCE,
    explain: Annotated[bool, typer.Option("--explain", help="Print conditions, fields, paths and values.")] = False,
    preview_in_order: Annotated[
        bool, typer.Option("--journey", help="Replay the events in order, starting with an empty memory.")
    ] = False,
    story: Annotated[
        bool, typer.Option("--story", help="Play stories: events with their senders and moments, one story a line.")
    ] = False,
    remember_days: Annotated[float | None, typer.Option(min=0, help="For --journey, instead of REMEMBER_DAYS.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what Pinrelay would do with events. Sends and stores nothing.

    Prints one JSON line per event: its message id and, for each preset that takes it, outcome, reason, warnings, event.
    If there is an outbox, it is read for duplicates and for presets that are switched off.
    With --explain: the presets' conditions, and each field with its path, its value and the value sent.
    With --journey: events in order, each at its own time, completed from memory. Prints the gain by preset. The outbox
    is not read.
    With --story: what is sent when, and the receipt of each event, in a temporary outbox.

    Example: pinrelay preview order.json --explain
    """
    if story:
        with opened_file(file) as stream:
            show_stories(stream, as_json=as_json, **_folders(presets, mappings))
        return
    if preview_in_order:
        days = load_settings().remember_days or DEFAULT_DAYS if remember_days is None else remember_days
        with opened_file(file) as stream:
            print_previews(_settings(presets, mappings, remember_days=days), stream, as_json=as_json)
        return
    show = (_print_json if as_json else _print_tables) if explain else _print_receipt
    asyncio.run(_preview(_settings(presets, mappings), file, show, source))


def _settings(presets: list[Path] | None, mappings: list[Path] | None, **changes: Any) -> Settings:
    return load_settings(**_folders(presets, mappings), **changes)


def _folders(presets: list[Path] | None, mappings: list[Path] | None) -> dict[str, tuple[Path, ...]]:
    folders = {"presets_dir": presets, "mappings_dir": mappings}
    return {name: tuple(given) for name, given in folders.items() if given}


async def _preview(settings: Settings, file: Path, show: Callable[[EventReport], None], source: str) -> None:
    known = key_sources(settings)
    named = None if source in known else load_source(settings.source_folders, source)
    if named is not None and named.reshape is not None:
        message = f"--source {source} has the kind `mapped`: use `pinrelay preview-source {source}` for its requests"
        raise typer.BadParameter(message)
    catalog = assemble.running_catalog(settings).catalog
    async with opened_outbox(settings) if exists(settings.outbox_url) else nullcontext() as outbox:
        switches = await Switches.read(outbox) if outbox else Switches()
        explainer = assemble.explainer(settings, outbox=outbox, why_off=switches.why_off)
        with opened_file(file) as stream:
            for event in read_event_file(stream, clock=time.time):
                arrived = held_back(event, named) if named else event
                show(await explainer.explain(arrived, catalog, now=time.time(), source=source))


def _print_receipt(explanation: EventReport) -> None:
    print_json(event_json(explanation.receipt))


def _print_json(explanation: EventReport) -> None:
    print_json(event_json(explanation.receipt) | {"presets": [_preset_json(each) for each in explanation.presets]})


def _preset_json(report: PresetReport) -> dict[str, Any]:
    """Return the result of a preset for JSON; the receipt's line has the finished event."""
    return {
        "preset": report.preset,
        "enabled": report.enabled,
        "matched": report.matched,
        "outcome": report.outcome,
        "reason": report.reason,
        "seen_at": report.seen_at,
        "kept": report.kept,
        "conditions": [
            {"condition": each.text, "held": each.held, "blamed": each.blamed, "found": _value(each.found)}
            for each in report.conditions
        ],
        "fields": [
            {
                "field": each.field,
                "from": each.paths,
                "value": _value(each.value),
                "normalised": each.normalised,
                "sent": _value(each.sent),
                **({"nearest": each.nearest} if each.is_missing else {}),
            }
            for each in report.fields
        ],
        "schema_problems": report.schema_problems,
    }


def _value(text: str | None) -> Any:
    return None if text is None else orjson.Fragment(text)


def _print_tables(explanation: EventReport) -> None:
    out, told = Console(), explanation.headline
    headline = escaped(f"{explanation.receipt.message_id or '(no message id)'}: {told.title} {told.text}")
    headline.stylize("bold")
    out.print(headline)
    matched = [report for report in explanation.presets if report.matched]
    for report in matched:
        out.print(_fields_table(report))
    if explanation.presets and not matched:
        table = Table("preset", "condition that failed", "found")
        for report in explanation.presets:
            for each in (condition for condition in report.conditions if condition.blamed):
                add_row(table, report.preset, each.text, each.found or "nothing")
        out.print(table)


def _fields_table(report: PresetReport) -> Table:
    seen = f" ({time_text(report.seen_at)} UTC)" if report.seen_at else ""
    said = ": ".join(filter(None, (report.preset, IN_WORDS[report.outcome], report.reason))) + seen
    if report.kept:
        said += f", but held for now: {report.kept}"
    remarks = [f"warning: {each}" for each in report.warnings]
    remarks += [f"Pinterest's schema: {each}" for each in report.schema_problems]
    caption = escaped("\n".join(remarks), lines=True)
    table = Table("field", "from", "value", title=escaped(said), caption=caption)
    table.add_column("sent", overflow="fold")  # a digest is only useful as a whole
    for each in report.fields:
        paths = ", ".join(each.paths) or "(the mapping itself)"
        nearest = f"; nearest: {each.nearest}" if each.nearest else ""
        value = f"(nothing found{nearest})" if each.is_missing else each.value or ""
        add_row(table, each.field, paths, value, each.sent or "(not sent)")
    return table


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
            print_json({"made": made, **event_json(_receipt(event, lines))})
    except RequestRefused as exc:
        raise typer.BadParameter(exc.reason) from exc


def _pair(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"--header {text!r} has no colon: write it as `Name: value`")
    return name.strip(), value.strip()
