"""Changes that the database refuses: each part is tried separately (app/outbox/set_aside.py)."""

from collections.abc import Awaitable, Callable, Sequence

import psycopg
from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import Settlement, State
from app.core.events import CounterRow
from app.errors import RowRefused
from app.outbox.postgres.claim import Taken, claim
from app.outbox.postgres.connections import Connection, unavailable
from app.outbox.postgres.settle import settle
from app.outbox.set_aside import Answer, RowByRow, Unit
from app.outbox.settlement import ClaimQuery


class ServerRows(RowByRow[Taken]):
    """The rows of the database, each change in its own transaction."""

    _store: Connection

    async def attempt(self, do: Callable[[], Awaitable[Answer]], *, is_kept: bool = True) -> Answer:
        try:
            if is_kept:
                return await do()
            async with self._store.transaction(force_rollback=True):
                return await do()
        except psycopg.Error as exc:
            if isinstance(refused := unavailable(exc), RowRefused):
                raise refused from exc
            raise

    async def claim(self, asked: ClaimQuery) -> Taken:
        return await claim(self._store, asked)

    async def settle(
        self, settlements: Sequence[Settlement], counters: Sequence[CounterRow], now: float, rules: OutboxSettings
    ) -> None:
        await settle(self._store, settlements, counters, now, rules)

    async def _with_payload(self, unit: Unit, rules: OutboxSettings) -> Unit:
        if isinstance(unit, CounterRow) or unit.state is not State.DELIVERED or not rules.payload_s:
            return unit
        rows = await self._store.rows("payload", id=int(unit.claimed.delivery_id))
        payload = rows[0][0] if rows else b"{}"  # erased: nothing is settled
        return replace(unit, claimed=replace(unit.claimed, payload=payload))
