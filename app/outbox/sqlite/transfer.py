"""A side of a move: the content of a file."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from app.errors import OutboxUnavailable
from app.outbox.rows import as_json
from app.outbox.sqlite.database import (
    SQL,
    Answer,
    Connection,
    at_once,
    execute_with_retries,
    open_writable,
    transaction,
    translated_errors,
)
from app.outbox.statements import Work
from app.outbox.transfer import BEFORE_FIRST, OF_DELIVERIES, Row, Store, TransferKind

#: Here deliveries are in three tables, whether they wait or are delivered.
_WRITE_DELIVERIES: Final = (
    "transfer_deliveries_in",
    "count_transferred",
    "count_transferred_states",
    "count_transferred_orders",
    "transfer_payloads_in",
    "transfer_attempts_in",
)


class SqliteStore(Store):
    """The `Store` of app/outbox/transfer.py."""

    def __init__(self, path: Path) -> None:
        self._connection = open_writable(path)

    async def _read(self, work: Work[Answer]) -> Answer:
        with translated_errors():
            return at_once(work(self._connection))

    async def _write(self, work: Work[Answer], *, rows: int = 1, takes_in: bool = False) -> Answer:
        del rows, takes_in  # nothing else writes through it
        with translated_errors(), transaction(self._connection):
            return at_once(work(self._connection))

    async def is_used_by_others(self) -> bool:
        """Lock the file for this connection, if no other process uses it."""
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            with translated_errors(), transaction(self._connection):
                return False
        except OutboxUnavailable as exc:
            if exc.why == "locked":
                return True
            raise

    async def _as_both_know(self, store: Connection, deliveries: Sequence[Sequence[Any]]) -> list[Row]:
        attempts = await store.rows("transfer_attempts_out", ids=[row[0] for row in deliveries])
        history = {key: [each[1:] for each in group] for key, group in groupby(attempts, key=itemgetter(0))}
        whole = []
        for row in deliveries:
            id_, body = row[0], row[24]
            payload = None if body is None else bytes(body).decode()
            before, (version, *rest) = row[:24], row[25:]
            whole.append([*before, history.get(id_, ()), payload, version or 1, *rest])
        return whole

    async def write(self, kind: TransferKind, rows: Sequence[Row]) -> int:
        with translated_errors(), transaction(self._connection):
            new = as_json(self._new(kind, rows))
            queries = _WRITE_DELIVERIES if kind in OF_DELIVERIES else (f"transfer_{kind}_in",)
            self._forget_sums(kind)
            if kind in OF_DELIVERIES:
                self._connection.execute(SQL["drop_filters"])
            written, *_ = [self._connection.execute(SQL[query], {"rows": new}).rowcount for query in queries]
        return written

    def _new(self, kind: TransferKind, rows: Sequence[Row]) -> list[Row]:
        if kind not in OF_DELIVERIES:
            return list(rows)  # their statements skip existing rows
        ids = as_json([row[0] for row in rows])
        there = {id_ for (id_,) in self._connection.execute(SQL["ids_there"], {"rows": ids})}
        return [row for row in rows if row[0] not in there]

    async def drop(self, kind: TransferKind, rows: Sequence[Row]) -> None:
        query = "drop_deliveries" if kind in OF_DELIVERIES else f"drop_{kind}"
        with translated_errors():
            self._forget_sums(kind)
            execute_with_retries(
                self._connection, SQL[query], {"rows": as_json([row[: len(BEFORE_FIRST[kind])] for row in rows])}
            )

    def _forget_sums(self, kind: TransferKind) -> None:
        if kind is TransferKind.COUNTS:
            execute_with_retries(self._connection, SQL["drop_sums"])

    async def close(self) -> None:
        self._connection.close()
