"""Rows of a warehouse as events: what is new since the last run, each once."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
import typer

from app.core.pages import RowsImported
from app.core.receipts import Receipt
from app.core.shared_values import ROW_DIGESTS, ROWS_IMPORTED, SharedValues
from app.source import Arrival, NamedSource, events_of, held_back, read_or_refuse
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
