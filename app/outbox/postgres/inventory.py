"""The inventory of this engine."""

from collections.abc import Sequence

from app.core.events import EventKey, InventoryCount, Measure
from app.core.trust import public_share
from app.core.values.times import DAY_S
from app.outbox.inventory import MAX_PROPERTIES, OTHERS, NameCount, inventory_count, inventory_query, inventory_rows
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import UsesDatabase, connected, rows_of
from app.outbox.rows import as_json


class PostgresInventory(UsesDatabase):
    """The `Inventory` of app/outbox/inventory.py."""

    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        if counts:
            await self._add(counts, now, max_names)

    @connected
    async def _add(self, connection: Connection, counts: Sequence[InventoryCount], now: float, max_names: int) -> None:
        at = self._clock.of(now)
        async with connection.transaction():
            await connection.execute(SQL["one_inventory"])
            await connection.execute(SQL["add_to_inventory"], {"rows": as_json(inventory_rows(counts, at))})
            ((proven,),) = await rows_of(connection, "proven_names")
            public_names = public_share(max_names, proven=proven)
            many = await rows_of(connection, "too_many_names", max_names=max_names, public_names=public_names)
            if many:
                names = as_json(many)
                await connection.execute(SQL["count_as_others"], {"rows": names, "others": OTHERS})
                await connection.execute(SQL["forget_names"], {"rows": names})
            day = int(at // DAY_S * DAY_S)
            await connection.execute(SQL["forget_properties"], {"day": day, "max_properties": MAX_PROPERTIES})

    async def read(
        self, *, since: float, by_hour: bool, counted: Sequence[Measure], key: EventKey | None = None
    ) -> list[tuple[int, InventoryCount]]:
        query = inventory_query(since, counted, key, by_hour=by_hour)
        return list(map(inventory_count, await self._database.run(rows_of, "inventory", **query)))

    async def name_counts(self, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int) -> list[NameCount]:
        days = {"first_day": first_day, "last_day": last_day}
        rows = await self._database.run(rows_of, "name_counts", rows=as_json(names), **days)
        return list(map(NameCount._make, rows))
