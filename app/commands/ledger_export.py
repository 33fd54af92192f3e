"""`pinrelay ledger-export`: export each day of the ledger as Parquet files, before retention deletes it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.commands.terminal import AsJson, print_json, print_line, require_outbox, writing
from app.config import Settings, load_settings
from app.core.values.texts import count_of
from app.core.values.times import day_number
from app.errors import SettingsError
from app.outbox import Store, open_store
from app.outbox.transfer import SETTLED_AT, LedgerKind

#: The number of rows that are read at once, and written as a row group.
READ_ROWS: Final = 10_000
#: Data that was settled at the end of a day may be committed a moment later.
_SETTLING: Final = timedelta(minutes=10)
#: The kinds of rows in each file.
_FILES: Final = {
    "deliveries": (LedgerKind.DELIVERED, LedgerKind.DEAD),
    "dropped_events": (LedgerKind.DROPPED_EVENTS,),
    "counts": (LedgerKind.COUNTS,),
}


def ledger_export(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Folder for the files. Created if missing.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Export the ledger of each past day as Parquet files: deliveries, dropped events and counts.

    Run it once a day: existing files are kept. Needs the extra `files`.

    Example: pinrelay ledger-export /var/lib/pinrelay/ledger
    """
    settings = load_settings()
    require_outbox(settings.outbox_url)
    with writing("FOLDER"):
        folder.mkdir(parents=True, exist_ok=True)
    files = list(_missing(settings, folder, datetime.fromtimestamp(time.time(), UTC)))
    written = asyncio.run(_export(settings.outbox_url, files))
    if as_json:
        print_json({"files": written})
    else:
        for name, rows in written.items():
            print_line(f"{name}  {count_of(rows, 'row')}")
        print_line(f"{count_of(len(written), 'file')} written.")


def _missing(settings: Settings, folder: Path, now: datetime) -> Iterator[tuple[Path, date, tuple[LedgerKind, ...]]]:
    """Yield the missing files, for past days of which the ledger may have data."""
    today = (now - _SETTLING).date()
    kept = int(max(settings.retention_days.delivered, settings.retention_days.other)) + 2
    for day in (today - timedelta(days=ago) for ago in range(kept, 0, -1)):
        for name, pasts in _FILES.items():
            path = folder / f"{name}-{day}.parquet"
            if not path.exists():
                yield path, day, pasts


async def _export(url: str, files: list[tuple[Path, date, tuple[LedgerKind, ...]]]) -> dict[str, int]:
    """Write files; return the number of rows of each. A day without data has no file.

    Raises SettingsError if pyarrow is missing.
    """
    try:
        from app.commands.parquet_files import ParquetFile  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as exc:
        raise SettingsError("ledger-export needs the extra `files`: pip install pinrelay[files]") from exc
    store = open_store(url)
    written: dict[str, int] = {}
    try:
        for path, day, pasts in files:
            with ParquetFile(path) as file:
                async for past, rows in _batches(store, pasts, day):
                    file.write(past, rows)
            if file.rows:
                written[path.name] = file.rows
    finally:
        await store.close()
    return written


async def _batches(
    store: Store, pasts: tuple[LedgerKind, ...], day: date
) -> AsyncIterator[tuple[LedgerKind, list[list[Any]]]]:
    number = day_number(day)
    for past in pasts:
        after = (0.0, 0)
        while rows := await store.read_day(past, number, after=after, limit=READ_ROWS):
            yield past, rows
            if past is LedgerKind.COUNTS or len(rows) < READ_ROWS:
                break
            after = _place(past, rows[-1])


def _place(past: LedgerKind, row: list[Any]) -> tuple[float, int]:
    return (row[-1] if past is LedgerKind.DROPPED_EVENTS else row[SETTLED_AT] or 0.0), row[0]
