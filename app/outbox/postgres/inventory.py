"""The inventory of this engine."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S
from app.outbox.inventory import MAX_PROPERTIES, OTHERS, NameCount, inventory_count, inventory_query, inventory_rows
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import Database, rows_of
from app.outbox.rows import as_json


class PostgresInventory:
    """The `Inventory` of app/outbox/inventory.py. Times in the store are the server's."""

    def __init__(self, database: Database, by_server: Callable[[float], Awaitable[float]]) -> None:
        """Take the database, and what returns when the server's clock shows a time of this machine's."""
        self._database = database
        self._by_server = by_server

    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        """Do `Inventory.add`."""
        if counts:
            at = await self._by_server(now)
            await self._database.run(_add, inventory_rows(counts, at), at, max_names)

    async def read(
        self, *, since: float, by_hour: bool, counted: Sequence[Measure], key: EventKey | None = None
    ) -> list[tuple[int, InventoryCount]]:
        """Do `Inventory.read`."""
        return await self._database.run(_read, inventory_query(since, counted, key, by_hour=by_hour))

    async def name_counts(self, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int) -> list[NameCount]:
        """Do `Inventory.name_counts`."""
        days = {"first_day": first_day, "last_day": last_day}
        rows = await self._database.run(rows_of, "name_counts", rows=as_json(names), **days)
        return list(map(NameCount._make, rows))


async def _add(connection: Connection, rows: list[list[Any]], now: float, max_names: int) -> None:
    async with connection.transaction():
        await connection.execute(SQL["one_inventory"])
        await connection.execute(SQL["add_to_inventory"], {"rows": as_json(rows)})
        many = await rows_of(connection, "too_many_names", max_names=max_names)
        if many:
            names = as_json(many)
            await connection.execute(SQL["count_as_others"], {"rows": names, "others": OTHERS})
            await connection.execute(SQL["forget_names"], {"rows": names})
        day = int(now // DAY_S * DAY_S)
        await connection.execute(SQL["forget_properties"], {"day": day, "max_properties": MAX_PROPERTIES})


async def _read(connection: Connection, query: dict[str, Any]) -> list[tuple[int, InventoryCount]]:
    return list(map(inventory_count, await rows_of(connection, "inventory", **query)))
