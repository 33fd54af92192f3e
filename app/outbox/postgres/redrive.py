"""Dead letters: they become pending again, unless that would send something twice, or are dismissed."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from psycopg import Rollback

from app.config.settings import OutboxSettings
from app.core.deliveries import StoredDelivery
from app.core.pages import Query, Redrive
from app.errors import OutboxUnavailable
from app.outbox import redrive
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import COLLISIONS, TRIES, Database, ServerClock, UsesDatabase
from app.outbox.postgres.ledger import asked
from app.outbox.rows import as_json
from app.outbox.statements import read_deliveries


class PostgresDeadLetters(UsesDatabase, redrive.DeadLetters):
    """The `DeadLetters` of app/outbox/redrive.py."""

    def __init__(
        self, database: Database, clock: ServerClock, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(database, clock, rules)
        self._on_redriven = on_redriven

    async def _redrive_step(self, query: Query, before: int, now: float) -> tuple[Redrive, int | None]:
        return await self._database.run(_redrive, query, before, await self._by_server(now), self._rules)

    async def _dismiss_step(self, query: Query, before: int, because: str) -> tuple[int, int | None]:
        return await self._database.run(_dismiss, query, before, because)


async def _redrive(
    connection: Connection, query: Query, before: int, now: float, rules: OutboxSettings
) -> tuple[Redrive, int | None]:
    """Take one step, again where another process took one of the keys meanwhile.

    Raises OutboxUnavailable where that happens again and again.
    """
    for _ in range(TRIES):
        with suppress(*COLLISIONS):
            async with connection.transaction() as transaction:
                dead = await _dead(connection, query, before)
                plan = await redrive.plan_of(connection, dead, now, rules)
                done = await redrive.write_plan(connection, plan, now, _dismiss_rows)
                if done is None:
                    raise Rollback(transaction)
                return done, redrive.next_step(dead)
    raise OutboxUnavailable("The outbox is too busy: other processes store the same events. Redrive again later.")


async def _dismiss(connection: Connection, query: Query, before: int, because: str) -> tuple[int, int | None]:
    async with connection.transaction():
        dead = await _dead(connection, query, before)
        await _dismiss_rows(connection, redrive.dismissed(dead, because))
    return len(dead), redrive.next_step(dead)


async def dismiss_overtaken(
    connection: Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    found = await connection.rows("overtaken", sent=list(sent), died=list(died), now=now)
    if not found:
        return
    async with connection.transaction():
        dead = await read_deliveries(connection, [id_ for (id_,) in found])
        plan = await redrive.plan_of(connection, dead, now, rules)
        overtaken, _ = await redrive.split_plan(connection, plan)
        await _dismiss_rows(connection, overtaken)


async def _dead(connection: Connection, query: Query, before: int) -> list[StoredDelivery]:
    rows = await connection.rows("dead", **asked(query), before=before, floor=0, limit=redrive.REDRIVE_ROWS)
    return await read_deliveries(connection, [id_ for (id_,) in rows])


async def _dismiss_rows(connection: Connection, rows: redrive.Rows) -> None:
    if rows:
        await connection.count("dismiss", rows=as_json(rows))
