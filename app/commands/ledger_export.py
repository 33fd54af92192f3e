"""`pinrelay ledger-export`: the ledger as Parquet files, a day each, before it goes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self

import orjson
import pyarrow as pa
import typer
from pyarrow import parquet

from app.commands.terminal import AsJson, print_json, require_outbox, say, writing
from app.config import Settings, load_settings
from app.core.values.texts import count_of
from app.core.values.times import day_number
from app.errors import SettingsError
from app.outbox import DeliveryRow, Past, Store, open_store, read_warnings

_TEXT, _MOMENT = pa.string(), pa.timestamp("us", tz="UTC")
_ATTEMPT = pa.struct(
    [("number", pa.int32()), ("at", _MOMENT), ("exit", _TEXT), ("status", pa.int32()), ("message", _TEXT)]
)
_ORDER = [(name, _TEXT) for name in ("order_id", "amount", "currency", "source")]
_NAMES = (
    "ad_account_id",
    "preset",
    "message_id",
    "event_name",
    "event_id",
    "action_source",
    "checkout_id",
    "state",
    "name",
)
_DELIVERIES = pa.schema(
    [
        ("delivery_id", pa.int64()),
        *((name, _TEXT) for name in _NAMES),
        *_ORDER,
        ("reason", _TEXT),
        ("attempts", pa.int32()),
        ("event_time", _MOMENT),
        ("enqueued_at", _MOMENT),
        ("settled_at", _MOMENT),
        ("warnings", pa.list_(_TEXT)),
        ("history", pa.list_(_ATTEMPT)),
    ]
)
_NOTES = pa.schema(
    [
        *((name, _TEXT) for name in ("message_id", "ad_account_id", "preset", "exit", "reason", "event_name", "name")),
        *_ORDER,
        ("warnings", pa.list_(_TEXT)),
        ("at", _MOMENT),
    ]
)
_COUNTED_BY = ("name", "preset", "label", "ad_account_id", "source")
_COUNTS = pa.schema([("hour", _MOMENT), *((name, _TEXT) for name in _COUNTED_BY), ("count", pa.int64())])


class ParquetFile:
    """One file, made with its first rows; on leaving the context it is there whole, and after a failure not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._writer: Any = None
        self.rows = 0

    def __enter__(self) -> Self:
        """Begin the file; it is made with its first rows."""
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        """Put the file in its place, or take it away."""
        if self._writer:
            self._writer.close()
            if failure is None:
                self._part.replace(self._path)
            with suppress(FileNotFoundError):
                self._part.unlink()

    def write(self, past: Past, rows: list[list[Any]]) -> None:
        """Append rows."""
        schema, record = _FORMS[past]
        self._writer = self._writer or parquet.ParquetWriter(self._part, schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist([record(row) for row in rows], schema=schema))
        self.rows += len(rows)


def _delivery_record(row: list[Any]) -> dict[str, Any]:
    delivery = DeliveryRow._make(row)
    return {
        **delivery._asdict(),
        "delivery_id": delivery.id,
        "warnings": read_warnings(delivery.warnings),
        "history": [
            {"number": number, "at": _moment(at), "exit": exit_, "status": status, "message": message}
            for number, at, exit_, status, message in delivery.history
        ],
        **{name: _moment(getattr(delivery, name)) for name in ("event_time", "enqueued_at", "settled_at")},
    }


def _note_record(row: list[Any]) -> dict[str, Any]:
    _, message_id, account, preset, exit_, reason, warnings, event_name, *rest = row
    order_id, amount, currency, source, name, at = rest
    return {
        "message_id": message_id,
        "ad_account_id": account,
        "preset": preset,
        "exit": exit_,
        "reason": reason,
        "warnings": orjson.loads(warnings),
        "event_name": event_name,
        "name": name,
        "order_id": order_id,
        "amount": amount,
        "currency": currency,
        "source": source,
        "at": _moment(at),
    }


def _count_record(row: list[Any]) -> dict[str, Any]:
    hour, *counted_by, count = row
    return {"hour": _moment(hour), **dict(zip(_COUNTED_BY, counted_by, strict=True)), "count": count}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


#: The columns of a file, and what makes records of rows.
_FORMS: Final = {
    Past.DELIVERED: (_DELIVERIES, _delivery_record),
    Past.DEAD: (_DELIVERIES, _delivery_record),
    Past.NOTES: (_NOTES, _note_record),
    Past.COUNTS: (_COUNTS, _count_record),
}


#: So many rows are read at once, and become a group of their file.
READ_ROWS: Final = 10_000
#: What was settled when a day ended may be committed a moment later.
_SETTLING: Final = timedelta(minutes=10)
#: Of which rows a file is made.
_FILES: Final = {"deliveries": (Past.DELIVERED, Past.DEAD), "notes": (Past.NOTES,), "counts": (Past.COUNTS,)}


def ledger_export(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Where the files go; it is made where missing.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write what the ledger holds of each day that is over: deliveries, notes and counts, as Parquet.

    A file that is there already is left alone, so that calling it once a day is enough. Needs the extra `files`.

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
            say(f"{name}  {count_of(rows, 'row')}")
        say(f"{count_of(len(written), 'file')} written.")


def _missing(settings: Settings, folder: Path, now: datetime) -> Iterator[tuple[Path, date, tuple[Past, ...]]]:
    """Yield the files that are missing, of days that are over and of which the ledger may hold something."""
    today = (now - _SETTLING).date()
    kept = int(max(settings.ledger_delivered_days, settings.ledger_days)) + 2
    for day in (today - timedelta(days=ago) for ago in range(kept, 0, -1)):
        for name, pasts in _FILES.items():
            path = folder / f"{name}-{day}.parquet"
            if not path.exists():
                yield path, day, pasts


async def _export(url: str, files: list[tuple[Path, date, tuple[Past, ...]]]) -> dict[str, int]:
    """Write files; return how many rows each has. Where nothing is kept of a day there is none.

    Raises SettingsError where pyarrow is missing.
    """
    try:
        pass
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


async def _batches(store: Store, pasts: tuple[Past, ...], day: date) -> AsyncIterator[tuple[Past, list[list[Any]]]]:
    """Yield what was over on the day."""
    number = day_number(day)
    for past in pasts:
        after = (0.0, 0)
        while rows := await store.read_day(past, number, after=after, limit=READ_ROWS):
            yield past, rows
            if past is Past.COUNTS or len(rows) < READ_ROWS:
                break
            after = _place(past, rows[-1])


def _place(past: Past, row: list[Any]) -> tuple[float, int]:
    """Return the moment and the id of a row."""
    return (row[-1], row[0]) if past is Past.NOTES else (DeliveryRow._make(row).settled_at or 0.0, row[0])
