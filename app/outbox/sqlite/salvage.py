"""Read the data on the undamaged pages of a file: ranges that fail are halved."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.deliveries import State
from app.errors import OutboxUnavailable
from app.outbox.refusals import is_ours
from app.outbox.shared import read_shared
from app.outbox.sqlite.database import SCHEMA_VERSION, SQL, open_untouched, translated_errors
from app.outbox.transfer import TRANSFER_KEYS, Row, Salvaged, Store, TransferKind, delivery_columns

#: Sizes of a range without errors: rows, and prefixes of digests.
_SPAN_ROWS: Final = 1_000
_SPAN_KEYS: Final = 16
#: Digests are base64: each range begins with two characters of ASCII.
_BEGINNINGS: Final = 128 * 128
#: Versions before the first release, without an identity, in which the relevant data was the same.
_UNRELEASED: Final = range(13, 17)
_FIRST_WITH_CHANNEL: Final = 2
#: Names in statements, with an expression for each in version 1, in order.
_IN_VERSION_1: Final = {
    "channel": "''",
    "is_trusted": "is_proven",
    "for_trusted,": "for_proven,",
    "is_opt_out": "is_no",
    "author": "said_by",
    "record": """replace(replace(replace(record, '"is_proven":', '"is_trusted":'), '"for_proven":', '"for_trusted":'),
        '"nos":', '"opt_outs":')""",
}
#: Names that tables had before the first release.
_FORMER_NAMES: Final = {"note": "dropped_event", "tally": "counter", "whose": "delivery_owner"}
_SHELF_BITS: Final = 11
#: Queries for the highest id that a table ever assigned: the first readable one counts. The id is lost if the end of
#: the table is.
_HIGHEST: Final = {
    "delivery": (
        "SELECT seq FROM sqlite_sequence WHERE name = 'delivery'",
        "SELECT max(id) FROM delivery",
        "SELECT max(delivery_id) FROM payload",
    ),
    "dropped_event": (
        "SELECT max(id) FROM dropped_event",
        "SELECT max(id) FROM dropped_event INDEXED BY dropped_event_at",
        "SELECT max(id) FROM dropped_event INDEXED BY dropped_event_message",
    ),
    "audit": ("SELECT seq FROM sqlite_sequence WHERE name = 'audit'", "SELECT max(id) FROM audit"),
}


async def salvage(path: Path, open_target: Callable[[], Store]) -> Salvaged:
    """Copy the readable data of the file at `path` to an empty store; the file is only read.

    The data are waiting, dead and delivered deliveries with history and payload, dropped events, audit log, keys,
    counts, memory, and shared values. A waiting or dead delivery without its payload is lost. The target is opened only
    after the file proves to be an outbox, so that no target is created in vain. Raises OutboxUnavailable if even the
    beginning of the file is unreadable, or the target is not empty.
    """
    with translated_errors(), closing(open_untouched(path)) as connection:
        version = _check_version(connection)
        _add_views_of_former_tables(connection)
        target = open_target()
        try:
            if not await target.is_empty():
                raise OutboxUnavailable("The new outbox is not empty. Name an empty one.")
            return await _Salvage(connection, target, version=version).run()
        finally:
            await target.close()


def _check_version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema; 0 before the first release. Raises OutboxUnavailable if it is unreadable."""
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    readable = range(1, SCHEMA_VERSION + 1) if is_ours(identity) else _UNRELEASED
    if version not in readable:
        age = "" if is_ours(identity) else " from before the first release"
        salvaged = f"of which this Pinrelay salvages {readable[0]} to {readable[-1]}"
        message = f"The file has schema version {version}{age}, {salvaged}."
        helps = "Salvage it with the Pinrelay that wrote it." if version else "Check that it is the file of an outbox."
        raise OutboxUnavailable(f"{message} {helps}")
    return int(version) if is_ours(identity) else 0


def _add_views_of_former_tables(connection: sqlite3.Connection) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for former in _FORMER_NAMES.keys() & tables:
        connection.execute(f"CREATE TEMP VIEW {_FORMER_NAMES[former]} AS SELECT * FROM {former}")  # noqa: S608 - constants


class _Salvage:
    def __init__(self, connection: sqlite3.Connection, target: Store, *, version: int) -> None:
        self._connection = connection
        self._version = version
        self._target = target
        self._found = Salvaged(arrived=dict.fromkeys([*(kind.value for kind in TransferKind), "shared"], 0))

    async def run(self) -> Salvaged:
        highest = self._highest("delivery")
        await self._target.begin_ids_above(highest, 0)
        await self._keys()
        if self._connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'message_owner'").fetchone():
            reads = self._reads("salvage_owners_of_deliveries")
            for _, rows in _readable(1, highest + 1, reads, span=_SPAN_ROWS):
                await self._write(TransferKind.OWNERS, rows or [])
        await self._deliveries(highest)
        self._found.lost_dropped_events = await self._lines(TransferKind.DROPPED_EVENTS, "dropped_event")
        self._found.lost_audit = await self._lines(TransferKind.AUDIT, "audit")
        suppressions = "suppressions" if self._version else "unreleased_suppressions"
        kinds = (
            (TransferKind.SUPPRESSIONS, suppressions),
            (TransferKind.PEOPLE, "people"),
            (TransferKind.OWNERS, "owners"),
        )
        for kind, name in kinds:
            await self._write(kind, list({row[0]: row for row in self._from_both_ends(f"salvage_{name}")}.values()))
        answers = {tuple(row[:3]): row for row in self._from_both_ends("salvage_consents")}
        await self._write(TransferKind.CONSENTS, list(answers.values()))
        for kind in (TransferKind.COUNTS, TransferKind.INVENTORY):
            counts = {tuple(row[:-1]): list(row) for row in self._from_both_ends(f"salvage_{kind}")}
            await self._write(kind, list(counts.values()))
        sums = {tuple(row[:7]): row for row in self._from_both_ends("salvage_revenue")}
        await self._write(TransferKind.REVENUE, list(sums.values()))
        for key, value in dict(self._from_both_ends("salvage_shared")).items():
            try:
                shared = read_shared(key, value, 0)
            except OutboxUnavailable:
                self._found.lost_shared.append(key)
                continue
            if key not in TRANSFER_KEYS and await self._target.put_shared(key, shared.value, revision=0):
                self._found.arrived["shared"] += 1
        return self._found

    def _highest(self, table: str) -> int:
        """Return the highest id that was assigned; 0 if it is unreadable."""
        for statement in _HIGHEST[table]:
            with suppress(sqlite3.DatabaseError):
                found = self._connection.execute(statement).fetchone()
                if found and found[0]:
                    return int(found[0])
        return 0

    async def _deliveries(self, highest: int) -> None:
        lost: list[int] = []
        query = "salvage_deliveries" if self._version else "salvage_unreleased"
        for first, rows in _readable(1, highest + 1, self._reads(query), span=_SPAN_ROWS):
            if rows is None:
                lost.append(first)
                continue
            whole = [self._whole(row) for row in rows]
            kinds: dict[TransferKind, list[Row]] = {TransferKind.WAITING: [], TransferKind.DELIVERED: []}
            for row in whole:
                delivery = delivery_columns(row)
                kind = TransferKind.DELIVERED if delivery["state"] == State.DELIVERED else TransferKind.WAITING
                has_payload = delivery["payload"] is not None or delivery["state"] == State.DISMISSED
                if kind is TransferKind.WAITING and not has_payload:
                    self._found.lost.append((delivery["id"], delivery["message_id"]))
                else:
                    kinds[kind].append(row)
            for kind, found in kinds.items():
                refused = await self._write(kind, found)
                self._found.lost += [(row[0], None) for row in refused]
        self._found.lost += self._known(lost)

    def _whole(self, row: Row) -> Row:
        """Add the readable history and payload."""
        which = {"delivery_id": row[0]}
        history, payload = self._rows("history", which), self._rows("salvage_payload", which)
        body, version, erase_at = payload[0] if payload else (None, 1, None)
        try:
            text = None if body is None else bytes(body).decode()
            if text is not None:
                orjson.loads(text)
        except (ValueError, TypeError):
            text = None
        columns, behind = row[:24], row[24:]
        return [*columns, history, text, version, erase_at, *behind]

    def _known(self, ids: Sequence[int]) -> list[tuple[int, str | None]]:
        """Return the deliveries among these that an index contains, and those without a readable index."""
        known: list[tuple[int, str | None]] = []
        for shelf in sorted({id_ >> _SHELF_BITS for id_ in ids}):
            of_shelf = [id_ for id_ in ids if id_ >> _SHELF_BITS == shelf]
            try:
                names = dict(self._connection.execute(SQL["salvage_ids"], {"shelf": shelf}).fetchall())
            except sqlite3.DatabaseError:
                known += [(id_, None) for id_ in of_shelf]
            else:
                known += [(id_, names[id_]) for id_ in of_shelf if id_ in names]
        return known

    async def _lines(self, kind: TransferKind, table: str) -> int:
        """Copy the rows of a table with ids; return the number of unreadable rows."""
        lost = 0
        is_old = not self._version and kind is TransferKind.DROPPED_EVENTS
        reads = self._reads(f"salvage_unreleased_{kind}" if is_old else f"salvage_{kind}")
        for _, rows in _readable(1, self._highest(table) + 1, reads, span=_SPAN_ROWS):
            lost += 1 if rows is None else len(await self._write(kind, rows))
        return lost

    async def _keys(self) -> None:
        def read(first: int, end: int) -> list[Row]:
            between = {"first": _beginning(first), "end": _beginning(end)}
            return list(map(list, self._connection.execute(self._sql("salvage_keys"), between).fetchall()))

        for _, rows in _readable(0, _BEGINNINGS, read, span=_SPAN_KEYS):
            if rows is None:
                self._found.lost_keys += 1
            else:
                self._found.lost_keys += len(await self._write(TransferKind.KEYS, rows))

    def _sql(self, query: str) -> str:
        """Return a statement for the version of the file: version 1 has other names and no column `channel`."""
        sql = SQL[query]
        if self._version < _FIRST_WITH_CHANNEL:
            for now, before in _IN_VERSION_1.items():
                sql = sql.replace(now, before)
        return sql

    def _reads(self, query: str) -> Callable[[int, int], list[Row]]:
        sql = self._sql(query)

        def read(first: int, end: int) -> list[Row]:
            return list(map(list, self._connection.execute(sql, {"first": first, "end": end}).fetchall()))

        return read

    def _rows(self, query: str, parameters: dict[str, Any]) -> list[Row]:
        try:
            return list(map(list, self._connection.execute(SQL[query], parameters).fetchall()))
        except sqlite3.DatabaseError:
            return []

    def _from_both_ends(self, query: str) -> list[Row]:
        """Return the rows of a query before the first unreadable row, and after the last."""
        rows: list[Row] = []
        for name in (query, f"{query}_backwards"):
            try:
                rows.extend(map(list, self._connection.execute(self._sql(name))))  # rows before a failure remain
            except sqlite3.DatabaseError:
                continue
            break
        return rows

    async def _write(self, kind: TransferKind, rows: Sequence[Row]) -> list[Row]:
        """Write rows; return those that the target refuses, such as noise in the form of a row."""
        if not rows:
            return []
        try:
            self._found.arrived[kind.value] += await self._target.write(kind, rows)
        except OutboxUnavailable as exc:
            if exc.why != "unusable":  # another error than of rows
                raise
            if len(rows) == 1:
                return list(rows)
            half = len(rows) // 2
            return await self._write(kind, rows[:half]) + await self._write(kind, rows[half:])
        return []


def _readable(
    first: int, end: int, read: Callable[[int, int], list[Row]], *, span: int
) -> Iterator[tuple[int, list[Row] | None]]:
    """Yield the beginning of each range from `first` to below `end`, and its rows; `None` for an unreadable place.

    Ranges longer than `span` and unreadable ranges are halved.
    """
    if end <= first:
        return
    if end - first <= span:
        try:
            rows = read(first, end)
        except sqlite3.DatabaseError:
            if end - first == 1:
                yield first, None
                return
        else:
            yield first, rows
            return
    middle = (first + end) // 2
    yield from _readable(first, middle, read, span=span)
    yield from _readable(middle, end, read, span=span)


def _beginning(number: int) -> str:
    """Return the minimum text of the range with this number."""
    return chr(number >> 7) + chr(number & 127) if number < _BEGINNINGS else "\x7f\x7f\x7f"
