"""Shared values: small JSON values that every process must know."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.deliveries import Shared
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import Database, rows_of


class PostgresShared:
    """The `SharedValues` of a database, for whoever has it open."""

    _database: Database

    async def get_shared(self, key: str) -> Shared | None:
        """Do `SharedValues.get_shared`."""
        return await self._database.run(_get, key)

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None:
        """Do `SharedValues.put_shared`."""
        return await self._database.run(_put, key, orjson.dumps(value).decode(), revision)

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]:
        """Do `SharedValues.list_shared`."""
        return await self._database.run(_list_by_prefix, prefix)


async def _put(connection: Connection, key: str, value: str, revision: int | None) -> Shared | None:
    written = await rows_of(connection, "put_shared", key=key, value=value, revision=revision)
    return Shared(value=orjson.loads(value), revision=written[0][0]) if written else None


async def _get(connection: Connection, key: str) -> Shared | None:
    rows = await rows_of(connection, "get_shared", key=key)
    return Shared(value=orjson.loads(rows[0][0]), revision=rows[0][1]) if rows else None


async def _list_by_prefix(connection: Connection, prefix: str) -> dict[str, Shared]:
    rows = await rows_of(connection, "list_shared", prefix=prefix)
    return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
