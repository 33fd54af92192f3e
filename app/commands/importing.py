"""`pinrelay import`: history from files, mapped and enqueued like received events, and resumable."""

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import IO, Annotated, Any, cast

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import assemble
from app.config import Settings, load_settings
from app.errors import EventError, EventRefused
from app.outbox import Outbox, open_outbox
from app.policies import outbox_rules
from app.receiving.pipeline import Pipeline
from app.shared_values import IMPORTED
from app.source import Arrival, read_event
from app.source.parse_json import parse
from app.types import Event, EventReceipt, Exit

#: So many events share one commit.
BATCH_EVENTS = 1_000
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    #: None keeps what the presets say.
    action_source: str | None
    #: Unix seconds; older events are skipped. None takes all.
    since: float | None
    dry_run: bool


@dataclass(slots=True, kw_only=True)
class _Summary:
    exits: Counter[Exit] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    def add(self, events: tuple[EventReceipt, ...]) -> None:
        for line in (line for event in events for line in event.deliveries):
            self.exits[line.exit] += 1
            if line.reason:
                self.reasons[line.reason] += 1


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("import")(import_files)


def import_files(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="NDJSON or JSON arrays; gzip too.")],
    action_source: Annotated[str | None, typer.Option("--as", help="Send all with this action source.")] = None,
    since: Annotated[str | None, typer.Option(help="Skip older events: 7d, 12h, or an ISO date.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Map and report only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Import events from files: NDJSON, JSON arrays, or Segment's gzipped archives.

    Interrupted, it goes on where it stopped when it is called again with the same files and options.

    Example: pinrelay import archive/*.gz --as offline --since 7d
    """
    if action_source not in {None, "web", "offline", "app_ios", "app_android"}:
        message = "--as is one of web, offline, app_ios, app_android"
        raise typer.BadParameter(message)
    options = _Options(
        action_source=action_source, since=_since(since, time.time()) if since else None, dry_run=dry_run
    )
    summary = asyncio.run(_import(load_settings(), files, options))
    if as_json:
        facts = {"exits": summary.exits, "reasons": summary.reasons, "skipped": summary.skipped}
        typer.echo(orjson.dumps(facts, option=orjson.OPT_NON_STR_KEYS).decode())
    else:
        _print(summary)


def _since(text: str, now: float) -> float:
    """Read `7d`, `12h` or an ISO 8601 date as Unix seconds."""
    if text[:-1].isdigit() and text[-1] in _SECONDS:
        return now - int(text[:-1]) * _SECONDS[text[-1]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = "--since is a span such as 7d or 12h, or an ISO date"
        raise typer.BadParameter(message) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _import(settings: Settings, files: list[Path], options: _Options) -> _Summary:
    outbox = open_outbox(settings.outbox_url, outbox_rules(settings))
    pipeline = assemble.pipeline(settings, outbox=outbox, action_source=options.action_source)
    summary = _Summary()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            for file in files:
                task = progress.add_task(file.name, total=sum(1 for _ in _records(file)))
                async for count in _import_file(file, pipeline, outbox, options, summary):
                    progress.advance(task, count)
    finally:
        await outbox.close()
    return summary


async def _import_file(
    file: Path, pipeline: Pipeline, outbox: Outbox, options: _Options, summary: _Summary
) -> AsyncIterator[int]:
    """Yield how many records each step took; what an earlier run committed is stepped over at once."""
    progress = IMPORTED.of(_identity(file, options))
    done = 0 if options.dry_run else await progress.read(outbox) or 0
    records = islice(_records(file), done, None)
    yield done
    while batch := list(islice(records, BATCH_EVENTS)):
        now = time.time()
        events = [event for record in batch if (event := _read(record, now, options.since))]
        summary.skipped += len(batch) - len(events)
        summary.add(await _take(pipeline, events, now=now, dry_run=options.dry_run))
        done += len(batch)
        if not options.dry_run:
            await progress.write(outbox, done)
        yield len(batch)


async def _take(
    pipeline: Pipeline, events: list[Event | EventRefused], *, now: float, dry_run: bool
) -> tuple[EventReceipt, ...]:
    if not dry_run:
        return (await pipeline.accept(events, now=now)).events
    return pipeline.draft(events, now=now)


def _identity(file: Path, options: _Options) -> str:
    """Name this import of this file: the same content and options go on where they stopped."""
    digest = sha256(f"{file.stat().st_size} {options.action_source}".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(65_536))
    return digest.hexdigest()[:24]


def _records(file: Path) -> Iterator[Any]:
    """Yield the JSON values of a file; one that cannot be read is an EventRefused."""
    with _open(file) as stream:
        first = next((line for line in stream if line.strip()), b"")
        if first.lstrip().startswith(b"["):
            yield from parse(first + stream.read())
            return
        yield from map(_parse, filter(bytes.strip, chain([first], stream)))


def _open(file: Path) -> IO[bytes]:
    with file.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(file)) if zipped else file.open("rb")


def _parse(line: bytes) -> Any:
    try:
        return parse(line)
    except EventError as exc:
        return EventRefused(exc.reason)


def _read(record: Any, now: float, since: float | None) -> Event | EventRefused | None:
    """Read one record; None where it is older than wanted."""
    if isinstance(record, EventRefused):
        return record
    try:
        event = read_event(record, Arrival.at(now))
    except EventRefused as exc:
        return exc
    return None if since is not None and _time_of(event, now) < since else event


def _time_of(event: Event, now: float) -> float:
    """Return when the event happened, in Unix seconds; `now` where that cannot be read, so that it is not skipped."""
    try:
        moment = datetime.fromisoformat(event["timestamp"])
    except (TypeError, ValueError):
        return now
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _print(summary: _Summary) -> None:
    table = Table("what became of them", "count")
    for exit_, count in summary.exits.most_common():
        table.add_row(exit_.value, str(count))
    table.add_row("skipped as too old", str(summary.skipped))
    for reason, count in summary.reasons.most_common(10):
        table.add_row(f"  {reason}", str(count))
    Console().print(table)
