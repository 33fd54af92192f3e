"""The inventory of this engine."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from app.core.events import EventKey, InventoryCount, Measure
from app.core.values.times import DAY_S
from app.outbox.inventory import MAX_PROPERTIES, OTHERS, NameCount, inventory_count, inventory_query, inventory_rows
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import Readers
from app.outbox.sqlite.writer import Writer

#: Rows of one commit: events wait for no more of a full inventory, of which there may be some ten thousand.
_AT_ONCE: Final = 1_000


class SqliteInventory:
    """The `Inventory` of app/outbox/inventory.py."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        """Do `Inventory.add`."""
        rows = inventory_rows(counts, now)
        for first in range(0, len(rows), _AT_ONCE):
            piece = rows[first : first + _AT_ONCE]
            await self._writer.do(partial(_add, rows=piece), rows=len(piece))
        if rows:
            await self._writer.do(partial(_keep_bounds, now=now, max_names=max_names))

    async def read(
        self, *, since: float, by_hour: bool, counted: Sequence[Measure], key: EventKey | None = None
    ) -> list[tuple[int, InventoryCount]]:
        """Do `Inventory.read`."""
        return await self._readers.read(_read, inventory_query(since, counted, key, by_hour=by_hour))

    async def name_counts(self, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int) -> list[NameCount]:
        """Do `Inventory.name_counts`."""
        return await self._readers.read(_name_counts, names, first_day, last_day)


def _add(connection: sqlite3.Connection, rows: list[list[Any]]) -> None:
    connection.execute(SQL["add_to_inventory"], {"rows": as_json(rows)})


def _keep_bounds(connection: sqlite3.Connection, now: float, max_names: int) -> None:
    """Forget the names and properties that are too many."""
    many = connection.execute(SQL["too_many_names"], {"max_names": max_names}).fetchall()
    if many:
        names = as_json(many)
        connection.execute(SQL["count_as_others"], {"rows": names, "others": OTHERS})
        connection.execute(SQL["forget_names"], {"rows": names})
    day = int(now // DAY_S * DAY_S)
    connection.execute(SQL["forget_properties"], {"day": day, "max_properties": MAX_PROPERTIES})


def _read(connection: sqlite3.Connection, query: dict[str, Any]) -> list[tuple[int, InventoryCount]]:
    parameters = {**query, "counted": as_json(query["counted"])}
    return list(map(inventory_count, connection.execute(SQL["inventory"], parameters)))


def _name_counts(
    connection: sqlite3.Connection, names: Sequence[tuple[str, str]], first_day: int, last_day: int
) -> list[NameCount]:
    parameters = {"rows": as_json(names), "first_day": first_day, "last_day": last_day}
    return list(map(NameCount._make, connection.execute(SQL["name_counts"], parameters)))
