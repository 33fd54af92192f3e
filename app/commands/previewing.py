"""`pinrelay check` and `pinrelay preview`: what the presets and mappings are, and what they make of events."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app import assemble
from app.catalog import MAX_ENABLED_PRESETS, Catalog, Preset
from app.commands.options import AsJson
from app.config import Settings, load_settings
from app.errors import EventError, EventRefused
from app.receiving.pipeline import Pipeline
from app.source import Arrival, event_json, read_event
from app.source.body import read_body
from app.source.parse_json import parse
from app.types import Event, EventReceipt, Exit, Line
from app.values.hidden_emails import unpersonal_id

Presets = Annotated[list[Path] | None, typer.Option("--presets", help="Folder of presets, instead of PRESETS_DIR.")]
Mappings = Annotated[list[Path] | None, typer.Option("--mappings", help="Folder of mappings, not MAPPINGS_DIR.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command()(check)
    cli.command()(preview)


def check(presets: Presets = None, mappings: Mappings = None, *, as_json: AsJson = False) -> None:
    """Check presets and mappings, and print the table of presets.

    Lists every fault with file, place and remedy, and exits with 1 where there is one.

    Example: pinrelay check --presets presets
    """
    catalog = assemble.running_catalog(_settings(presets, mappings)).catalog
    if as_json:
        sys.stdout.write(orjson.dumps([_row(preset) for preset in catalog.presets]).decode() + "\n")
        return
    table = Table("preset", "sends", "on", "trigger", title=f"{len(catalog.enabled)} of {MAX_ENABLED_PRESETS} presets")
    for row in map(_row, catalog.presets):
        table.add_row(row["preset"], row["event_name"], "yes" if row["enabled"] else "no", row["subscribe"])
    Console().print(table)


def _row(preset: Preset) -> dict[str, Any]:
    name = preset.fields["event_name"]
    return {
        "preset": preset.name,
        "event_name": name if isinstance(name, str) else "(computed)",
        "enabled": preset.enabled,
        "subscribe": preset.trigger.text,
        "file": preset.file,
    }


def preview(
    file: Annotated[Path, typer.Argument(help="Events as JSON, a JSON array or NDJSON; - is standard input.")] = Path(
        "-"
    ),
    presets: Presets = None,
    mappings: Mappings = None,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Print fields, paths and values as a table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: what --explain tells as well.")] = False,
) -> None:
    """Show what would become of events; sends and stores nothing.

    Prints one JSON line an event: its message id and, for each preset that takes it, exit, reason, warnings, event.
    With --explain a table for each preset that takes it, or a JSON line: its fields, the paths they came from, values.

    Example: pinrelay preview order.json --explain
    """
    pipeline = assemble.pipeline(_settings(presets, mappings))
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as exc:
        message = f"{file} cannot be read: {exc.strerror}"
        raise typer.BadParameter(message) from exc
    for event in _events(raw):
        if explain:
            _explain(pipeline.catalog, event, as_json=as_json)
        else:
            sys.stdout.write(_preview_line(pipeline, event) + "\n")


def _settings(presets: list[Path] | None, mappings: list[Path] | None) -> Settings:
    """Read the settings, with folders of the command line in place of theirs."""
    folders = {"presets_dir": presets, "mappings_dir": mappings}
    return load_settings(**{name: tuple(given) for name, given in folders.items() if given})


def _events(raw: bytes) -> Iterator[Event | EventRefused]:
    """Read one event, an array, a batch, or a line each."""
    lines = [line for line in raw.splitlines() if line.strip()]
    arrival = Arrival.at(time.time())
    for number, text in enumerate([raw] if _is_json(raw) else lines, start=1):
        try:
            members = read_body(text).members[:]
        except EventError:
            yield EventRefused(f"line {number} is not JSON")
            continue
        for member in members:
            try:
                yield read_event(member, arrival)
            except EventRefused as exc:
                yield exc


def _is_json(raw: bytes) -> bool:
    try:
        parse(raw)
    except EventError:
        return False
    return True


def _preview_line(pipeline: Pipeline, event: Event | EventRefused) -> str:
    if isinstance(event, EventRefused):
        lines, message_id = [Line(preset=None, exit=Exit.REFUSED, reason=event.reason)], event.message_id
    else:
        lines, message_id = pipeline.preview(event, now=time.time()), unpersonal_id(event["messageId"])
    return orjson.dumps(event_json(EventReceipt(message_id=message_id, deliveries=tuple(lines)))).decode()


def _explain(catalog: Catalog, event: Event | EventRefused, *, as_json: bool) -> None:
    """Print, for each preset that takes the event, each field with the paths it came from."""
    show = _show_json if as_json else _show_table
    if isinstance(event, EventRefused):
        show({"message_id": event.message_id, "refused": event.reason})
        return
    for preset in catalog.enabled:
        if preset.trigger.matches(event):
            fields = [
                {"field": row.path, "from": [read.path for read in row.reads], "value": row.value}
                for row in preset.mapping.explain(event)
            ]
            show({"message_id": unpersonal_id(event["messageId"]), "preset": preset.name, "fields": fields})


def _show_json(explained: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(explained).decode() + "\n")


def _show_table(explained: dict[str, Any]) -> None:
    if "refused" in explained:
        Console().print(f"refused: {explained['refused']}")
        return
    table = Table("field", "from", "value", title=f"{explained['message_id']}: {explained['preset']}")
    for row in explained["fields"]:
        table.add_row(
            row["field"], ", ".join(row["from"]) or "(the mapping itself)", orjson.dumps(row["value"]).decode()
        )
    Console().print(table)
