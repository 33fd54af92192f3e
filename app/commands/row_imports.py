"""Rows of a warehouse as events: what is new since the last run, each once."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import typer

from app.shared_values import ROWS_IMPORTED, SharedValues
from app.source import Arrival, NamedSource, events_of, held_back, read_or_refuse
from app.types import Receipt, RowsImported
from app.warehouse import Batch, open_rows

#: So many rows share one commit.
_BATCH_ROWS: Final = 1_000
#: What a record of a row has beside it.
_AROUND: Final[dict[str, Any]] = {"method": "ROW", "headers": {}, "query": {}, "ip": None}


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
    since: str | None,
) -> RowsAsked | None:
    """Return which rows are meant; None where files are. Raises BadParameter where an option is missing or too many."""
    if not (where or query or cursor or source):
        if files:
            return None
        message = "name files, or rows: --query or --from, with --cursor and --source"
        raise typer.BadParameter(message)
    if files or since or cursor is None or source is None or not (where or query):
        message = "rows come by --query, --from, or both, with --cursor and --source, without files and --since"
        raise typer.BadParameter(message)
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
        message = f"{source.name} is of kind `segment`: rows are mapped by a source of kind `mapped`"
        raise typer.BadParameter(message)
    key = ROWS_IMPORTED.of(asked.identity)
    done = await key.read(outbox)
    with (
        TemporaryDirectory(prefix="pinrelay-") as folder,
        open_rows(asked.where, Path(folder), query=asked.query) as table,
    ):
        for batch in table.batches(asked.cursor, None if done is None else done.cursor, limit=_BATCH_ROWS):
            now = time.time()
            arrival = Arrival.at(now, is_live=False)
            records = ({**_AROUND, "body": orjson.loads(row)} for row in _new_rows(batch, done))
            events = (read_or_refuse(each, arrival) for each in events_of(records, source.reshape))
            yield await take([held_back(each, source) for each in events], now=now, source=source.name)
            done = _reached(batch, done)
            if keeps_state:
                await key.write(outbox, done)


def _new_rows(batch: Batch, done: RowsImported | None) -> Sequence[str]:
    """Return the rows of a batch that are not committed yet."""
    if done is None:
        return batch.rows
    pairs, known = zip(batch.rows, batch.cursors, strict=True), frozenset(done.rows)
    return [row for row, at in pairs if at != done.cursor or _digest(row) not in known]


def _reached(batch: Batch, done: RowsImported | None) -> RowsImported:
    """Return how far it is come with a batch."""
    last = batch.cursors[-1]
    rows = [_digest(row) for row, at in zip(batch.rows, batch.cursors, strict=True) if at == last]
    before = done.rows if done is not None and done.cursor == last else ()
    return RowsImported(cursor=last, rows=tuple(dict.fromkeys((*before, *rows))))


def _digest(row: str) -> str:
    return sha256(row.encode()).hexdigest()[:16]
