"""One side of a move: all that a database holds."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from app.core.values.times import DAY_S
from app.errors import OutboxUnavailable
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database, Result, rows_of
from app.outbox.postgres.retention import Days
from app.outbox.rows import as_json
from app.outbox.shared import KeepsShared
from app.outbox.statements import Work
from app.outbox.transfer import BEFORE_FIRST, OF_DELIVERIES, DeliveryRow, LedgerKind, Row, TransferKind

#: In which column of a kind the moment stands that says in which day's table it lies.
_MOMENT: Final = {
    TransferKind.DELIVERED: DeliveryRow._fields.index("settled_at"),
    TransferKind.DROPPED_EVENTS: 15,
    TransferKind.COUNTS: 1,
}


#: When it is looked whether others use the database.
_LOOKS_AFTER_S: Final = (0, 0.1, 0.3, 1)


class PostgresStore(KeepsShared):
    """The `Store` of app/outbox/transfer.py."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, lambda _: None)
        self._days = Days(self._database)

    async def _read(self, work: Work[Result]) -> Result:
        return await self._database.run(work)

    async def is_used_by_others(self) -> bool:
        """Ask a few times: a connection that was just closed may be there for a moment.

        Raises OutboxUnavailable where a pooler is in between.
        """
        for pause_s in _LOOKS_AFTER_S:
            await asyncio.sleep(pause_s)
            ((others,),) = await self._database.run(rows_of, "used_by_others")
            if self._database.is_pooled:
                raise OutboxUnavailable(
                    "OUTBOX_URL leads through a connection pooler, so it is unknown whether servers still use "
                    "the database. Give the URL of PostgreSQL itself."
                )
            if not others:
                return False
        return True

    async def is_empty(self) -> bool:
        ((anything,),) = await self._database.run(rows_of, "holds_anything")
        return not anything

    async def read(self, kind: TransferKind, *, after: Sequence[Any], limit: int) -> list[Row]:
        places = {f"after_{place}": value for place, value in enumerate(after)}
        rows = await self._database.run(rows_of, f"transfer_{kind}_out", limit=limit, **places)
        return [_decoded(kind, row) for row in rows]

    async def read_day(self, past: LedgerKind, day: int, *, after: tuple[float, int], limit: int) -> list[Row]:
        begin, end = day * DAY_S, (day + 1) * DAY_S
        rows = await self._database.run(rows_of, f"day_{past}", begin=begin, end=end, after_id=after[1], limit=limit)
        return [_decoded(past, row) for row in rows]

    async def write(self, kind: TransferKind, rows: Sequence[Row]) -> int:
        if kind in _MOMENT:
            await self._days.ensure_tables({row[_MOMENT[kind]] for row in rows})
        return await self._database.run(_write, kind, rows)

    async def drop(self, kind: TransferKind, rows: Sequence[Row]) -> None:
        await self._database.run(_drop, kind, rows)

    async def highest_ids(self) -> tuple[int, int]:
        ((delivery, dropped_event),) = await self._database.run(rows_of, "highest_ids")
        return delivery, dropped_event

    async def begin_ids_above(self, delivery: int, dropped_event: int) -> None:
        await self._database.run(rows_of, "begin_ids_above", delivery=delivery, dropped_event=dropped_event)

    async def close(self) -> None:
        await self._database.close()


def _decoded(kind: TransferKind | LedgerKind, row: Sequence[Any]) -> Row:
    """Return a row as both engines know it: payloads as text, no history as an empty one."""
    if kind not in OF_DELIVERIES:
        return list(row)
    delivery = DeliveryRow(*row)
    payload = None if row[DeliveryRow._fields.index("payload")] is None else bytes(row[25]).decode()
    return list(delivery._replace(history=delivery.history or (), payload=payload))


async def _write(connection: Connection, kind: TransferKind, rows: Sequence[Row]) -> int:
    ((written,),) = await rows_of(connection, f"transfer_{kind}_in", rows=as_json(rows), slot=connection.slot)
    return int(written)


async def _drop(connection: Connection, kind: TransferKind, rows: Sequence[Row]) -> None:
    told_apart = len(BEFORE_FIRST[kind])
    given = as_json([[*row[:told_apart], *(row[place] for place in [_MOMENT.get(kind)] if place)] for row in rows])
    await connection.execute(SQL[f"drop_{kind}"], {"rows": given, "slot": connection.slot})
