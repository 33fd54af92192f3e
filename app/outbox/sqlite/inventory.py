"""The inventory of this engine."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from app.core.events import EventKey, InventoryCount, Measure
from app.core.trust import public_share
from app.core.values.times import DAY_S
from app.outbox.inventory import MAX_PROPERTIES, OTHERS, NameCount, inventory_count, inventory_query, inventory_rows
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import UsesFile, reads

#: Rows of one commit: events wait for no more of a full inventory, of which there may be some ten thousand.
_AT_ONCE: Final = 1_000


class SqliteInventory(UsesFile):
    """The `Inventory` of app/outbox/inventory.py."""

    async def add(self, counts: Sequence[InventoryCount], *, now: float, max_names: int) -> None:
        rows = inventory_rows(counts, now)
        for first in range(0, len(rows), _AT_ONCE):
            piece = rows[first : first + _AT_ONCE]
            await self._writer.do(partial(_add, rows=piece), rows=len(piece))
        if rows:
            await self._writer.do(partial(_keep_bounds, now=now, max_names=max_names))

    @reads
    def read(
        self,
        connection: sqlite3.Connection,
        *,
        since: float,
        by_hour: bool,
        counted: Sequence[Measure],
        key: EventKey | None = None,
    ) -> list[tuple[int, InventoryCount]]:
        query = inventory_query(since, counted, key, by_hour=by_hour)
        parameters = {**query, "counted": as_json(query["counted"])}
        return list(map(inventory_count, connection.execute(SQL["inventory"], parameters)))

    @reads
    def name_counts(
        self, connection: sqlite3.Connection, names: Sequence[tuple[str, str]], *, first_day: int, last_day: int
    ) -> list[NameCount]:
        parameters = {"rows": as_json(names), "first_day": first_day, "last_day": last_day}
        return list(map(NameCount._make, connection.execute(SQL["name_counts"], parameters)))


def _add(connection: sqlite3.Connection, rows: list[list[Any]]) -> None:
    connection.execute(SQL["add_to_inventory"], {"rows": as_json(rows)})


def _keep_bounds(connection: sqlite3.Connection, now: float, max_names: int) -> None:
    (proven,) = connection.execute(SQL["proven_names"]).fetchone()
    bounds = {"max_names": max_names, "public_names": public_share(max_names, proven=proven)}
    many = connection.execute(SQL["too_many_names"], bounds).fetchall()
    if many:
        names = as_json(many)
        connection.execute(SQL["count_as_others"], {"rows": names, "others": OTHERS})
        connection.execute(SQL["forget_names"], {"rows": names})
    day = int(now // DAY_S * DAY_S)
    connection.execute(SQL["forget_properties"], {"day": day, "max_properties": MAX_PROPERTIES})
