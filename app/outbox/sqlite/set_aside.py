"""Changes that the file refuses: each part is tried in a savepoint (app/outbox/set_aside.py)."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Settlement
from app.core.events import CounterRow
from app.errors import RowRefused
from app.outbox.set_aside import RowByRow
from app.outbox.settlement import ClaimQuery
from app.outbox.sqlite.claim import claim
from app.outbox.sqlite.database import Answer, Connection, unavailable
from app.outbox.sqlite.settle import settle


class FileRows(RowByRow[list[Claimed]]):
    """The rows of the file, within the transaction of the writer."""

    _store: Connection

    async def attempt(self, do: Callable[[], Awaitable[Answer]], *, is_kept: bool = True) -> Answer:
        connection = self._store
        connection.execute("SAVEPOINT part")
        try:
            answer = await do()
        except (sqlite3.Error, RowRefused) as exc:
            if not connection.in_transaction:  # SQLite has rolled back the whole transaction
                raise
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
            if isinstance(exc, sqlite3.Error) and isinstance(refused := unavailable(exc), RowRefused):
                raise refused from exc
            raise
        if not is_kept:
            connection.execute("ROLLBACK TO part")
        connection.execute("RELEASE part")
        return answer

    async def claim(self, asked: ClaimQuery) -> list[Claimed]:
        return await claim(self._store, asked)

    async def settle(
        self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], now: float, rules: OutboxSettings
    ) -> None:
        settle(self._store, settlements, counters, now, rules)
