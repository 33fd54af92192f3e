"""`pinrelay import`: history from files, mapped and enqueued like received events, and resumable."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import assemble
from app.catalog.sources import load_source
from app.commands.opened import opened_outbox
from app.commands.options import FORMS, AsJson
from app.commands.row_imports import RowsAsked, import_rows, rows_asked
from app.commands.terminal import add_row, print_json, print_table, time_text
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.events import Event, Exit
from app.core.pages import FileImported
from app.core.receipts import EventReceipt, Receipt
from app.core.shared_values import ERASED_AT, IMPORTED
from app.core.values.texts import count_of, visible
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S, unix_seconds
from app.errors import EventRefused
from app.outbox import Outbox
from app.source import read_event_file

#: So many events share one commit.
BATCH_EVENTS = 1_000
_SECONDS = {"s": 1, "m": MINUTE_S, "h": HOUR_S, "d": DAY_S}

#: Takes events and `now`, and returns what became of them.
_Take: TypeAlias = Callable[..., Awaitable[Receipt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    #: None keeps what the presets say.
    action_source: str | None
    #: Unix seconds; older events are skipped. None takes all.
    since: float | None
    dry_run: bool
    #: Take files from their beginning, whatever earlier runs did of them.
    again: bool


class _Before(NamedTuple):
    """How much of a file earlier runs have imported."""

    file: str
    #: When they ended, Unix seconds.
    at: float
    #: So many were read, from its beginning.
    events: int
    #: Nothing of the file was left to do.
    whole: bool

    def __str__(self) -> str:
        read = f"{self.file}: imported before, {time_text(self.at)} UTC: {count_of(self.events, 'event')}"
        if not self.whole:
            return f"{read}. This run went on behind them"
        remedy = "--again takes it from its beginning; what is remembered of it is a duplicate then"
        return f"{read}, to its end. Nothing of it was taken now: {remedy}"


@dataclass(slots=True, kw_only=True)
class _Summary:
    exits: Counter[Exit] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    before: list[_Before] = field(default_factory=list)

    def add(self, events: tuple[EventReceipt, ...]) -> None:
        for line in (line for event in events for line in event.deliveries):
            self.exits[line.exit] += 1
            if line.reason:
                self.reasons[line.reason] += 1


def import_files(  # noqa: PLR0913 - options are arguments
    files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False, help=FORMS)] = None,
    action_source: Annotated[str | None, typer.Option("--as", help="Send all with this action source.")] = None,
    since: Annotated[str | None, typer.Option(help="Skip older events: 7d, 12h, or an ISO date.")] = None,
    *,
    query: Annotated[str | None, typer.Option(help="SQL that gives rows instead.")] = None,
    where: Annotated[str, typer.Option("--from", help="File or address of the rows: docs/revenue.md.")] = "",
    cursor: Annotated[str | None, typer.Option(help="Column that grows: rows beyond the last run.")] = None,
    source: Annotated[str | None, typer.Option(help="The source, of kind `mapped`, that maps rows.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Files that were imported before are read anew.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Map and report only.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import events from files (NDJSON, JSON arrays, batches, Segment's gzipped archives), or what is new of some rows.

    Interrupted, it goes on where it stopped when it is called again with the same files and options.

    Example: pinrelay import archive/*.gz --as offline --since 7d
    Example: pinrelay import --from postgresql://... --query "SELECT * FROM orders" --cursor updated_at --source crm
    """
    if action_source not in {None, "web", "offline", "app_ios", "app_android"}:
        raise typer.BadParameter("--as is one of web, offline, app_ios, app_android")
    options = _Options(
        action_source=action_source,
        since=_since(since, time.time()) if since else None,
        dry_run=dry_run,
        again=again,
    )
    rows = rows_asked(
        files, where=where, query=query, cursor=cursor, source=source, for_files=again or since is not None
    )
    summary = asyncio.run(_import(load_settings(), files or [], options, rows))
    if as_json:
        facts = {"exits": summary.exits, "reasons": summary.reasons, "skipped": summary.skipped}
        print_json(facts | {"before": [each._asdict() for each in summary.before]})
    else:
        _print(summary)


def _since(text: str, now: float) -> float:
    """Read `7d`, `12h` or an ISO 8601 date as Unix seconds."""
    if text[-1:] in _SECONDS and re.fullmatch("[0-9]{1,6}", text[:-1]):
        return now - int(text[:-1]) * _SECONDS[text[-1]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--since is a span such as 7d or 12h, or an ISO date") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _import(settings: Settings, files: list[Path], options: _Options, rows: RowsAsked | None) -> _Summary:
    summary = _Summary()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    async with opened_outbox(settings) as outbox:
        take = await _taker(settings, outbox, options)
        if rows is not None:
            of_rows = load_source(settings.source_folders, rows.source)
            async for receipt in import_rows(outbox, take, rows, of_rows, keeps_state=not options.dry_run):
                summary.add(receipt.events)
            return summary
        with Progress(*columns, console=Console(stderr=True)) as progress:
            for file in files:
                task = progress.add_task(file.name, total=file.stat().st_size)
                imported = None if options.dry_run else IMPORTED.of(_identity(file, options))
                before = await imported.read(outbox) if imported and not options.again else None
                done = count = before.done if before else 0
                async for count, position in _import_file(file, settings, take, done, options, summary):
                    progress.update(task, completed=position)
                    if imported:
                        await imported.write(outbox, FileImported(done=count, at=time.time()))
                if before:
                    told = _Before(file=str(file), at=before.at, events=done, whole=count == done)
                    summary.before.append(told)
    return summary


async def _import_file(
    file: Path, settings: Settings, take: _Take, done: int, options: _Options, summary: _Summary
) -> AsyncIterator[tuple[int, int]]:
    """Yield after each step how many events are done, and how many bytes of the file are read.

    What an earlier run has `done` is stepped over.
    """
    with file.open("rb") as stream:
        events = read_event_file(stream, clock=time.time, is_live=False, max_depth=settings.max_json_depth)
        left = islice(events, done, None)
        while batch := list(islice(left, BATCH_EVENTS)):
            now = time.time()
            placed = [each.told_in(f"{file}: ") if isinstance(each, EventRefused) else each for each in batch]
            wanted = [event for event in placed if _is_wanted(event, now, options.since)]
            summary.skipped += len(batch) - len(wanted)
            summary.add((await take(wanted, now=now)).events)
            done += len(batch)
            yield done, stream.tell()


async def _taker(settings: Settings, outbox: Outbox, options: _Options) -> _Take:
    """Return what becomes of events: they are mapped and enqueued, or only judged."""
    switches = await Switches.read(outbox)
    catalog = assemble.running_catalog(settings).catalog
    if options.dry_run:
        explainer = assemble.explainer(
            settings, outbox=outbox, why_off=switches.why_off, action_source=options.action_source
        )
        return partial(explainer.receipt, catalog=catalog)
    pipeline = assemble.pipeline(
        settings, catalog, outbox=outbox, why_off=switches.why_off, action_source=options.action_source
    )

    async def taken(events: Sequence[Event | EventRefused], *, now: float, **how: Any) -> Receipt:
        receipt = await pipeline.accept(events, now=now, is_proven=True, **how)
        if any(not isinstance(event, EventRefused) and event["type"] == "delete" for event in events):
            await ERASED_AT.write(outbox, now)  # live tails let go of what they hold
        return receipt

    return taken


def _identity(file: Path, options: _Options) -> str:
    """Name this import of this file: the same content and options go on where they stopped."""
    digest = sha256(f"{file.stat().st_size} {options.action_source}".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(65_536))
    return digest.hexdigest()[:24]


def _is_wanted(event: Event | EventRefused, now: float, since: float | None) -> bool:
    """Return whether an event is young enough; one that could not be read is to be told."""
    return since is None or isinstance(event, EventRefused) or _time_of(event, now) >= since


def _time_of(event: Event, now: float) -> float:
    """Return when the event happened, in Unix seconds; `now` where that cannot be read, so that it is not skipped."""
    told_at = unix_seconds(event.get("timestamp"))
    return now if told_at is None else told_at


def _print(summary: _Summary) -> None:
    table = Table("what became of them", "count")
    for exit_, count in summary.exits.most_common():
        add_row(table, exit_.value, count)
    add_row(table, "skipped as too old", summary.skipped)
    for reason, count in summary.reasons.most_common(10):
        add_row(table, f"  {reason}", count)
    print_table(table)
    for before in summary.before:
        typer.echo(visible(f"{before}."))
