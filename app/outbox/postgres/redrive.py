"""Dead letters: they become pending again, unless that would send something twice, or are dismissed."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from psycopg import Rollback

from app.config.settings import OutboxSettings
from app.core.pages import Query
from app.errors import OutboxUnavailable
from app.outbox import redrive
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import COLLISIONS, TRIES, Database, ServerClock, UsesDatabase
from app.outbox.postgres.ledger import asked
from app.outbox.rows import as_json
from app.outbox.statements import Answer, Work


class PostgresDeadLetters(UsesDatabase, redrive.DeadLetters):
    """The `DeadLetters` of app/outbox/redrive.py."""

    def __init__(
        self, database: Database, clock: ServerClock, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(database, clock, rules)
        self._on_redriven = on_redriven

    async def _change(self, work: Work[Answer | None]) -> Answer:
        return await self._database.run(_until_done, work)

    @staticmethod
    async def dismiss_rows(store: Connection, rows: redrive.Rows) -> None:
        if rows:
            await store.count("dismiss", rows=as_json(rows))

    async def _dead_ids(self, store: Connection, query: Query, before: int) -> list[int]:
        rows = await store.rows("dead", **asked(query), before=before, floor=0, limit=redrive.REDRIVE_ROWS)
        return [id_ for (id_,) in rows]


async def _until_done(connection: Connection, work: Work[Answer | None]) -> Answer:
    """Do work in a transaction, again if another process took one of the keys meanwhile.

    Raises OutboxUnavailable if that happens again and again.
    """
    for _ in range(TRIES):
        with suppress(*COLLISIONS):
            async with connection.transaction() as transaction:
                answer = await work(connection)
                if answer is None:
                    raise Rollback(transaction)
                return answer
    raise OutboxUnavailable("The outbox is too busy: other processes change the same events. Try again later.")


async def dismiss_overtaken(
    connection: Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Dismiss dead deliveries of events that are delivered, among deliveries just sent and just dead."""
    if found := await connection.rows("overtaken", sent=list(sent), died=list(died), now=now):
        async with connection.transaction():
            await redrive.dismiss_overtaken(
                connection, [id_ for (id_,) in found], now, rules, PostgresDeadLetters.dismiss_rows
            )
