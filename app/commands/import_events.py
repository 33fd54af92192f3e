"""`pinrelay import`: history from files or a warehouse, mapped and enqueued like received events, and resumable."""

import asyncio
import re
import time
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app import assemble
from app.access.audit import Audit
from app.catalog.sources import load_source
from app.commands.terminal import FORMS, AsJson, add_row, caller, opened_outbox, print_json, print_line, print_table
from app.config import Settings, load_settings
from app.core.coordination import Switches
from app.core.events import DEFAULT_SOURCE
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from app.operations.import_events import FileOptions, ImportActs, ImportSummary, RowSelection, Take
from app.outbox import Outbox

#: Files of rows, which contain no events.
_TABLES: Final = frozenset({".csv", ".tsv", ".parquet"})


def read_row_selection(
    files: Collection[Path] | None,
    *,
    where: str,
    query: str | None,
    cursor: str | None,
    source: str | None,
    for_files: bool,
) -> RowSelection | None:
    """Return the selected rows; `None` for files. Raises BadParameter if an option is missing or superfluous.

    `for_files`: an option for files is given.
    """
    if not (where or query or cursor or source):
        for table in (each for each in files or () if each.suffix.lower() in _TABLES):
            raise typer.BadParameter(
                f"{table} has rows, not events: import it with --from {table} --cursor COLUMN --source NAME"
            )
        if files:
            return None
        raise typer.BadParameter("nothing to import: give files, or rows by --from or --query, --cursor and --source")
    if files or for_files or cursor is None or source is None or not (where or query):
        raise typer.BadParameter(
            "rows need --from or --query, and both --cursor and --source; "
            "leave out files, --since, --again and --authors, which are for files of events"
        )
    return RowSelection(where=where, query=query, cursor=cursor, source=source)


_SECONDS = {"s": 1, "m": MINUTE_S, "h": HOUR_S, "d": DAY_S}


Authors = Annotated[
    Literal["server", "browser"] | None,
    typer.Option(
        help="Who made the events of files: trusted by `server`, public by `browser`. Default: as those of `/webhook`."
    ),
]


def import_files(  # noqa: PLR0913 - options are arguments
    files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False, help=FORMS)] = None,
    action_source: Annotated[str | None, typer.Option("--as", help="Action source to send with every event.")] = None,
    since: Annotated[str | None, typer.Option(help="Skip older events: 7d, 12h, or an ISO date.")] = None,
    *,
    query: Annotated[str | None, typer.Option(help="SQL query whose rows to import.")] = None,
    where: Annotated[str, typer.Option("--from", help="File or database address of rows, see docs/revenue.md.")] = "",
    cursor: Annotated[
        str | None, typer.Option(help="Column that only grows. A run reads rows after the last one.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Name of the source that maps rows; its kind is `mapped`.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Read files from the start even if imported before.")] = False,
    authors: Authors = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Map and report; store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import events from files (NDJSON, JSON arrays, batches, Segment's gzipped archives), or new rows of a table.

    To resume an interrupted import, run the same command again.

    Example: pinrelay import archive/*.gz --as offline --since 7d
    Example: pinrelay import --from postgresql://... --query "SELECT * FROM orders" --cursor updated_at --source crm
    """
    if action_source not in {None, "web", "offline", "app_ios", "app_android"}:
        raise typer.BadParameter(f"--as {action_source} is unknown: use web, offline, app_ios or app_android")
    settings = load_settings()
    options = FileOptions(
        action_source=action_source,
        since=_since(since, time.time()) if since else None,
        again=again,
        is_trusted=_is_trusted(settings, authors),
    )
    rows = read_row_selection(
        files, where=where, query=query, cursor=cursor, source=source, for_files=again or bool(since or authors)
    )
    summary = asyncio.run(_import(settings, files or [], options, rows, is_dry=dry_run))
    if as_json:
        facts = {"outcomes": summary.outcomes, "reasons": summary.reasons, "skipped": summary.skipped}
        print_json(facts | {"before": [each._asdict() for each in summary.before]})
    else:
        _print(summary)


def _is_trusted(settings: Settings, authors: str | None) -> bool:
    """Return whether events of files are trusted: as those of /webhook, unless `authors` is given."""
    if authors is None:
        return assemble.source_traits(settings, None)(DEFAULT_SOURCE).is_trusted
    return authors == "server"


def _since(text: str, now: float) -> float:
    if text[-1:] in _SECONDS and re.fullmatch("[0-9]{1,6}", text[:-1]):
        return now - int(text[:-1]) * _SECONDS[text[-1]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"--since {text} is not a time: write a span such as 7d or 12h, or a date such as 2026-11-25"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _import(
    settings: Settings, files: list[Path], options: FileOptions, rows: RowSelection | None, *, is_dry: bool
) -> ImportSummary:
    async with opened_outbox(settings) as outbox:
        take = await _taker(settings, outbox, options.action_source, is_dry=is_dry)
        acts = ImportActs(outbox, take, Audit(outbox, time.time), is_dry=is_dry)
        if rows is not None:
            return await acts.import_rows(caller(), rows, load_source(settings.source_folders, rows.source))
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            tasks = {file: progress.add_task(file.name, total=file.stat().st_size) for file in files}
            return await acts.import_files(
                caller(),
                files,
                options,
                on_progress=lambda file, position: progress.update(tasks[file], completed=position),
            )


async def _taker(settings: Settings, outbox: Outbox, action_source: str | None, *, is_dry: bool) -> Take:
    switches = await Switches.read(outbox)
    catalog = assemble.running_catalog(settings).catalog
    how: dict[str, Any] = {"outbox": outbox, "why_off": switches.why_off, "action_source": action_source}
    if is_dry:
        return partial(assemble.explainer(settings, **how).receipt, catalog=catalog)
    return assemble.pipeline(settings, catalog, **how).accept


def _print(summary: ImportSummary) -> None:
    table = Table("result", "events")
    for outcome, count in summary.outcomes.most_common():
        add_row(table, outcome.value, count)
    add_row(table, "skipped as too old", summary.skipped)
    for reason, count in summary.reasons.most_common(10):
        add_row(table, f"  {reason}", count)
    print_table(table)
    for before in summary.before:
        print_line(f"{before}.")
