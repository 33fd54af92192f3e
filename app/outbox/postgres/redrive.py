"""Dead letters: they become pending again, unless that would send something twice, or are put away."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from psycopg import Rollback

from app.config.settings import OutboxSettings
from app.core.pages import DeadCause, DeadLoss, Query, Redrive
from app.errors import OutboxUnavailable
from app.outbox import redrive
from app.outbox.enqueue import holders
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import (
    COLLISIONS,
    TRIES,
    Database,
    ServerClock,
    UsesDatabase,
    connected,
    count_of,
    rows_of,
)
from app.outbox.postgres.ledger import asked
from app.outbox.records import dead_loss_of
from app.outbox.rows import as_json, record_of


class PostgresDeadLetters(UsesDatabase):
    """The `DeadLetters` of app/outbox/store.py."""

    def __init__(
        self, database: Database, clock: ServerClock, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(database, clock, rules)
        self._on_redriven = on_redriven

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        at = await self._by_server(now)

        def step(before: int) -> Awaitable[redrive.RedriveStep]:
            return self._database.run(_redrive_step, query, before, at, self._rules)

        done = await redrive.all_redriven(step)
        self._on_redriven()
        return done

    async def dismiss(self, query: Query, *, because: str) -> int:
        def step(before: int) -> Awaitable[tuple[int, int | None]]:
            return self._database.run(_dismiss, query, before, because)

        return await redrive.all_dismissed(step)

    @connected
    async def causes(self, connection: Connection, *, limit: int) -> list[DeadCause]:
        return [record_of(DeadCause, row) for row in await rows_of(connection, "dead_causes", limit=limit)]

    @connected
    async def losses(self, connection: Connection) -> list[DeadLoss]:
        return [dead_loss_of(row) for row in await rows_of(connection, "dead_losses")]


async def _redrive_step(
    connection: Connection, query: Query, before: int, now: float, rules: OutboxSettings
) -> redrive.RedriveStep:
    """Redrive the dead deliveries of one step, those below the id `before`.

    It is taken again where another process took one of the keys meanwhile. Raises OutboxUnavailable where that happens
    again and again.
    """
    for _ in range(TRIES):
        with suppress(*COLLISIONS):
            async with connection.transaction() as transaction:
                dead = await _dead(connection, query, before)
                plan = await _plan_of(connection, dead, now, rules)
                if not await _take_keys(connection, plan, now):
                    raise Rollback(transaction)
                return await _redrive(connection, plan, now), redrive.next_step(dead)
    raise OutboxUnavailable("The outbox is too busy: other processes store the same events. Redrive again later.")


async def _take_keys(connection: Connection, plan: redrive.RedrivePlan, now: float) -> bool:
    taken = await count_of(connection, "take_keys", rows=as_json(plan.keys), now=now)
    return taken == len(plan.keys)


async def _redrive(connection: Connection, plan: redrive.RedrivePlan, now: float) -> Redrive:
    await connection.execute(SQL["redrive"], {"ids": plan.redriven, "now": now, "slot": connection.slot})
    await connection.execute(SQL["learn_keys"], {"rows": as_json(plan.learned)})
    overtaken, staying = await _split(connection, plan)
    await connection.execute(SQL["explain_dead"], {"rows": as_json(staying)})
    await _put_away(connection, overtaken)
    return Redrive(redriven=len(plan.redriven), overtaken=len(overtaken), waiting=len(staying))


async def _dismiss(connection: Connection, query: Query, before: int, because: str) -> tuple[int, int | None]:
    async with connection.transaction():
        dead = await _dead(connection, query, before)
        await _put_away(connection, redrive.dismissed(dead, because))
    return len(dead), redrive.next_step(dead)


async def dismiss_overtaken(
    connection: Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    found = await rows_of(connection, "overtaken", sent=list(sent), died=list(died), now=now)
    if not found:
        return
    async with connection.transaction():
        plan = await _plan_of(connection, [redrive.DeadLetter(*row) for row in found], now, rules)
        overtaken, _ = await _split(connection, plan)
        await _put_away(connection, overtaken)


async def _dead(connection: Connection, query: Query, before: int) -> list[redrive.DeadLetter]:
    rows = await rows_of(connection, "dead", **asked(query), before=before, floor=0, limit=redrive.REDRIVE_ROWS)
    return [redrive.DeadLetter(*row) for row in rows]


async def _plan_of(
    connection: Connection, dead: Sequence[redrive.DeadLetter], now: float, rules: OutboxSettings
) -> redrive.RedrivePlan:
    taken = await rows_of(connection, "keys_taken", digests=redrive.digests_of_dead(dead, rules))
    return redrive.plan_redrive(dead, holders(taken), now, rules)


async def _split(connection: Connection, plan: redrive.RedrivePlan) -> tuple[list[list[Any]], list[list[Any]]]:
    states = await rows_of(connection, "states", ids=[holder for _, holder in plan.repeats])
    return redrive.split_repeats(plan.repeats, dict(states))


async def _put_away(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await connection.execute(SQL["dismiss"], {"rows": as_json(rows), "slot": connection.slot})
