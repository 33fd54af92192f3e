"""Sealed events in the file: written by the thread that writes all else, erased so that nothing stays in it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.core.trust import public_share
from app.outbox.rows import as_json
from app.outbox.sealed_events import asked, event_of, group_of, row_of
from app.outbox.sqlite.database import SQL, checkpoint
from app.outbox.sqlite.readers import UsesFile, reads


class SqliteSealedEvents(UsesFile):
    """The `SealedEvents` of app/outbox/sealed_events.py."""

    async def keep(self, events: Sequence[Quarantined]) -> None:
        rows = as_json([row_of(event) for event in events])
        await self._writer.do(partial(_changed, query="quarantine", rows=rows), rows=len(events), takes_in=True)

    async def trim(self, max_bytes: int) -> int:
        return await self._writer.do(partial(_trim, max_bytes=max_bytes))

    async def trim_samples(self, most: int) -> int:
        return await self._erase("trim_samples", most=most)

    @reads
    def find(
        self, connection: sqlite3.Connection, wanted: QuarantineFilter, *, now: float, after: int, limit: int
    ) -> list[Quarantined]:
        parameters = {**asked(wanted), "now": now, "after": after, "limit": limit}
        return [event_of(row) for row in connection.execute(SQL["quarantined"], parameters)]

    @reads
    def groups(self, connection: sqlite3.Connection, *, now: float, limit: int) -> list[QuarantineGroup]:
        rows = connection.execute(SQL["quarantine_groups"], {"now": now, "limit": limit})
        return [group_of(row) for row in rows]

    async def release(self, ids: Sequence[int]) -> None:
        await self._erase("release_quarantined", ids=as_json(ids))

    async def forget(self, keys: Sequence[str]) -> int:
        return await self._erase("forget_quarantined", keys=as_json(keys))

    async def _erase(self, query: str, **parameters: Any) -> int:
        count = await self._writer.do(partial(_changed, query=query, **parameters))
        if count:
            await asyncio.to_thread(checkpoint, self._path)
        return count


def _trim(connection: sqlite3.Connection, max_bytes: int) -> int:
    (proven,) = connection.execute(SQL["proven_quarantine"]).fetchone()
    bounds = {True: max_bytes, False: public_share(max_bytes, proven=proven)}
    return sum(_changed(connection, "trim_quarantine", is_proven=each, max_bytes=bounds[each]) for each in bounds)


def _changed(connection: sqlite3.Connection, query: str, **parameters: Any) -> int:
    return connection.execute(SQL[query], parameters).rowcount
