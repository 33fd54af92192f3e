"""Sealed events in the database."""

from collections.abc import Sequence

from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.core.trust import public_share
from app.outbox.postgres.database import UsesDatabase, count_of, rows_of
from app.outbox.rows import as_json
from app.outbox.sealed_events import asked, event_of, group_of, row_of


class PostgresSealedEvents(UsesDatabase):
    """The `SealedEvents` of app/outbox/sealed_events.py. Times are those of the machine that received the events."""

    async def keep(self, events: Sequence[Quarantined]) -> None:
        rows = as_json([row_of(event) for event in events])
        await self._database.run(count_of, "quarantine", rows=rows)

    async def trim(self, max_bytes: int) -> int:
        ((proven,),) = await self._database.run(rows_of, "proven_quarantine")
        bounds = {True: max_bytes, False: public_share(max_bytes, proven=int(proven))}
        run = self._database.run
        return sum([await run(count_of, "trim_quarantine", is_proven=each, max_bytes=bounds[each]) for each in bounds])

    async def trim_samples(self, most: int) -> int:
        return await self._database.run(count_of, "trim_samples", most=most)

    async def find(self, wanted: QuarantineFilter, *, now: float, after: int, limit: int) -> list[Quarantined]:
        rows = await self._database.run(rows_of, "quarantined", now=now, after=after, limit=limit, **asked(wanted))
        return [event_of(row) for row in rows]

    async def groups(self, *, now: float, limit: int) -> list[QuarantineGroup]:
        return [group_of(row) for row in await self._database.run(rows_of, "quarantine_groups", now=now, limit=limit)]

    async def release(self, ids: Sequence[int]) -> None:
        await self._database.run(count_of, "release_quarantined", ids=list(ids))

    async def forget(self, keys: Sequence[str]) -> int:
        return await self._database.run(count_of, "forget_quarantined", keys=list(keys))
