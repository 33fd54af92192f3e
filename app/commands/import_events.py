"""`pinrelay import`: history from files or a warehouse, mapped and enqueued like received events, and resumable."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import assemble
from app.catalog.sources import load_source
from app.commands.terminal import FORMS, AsJson, add_row, opened_outbox, print_json, print_table, say, time_text
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.events import Event, Exit
from app.core.pages import FileImported, RowsImported
from app.core.receipts import EventReceipt, Receipt
from app.core.shared_values import ERASED_AT, IMPORTED, ROW_DIGESTS, ROWS_IMPORTED, SharedValues
from app.core.values.texts import count_of
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S, unix_seconds
from app.errors import EventRefused
from app.outbox import Outbox
from app.source import Arrival, NamedSource, events_of, held_back, read_event_file, read_or_refuse
from app.warehouse import open_rows, temporary_folder

#: So many rows share one commit.
_BATCH_ROWS: Final = 1_000
#: What a record of a row has beside it.
_AROUND: Final[dict[str, Any]] = {"method": "ROW", "headers": {}, "query": {}, "ip": None}
#: Files of rows, which hold no events.
_TABLES: Final = frozenset({".csv", ".tsv", ".parquet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAsked:
    """Which rows are imported, and as whose."""

    where: str
    #: None: the file as it is.
    query: str | None
    cursor: str
    source: str

    @property
    def identity(self) -> str:
        """What the state of this import is kept under. An address may hold a password, so it is a digest."""
        return sha256(orjson.dumps([self.where, self.query, self.cursor, self.source])).hexdigest()[:24]


def rows_asked(
    files: Collection[Path] | None,
    *,
    where: str,
    query: str | None,
    cursor: str | None,
    source: str | None,
    for_files: bool,
) -> RowsAsked | None:
    """Return which rows are meant; None where files are. Raises BadParameter where an option is missing or too many.

    `for_files`: an option is given that files alone have.
    """
    if not (where or query or cursor or source):
        for table in (each for each in files or () if each.suffix.lower() in _TABLES):
            raise typer.BadParameter(f"{table} holds rows: give it by --from, with --cursor and --source")
        if files:
            return None
        raise typer.BadParameter("name files, or rows: --query or --from, with --cursor and --source")
    if files or for_files or cursor is None or source is None or not (where or query):
        raise typer.BadParameter(
            "rows come by --query, --from, or both, with --cursor and --source, without files, --since and --again"
        )
    return RowsAsked(where=where, query=query, cursor=cursor, source=source)


async def import_rows(
    outbox: SharedValues,
    take: Callable[..., Awaitable[Receipt]],
    asked: RowsAsked,
    source: NamedSource,
    *,
    keeps_state: bool,
) -> AsyncIterator[Receipt]:
    """Yield what became of each batch of rows that are new. `take` commits events, or judges them.

    How far it came is written once a batch is committed. A crash in between has it read the batch again, whose events
    are known by their ids. Raises WarehouseError, OutboxUnavailable.
    """
    if source.reshape is None:
        raise typer.BadParameter(f"{source.name} is of kind `segment`: rows are mapped by a source of kind `mapped`")
    progress = _Progress(outbox, asked.identity)
    cursor, known = await progress.begin(time.time(), keeps_state=keeps_state)
    with (
        temporary_folder() as folder,
        open_rows(asked.where, folder, query=asked.query) as table,
    ):
        for rows, cursors in table.batches(asked.cursor, cursor, limit=_BATCH_ROWS):
            now = time.time()
            new = [
                (row, at) for row, at in zip(rows, cursors, strict=True) if at != cursor or _digest(row) not in known
            ]
            arrival = Arrival.at(now, is_live=False)
            records = ({**_AROUND, "body": orjson.loads(row)} for row, _ in new)
            events = (read_or_refuse(each, arrival) for each in events_of(records, source.reshape))
            yield await take([held_back(each, source) for each in events], now=now, source=source.name)
            if keeps_state and new:
                await progress.reached(cursors[-1], [_digest(row) for row, at in new if at == cursors[-1]], now)


class _Progress:
    """How far it came, as the outbox keeps it. What is written with a batch does not grow with what was imported."""

    def __init__(self, shared: SharedValues, identity: str) -> None:
        self._shared = shared
        self._head = ROWS_IMPORTED.of(identity)
        self._digests = ROW_DIGESTS.under(identity)
        self._state = RowsImported(at=0)

    async def begin(self, now: float, *, keeps_state: bool) -> tuple[str | None, frozenset[str]]:
        """Return the cursor that was reached, None at first, and the digests of the rows that have it.

        With `keeps_state` it is written that it goes on, so that retention leaves it; what a crash left is taken away.
        """
        self._state = replace(await self._head.read(self._shared) or self._state, at=now)
        parts = await self._digests.read_all(self._shared)
        wanted = set(map(str, range(self._state.first, self._state.end)))
        if keeps_state:
            await self._head.write(self._shared, self._state)
            await self._take_away(parts.keys() - wanted)
        return self._state.cursor, frozenset(row for name in parts.keys() & wanted for row in parts[name])

    async def reached(self, cursor: str, digests: Collection[str], now: float) -> None:
        """Write that all rows up to this one are committed, of which these, that are new, have its cursor."""
        before, end = self._state, self._state.end
        if digests:
            await self._digests.of(str(end)).write(self._shared, tuple(digests))
            end += 1
        first = before.first if cursor == before.cursor else before.end
        self._state = RowsImported(cursor=cursor, first=first, end=end, at=now)
        await self._head.write(self._shared, self._state)
        await self._take_away(map(str, range(before.first, first)))

    async def _take_away(self, names: Iterable[str]) -> None:
        for name in names:
            await self._digests.of(name).write(self._shared, None)


def _digest(row: str) -> str:
    return sha256(row.encode()).hexdigest()[:16]


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
        say(f"{before}.")
