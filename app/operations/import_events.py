"""Import history: events of files, and rows of a warehouse.

Each batch is committed before the next, and imports are resumable.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from app.access.audit import Audit
from app.access.users import Person
from app.core.events import Event, Outcome
from app.core.pages import AuditAction, FileImported, RowsImported
from app.core.receipts import EventReceipt, Receipt
from app.core.shared_values import IMPORTED, ROW_DIGESTS, ROWS_IMPORTED, SharedValues
from app.core.values.texts import count_of
from app.core.values.times import at_second, unix_seconds
from app.errors import EventRefused, WarehouseError
from app.source import Arrival, Intake, NamedSource
from app.source.event import read_or_refuse
from app.source.event_files import read_event_file
from app.source.named_sources import events_of, held_back
from app.warehouse import open_rows, temporary_folder

#: The number of rows, or events of a file, in a commit.
_BATCH: Final = 1_000
#: The members of a row's record except its body.
_AROUND: Final[dict[str, Any]] = {"method": "ROW", "headers": {}, "query": {}, "ip": None}

#: Commits events and returns the receipt.
Take: TypeAlias = Callable[[Intake], Awaitable[Receipt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSelection:
    """The rows to import, and their source."""

    where: str
    query: str | None
    cursor: str
    source: str

    @property
    def identity(self) -> str:
        """Return the key of this import's state: a digest, because an address may contain a password."""
        return sha256(orjson.dumps([self.where, self.query, self.cursor, self.source])).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """Options for events of files."""

    #: `None`: the presets decide.
    action_source: str | None
    #: Unix seconds; older events are skipped. `None` imports all.
    since: float | None
    #: Import files from their start, regardless of earlier runs.
    again: bool
    #: The author of the events of the source `default` is authenticated by a secret.
    is_trusted: bool = True


class ImportedBefore(NamedTuple):
    """The progress of earlier runs in a file."""

    file: str
    #: The end of the last run, Unix seconds.
    at: float
    #: The number of events that were read from the start.
    events: int
    #: The whole file was already imported.
    whole: bool

    def __str__(self) -> str:
        """Return a sentence about the earlier import, and its effect on this run."""
        read = f"{self.file}: imported before, {at_second(self.at)}: {count_of(self.events, 'event')}"
        if not self.whole:
            return f"{read}. This run continued after them"
        remedy = "use --again to read the file from the start; events that are still known become duplicates"
        return f"{read}, to its end. This run imported nothing from it: {remedy}"


@dataclass(slots=True, kw_only=True)
class ImportSummary:
    """The outcomes of imported events; in a dry run, the outcomes that they would have."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    before: list[ImportedBefore] = field(default_factory=list)

    def add(self, events: tuple[EventReceipt, ...]) -> None:
        """Count the outcomes of some events."""
        for line in (line for event in events for line in event.deliveries):
            self.outcomes[line.outcome] += 1
            if line.reason:
                self.reasons[line.reason] += 1


class ImportActs:
    """Imports events. Every method may raise OutboxUnavailable."""

    def __init__(self, shared: SharedValues, take: Take, audit: Audit, *, is_dry: bool) -> None:
        """Use the store of progress, and the function that commits events. `is_dry`: events are only previewed."""
        self._shared = shared
        self._take = take
        self._audit = audit
        self._is_dry = is_dry

    async def import_files(
        self,
        person: Person,
        files: Collection[Path],
        options: FileOptions,
        *,
        on_progress: Callable[[Path, int], object],
    ) -> ImportSummary:
        """Import events of files; return the outcomes. `on_progress` gets the number of read bytes."""
        async with self._noted(person, count_of(len(files), "file")) as summary:
            for file in files:
                await self._import_file(file, options, summary, on_progress)
        return summary

    async def import_rows(self, person: Person, asked: RowSelection, source: NamedSource) -> ImportSummary:
        """Import the new rows; return the outcomes. Raises WarehouseError."""
        async with self._noted(person, f"rows for source {source.name}") as summary:
            async for receipt in self.new_rows(asked, source):
                summary.add(receipt.events)
        return summary

    @asynccontextmanager
    async def _noted(self, person: Person, target: str) -> AsyncIterator[ImportSummary]:
        """Write the import to the audit log, even if it ends early."""
        summary = ImportSummary()
        try:
            yield summary
        finally:
            if not self._is_dry:
                after = ", ".join(f"{count} {outcome.value}" for outcome, count in summary.outcomes.most_common())
                await self._audit.note(person, AuditAction.IMPORTED, target=target, after=after or "nothing new")

    async def _import_file(
        self, file: Path, options: FileOptions, summary: ImportSummary, on_progress: Callable[[Path, int], object]
    ) -> None:
        imported = None if self._is_dry else IMPORTED.of(_identity(file, options))
        before = await imported.read(self._shared) if imported and not options.again else None
        done = count = before.done if before else 0
        async for count, position in self._batches(file, done, options, summary):
            on_progress(file, position)
            if imported:
                await imported.write(self._shared, FileImported(done=count, at=self._audit.clock()))
        if before:
            told = ImportedBefore(file=str(file), at=before.at, events=done, whole=count == done)
            summary.before.append(told)

    async def _batches(
        self, file: Path, done: int, options: FileOptions, summary: ImportSummary
    ) -> AsyncIterator[tuple[int, int]]:
        """Yield the number of finished events, and of read bytes, after each step.

        The events that an earlier run has `done` are skipped.
        """
        with file.open("rb") as stream:
            events = read_event_file(stream, clock=self._audit.clock, is_live=False)
            left = islice(events, done, None)
            while batch := list(islice(left, _BATCH)):
                now = self._audit.clock()
                placed = [each.told_in(f"{file}: ") if isinstance(each, EventRefused) else each for each in batch]
                wanted = [event for event in placed if _is_wanted(event, now, options.since)]
                summary.skipped += len(batch) - len(wanted)
                # Like their endpoint, so that events received before are recognised as duplicates.
                intake = Intake(wanted, now, is_trusted=options.is_trusted, is_relayed=True)
                summary.add((await self._take(intake)).events)
                done += len(batch)
                yield done, stream.tell()

    async def new_rows(self, asked: RowSelection, source: NamedSource) -> AsyncIterator[Receipt]:
        """Yield the receipt of each batch of new rows.

        The progress is stored after the commit of a batch. A crash in between repeats the batch, whose events are
        recognised by their ids. Raises WarehouseError.
        """
        if source.reshape is None:
            raise WarehouseError(
                f"--source {source.name} has the kind `segment`: name a source of the kind `mapped`, which maps rows"
            )
        progress = _Progress(self._shared, asked.identity)
        cursor, known = await progress.begin(self._audit.clock(), keeps_state=not self._is_dry)
        with temporary_folder() as folder, open_rows(asked.where, folder, query=asked.query) as table:
            for rows, cursors in table.batches(asked.cursor, cursor, limit=_BATCH):
                now = self._audit.clock()
                new = [
                    (row, at)
                    for row, at in zip(rows, cursors, strict=True)
                    if at != cursor or _digest(row) not in known
                ]
                arrival = Arrival.at(now, is_live=False)
                records = ({**_AROUND, "body": orjson.loads(row)} for row, _ in new)
                events = (read_or_refuse(each, arrival) for each in events_of(records, source.reshape))
                permitted = [held_back(each, source) for each in events]
                yield await self._take(Intake(permitted, now, source=source.name, is_trusted=True))
                if new and not self._is_dry:
                    await progress.reached(cursors[-1], [_digest(row) for row, at in new if at == cursors[-1]], now)


class _Progress:
    """The progress in the outbox. A write for a batch does not grow with the imported rows."""

    def __init__(self, shared: SharedValues, identity: str) -> None:
        self._shared = shared
        self._head = ROWS_IMPORTED.of(identity)
        self._digests = ROW_DIGESTS.under(identity)
        self._state = RowsImported(at=0)

    async def begin(self, now: float, *, keeps_state: bool) -> tuple[str | None, frozenset[str]]:
        """Return the last cursor, `None` at first, and the digests of the rows with that cursor.

        With `keeps_state` the start is recorded, so that retention keeps the state, and leftovers of a crash are
        deleted.
        """
        self._state = replace(await self._head.read(self._shared) or self._state, at=now)
        parts = await self._digests.read_all(self._shared)
        wanted = set(map(str, range(self._state.first, self._state.end)))
        if keeps_state:
            await self._head.write(self._shared, self._state)
            await self._take_away(parts.keys() - wanted)
        return self._state.cursor, frozenset(row for name in parts.keys() & wanted for row in parts[name])

    async def reached(self, cursor: str, digests: Collection[str], now: float) -> None:
        """Record that all rows up to this cursor are committed; `digests` are the new rows with the cursor."""
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


def _identity(file: Path, options: FileOptions) -> str:
    """Return the key of a file's import: an import with the same content and options continues the earlier one."""
    digest = sha256(f"{file.stat().st_size} {options.action_source}".encode())
    with file.open("rb") as stream:
        digest.update(stream.read(65_536))
    return digest.hexdigest()[:24]


def _is_wanted(event: Event | EventRefused, now: float, since: float | None) -> bool:
    """Return whether an event is recent enough; unreadable events are reported in any case."""
    if since is None or isinstance(event, EventRefused):
        return True
    told_at = unix_seconds(event.get("timestamp"))
    return (now if told_at is None else told_at) >= since
