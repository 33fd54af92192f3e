"""Shared values: small JSON values that every process must know."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.deliveries import Shared
from app.outbox.postgres.database import Database, rows_of


class PostgresShared:
    """The `SharedValues` of a database, for whoever has it open."""

    _database: Database

    async def get_shared(self, key: str) -> Shared | None:
        rows = await self._database.run(rows_of, "get_shared", key=key)
        return Shared(value=orjson.loads(rows[0][0]), revision=rows[0][1]) if rows else None

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None:
        text = orjson.dumps(value).decode()
        written = await self._database.run(rows_of, "put_shared", key=key, value=text, revision=revision)
        return Shared(value=orjson.loads(text), revision=written[0][0]) if written else None

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]:
        rows = await self._database.run(rows_of, "list_shared", prefix=prefix)
        return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
