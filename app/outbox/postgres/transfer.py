"""A side of a move: the content of a database."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from app.errors import OutboxUnavailable
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database, Result
from app.outbox.postgres.retention import Days
from app.outbox.rows import as_json
from app.outbox.statements import Work
from app.outbox.transfer import BEFORE_FIRST, SETTLED_AT, Row, Store, TransferKind, delivery_columns

#: The column of each kind with the time that determines the partition of the day.
_MOMENT: Final = {
    TransferKind.DELIVERED: SETTLED_AT,
    TransferKind.DROPPED_EVENTS: 16,
    TransferKind.COUNTS: 1,
}


#: The pauses between checks for other users of the database.
_LOOKS_AFTER_S: Final = (0, 0.1, 0.3, 1)


class PostgresStore(Store):
    """The `Store` of app/outbox/transfer.py."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, lambda _: None)
        self._days = Days(self._database)

    async def _read(self, work: Work[Result]) -> Result:
        return await self._database.run(work)

    async def is_used_by_others(self) -> bool:
        """Check a few times: a connection may exist shortly after its close.

        Raises OutboxUnavailable behind a pooler.
        """
        for pause_s in _LOOKS_AFTER_S:
            await asyncio.sleep(pause_s)
            ((others,),) = await self._database.run(Connection.rows, "used_by_others")
            if self._database.is_pooled:
                raise OutboxUnavailable(
                    "OUTBOX_URL leads through a connection pooler, so it is unknown whether servers still use "
                    "the database. Give the URL of PostgreSQL itself."
                )
            if not others:
                return False
        return True

    async def _as_both_know(self, store: Connection, deliveries: Sequence[Sequence[Any]]) -> list[Row]:  # noqa: ARG002 - all is in the rows
        rows = []
        for each in map(delivery_columns, deliveries):
            each["history"] = each["history"] or ()
            each["payload"] = _text(each["payload"])
            rows.append(list(each.values()))
        return rows

    async def write(self, kind: TransferKind, rows: Sequence[Row]) -> int:
        if kind in _MOMENT:
            await self._days.ensure_tables({row[_MOMENT[kind]] for row in rows})
        return await self._database.run(_write, kind, rows)

    async def drop(self, kind: TransferKind, rows: Sequence[Row]) -> None:
        await self._database.run(_drop, kind, rows)

    async def close(self) -> None:
        await self._database.close()


def _text(stored: Any) -> str | None:
    return None if stored is None else bytes(stored).decode()


async def _write(connection: Connection, kind: TransferKind, rows: Sequence[Row]) -> int:
    cursor = await connection.execute(SQL[f"transfer_{kind}_in"], {"rows": as_json(rows), "slot": connection.slot})
    if cursor.description is None:  # the statement is an INSERT, which counts its rows
        return cursor.rowcount
    ((written,),) = await cursor.fetchall()
    return int(written)


async def _drop(connection: Connection, kind: TransferKind, rows: Sequence[Row]) -> None:
    told_apart = len(BEFORE_FIRST[kind])
    given = as_json([[*row[:told_apart], *(row[place] for place in [_MOMENT.get(kind)] if place)] for row in rows])
    await connection.execute(SQL[f"drop_{kind}"], {"rows": given, "slot": connection.slot})
