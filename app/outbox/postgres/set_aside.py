"""What the database refuses to change: found by halving, each part by itself, and set aside (app/outbox/set_aside)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

import msgspec
import orjson
import psycopg
from msgspec.structs import replace

from app.config.settings import OutboxSettings
from app.core.deliveries import Claimed, Settlement, State
from app.core.events import CounterRow
from app.core.shared_values import SetAside
from app.errors import RowRefused
from app.outbox import set_aside
from app.outbox.postgres.claim import Taken, claim, renew
from app.outbox.postgres.connections import SQL, Connection, unavailable
from app.outbox.postgres.database import rows_of
from app.outbox.postgres.settle import settle
from app.outbox.set_aside import Refused, RowHalving, SkippingDelete
from app.outbox.settlement import HOLD_ROWS, ClaimQuery, last_of_each

Item = TypeVar("Item")
Answer = TypeVar("Answer")
#: Deletes, of the rows behind `skip` that are too old, `limit` at most; returns how many that were.
Step: TypeAlias = Callable[[int, int], Awaitable[int]]


async def attempt(work: Awaitable[Answer]) -> Answer:
    """Do something that is done whole or not at all. Raises RowRefused, with nothing changed."""
    try:
        return await work
    except psycopg.Error as exc:
        if isinstance(refused := unavailable(exc), RowRefused):
            raise refused from exc
        raise


async def refused_of(items: Sequence[Item], do: Callable[[Sequence[Item]], Awaitable[object]]) -> Refused[Item]:
    halving = RowHalving(items)
    while part := halving.next():
        try:
            await attempt(do(part))
        except RowRefused as exc:
            halving.refuse(part, exc.words)
    return halving.refused


async def claim_the_rest(connection: Connection, asked: ClaimQuery) -> Taken:
    set_aside.check_room(await _read(connection))

    async def would_claim(ids: Sequence[int]) -> None:
        async with connection.transaction(force_rollback=True):
            await claim(connection, asked.of(ids))

    while True:
        try:
            return await attempt(claim(connection, asked))
        except RowRefused:
            by = asked.holds.by if asked.holds else None
            which = {"ad_account_id": asked.ad_account_id, "now": asked.now, "by": by, "limit": HOLD_ROWS, "only": None}
            ids = [id_ for (id_,) in await rows_of(connection, "claimable", **which)]
            refused = await refused_of(ids, would_claim)
            if not refused:
                raise
            await put(connection, set_aside.unclaimed(refused, asked.ad_account_id, now=asked.now))


async def settle_the_rest(
    connection: Connection,
    settlements: Sequence[Settlement],
    counters: Sequence[CounterRow],
    now: float,
    rules: OutboxSettings,
) -> None:
    set_aside.check_room(await _read(connection))
    units: list[Settlement | CounterRow] = [*last_of_each(settlements), *counters]
    refused = await refused_of(units, lambda some: settle(connection, *set_aside.split(some), now, rules))
    await put(connection, set_aside.unsettled(refused, now=now))


async def renew_the_rest(connection: Connection, claimed: Sequence[Claimed], until: float) -> None:
    await refused_of(claimed, lambda some: renew(connection, some, until))


class SetAsideRows:
    """What is set aside, as one step of retention finds it."""

    def __init__(self, connection: Connection, known: Mapping[str, SetAside], now: float) -> None:
        self._connection = connection
        self._now = now
        self._known = known

    @classmethod
    async def read(cls, connection: Connection, now: float) -> "SetAsideRows":
        return cls(connection, await _read(connection), now)

    async def delete(self, name: str, do: Step, limit: int) -> int:
        known = self._known.get(f"{set_aside.ROWS}{name}")
        skip = known.rows if known and not set_aside.is_due(known, now=self._now) else 0
        passing = SkippingDelete(limit, skip)
        while not passing.is_over:
            try:
                passing.take(await attempt(do(passing.size, passing.stay)))
            except RowRefused as exc:
                passing.refuse(exc.words)
        if passing.why:
            still = set_aside.with_rows(known, passing, now=self._now)
            await put(self._connection, {f"{set_aside.ROWS}{name}": still})
        elif known and not skip:
            await _drop(self._connection, [f"{set_aside.ROWS}{name}"])
        return passing.gone

    async def try_again(self, rules: OutboxSettings) -> int:
        return await self._claim_again() + await self._settle_again(rules)

    async def _claim_again(self) -> int:
        names = set_aside.due(self._known, ["claim"], now=self._now)
        return await self._done(names, await refused_of(names, self._would_claim))

    async def _would_claim(self, names: Sequence[str]) -> None:
        async with self._connection.transaction(force_rollback=True):
            await _drop(self._connection, names)
            ids = [set_aside.set_aside_id(name) for name in names]
            for account in {self._known[name].ad_account_id for name in names}:
                await claim(self._connection, set_aside.claim_of(ids, account, now=self._now))

    async def _settle_again(self, rules: OutboxSettings) -> int:
        names = set_aside.due(self._known, ["settle", "count"], now=self._now)
        return await self._done(names, await refused_of(names, partial(self._settle, rules)))

    async def _settle(self, rules: OutboxSettings, names: Sequence[str]) -> None:
        units = [await self._with_payload(set_aside.unit_of(self._known[name]), rules) for name in names]
        await settle(self._connection, *set_aside.split(units), self._now, rules)

    async def _with_payload(self, unit: Settlement | CounterRow, rules: OutboxSettings) -> Settlement | CounterRow:
        """Return a settlement with the finished event, where that is to be kept."""
        if isinstance(unit, CounterRow) or unit.state is not State.DELIVERED or not rules.payload_s:
            return unit
        rows = await rows_of(self._connection, "payload", id=int(unit.claimed.delivery_id))
        payload = rows[0][0] if rows else b"{}"  # it was erased: nothing is settled
        return replace(unit, claimed=replace(unit.claimed, payload=payload))

    async def _done(self, names: Sequence[str], refused: Refused[str]) -> int:
        still = {name: set_aside.tried_again(self._known[name], why, now=self._now) for name, why in refused}
        if still:
            await put(self._connection, still)
        if gone := [name for name in names if name not in still]:
            await _drop(self._connection, gone)
        return len(gone)


async def put(connection: Connection, found: Mapping[str, SetAside]) -> None:
    async with connection.transaction():
        for name, each in found.items():
            value = orjson.dumps(msgspec.to_builtins(each)).decode()
            await rows_of(connection, "put_shared", key=set_aside.shared_key(name), value=value, revision=None)
        set_aside.check_room(await _read(connection))


async def _drop(connection: Connection, names: Sequence[str]) -> None:
    await connection.execute(SQL["drop_shared"], {"keys": [set_aside.shared_key(name) for name in names]})


async def _read(connection: Connection) -> dict[str, SetAside]:
    return set_aside.read_set_aside(await rows_of(connection, "set_aside"))
