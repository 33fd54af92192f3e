"""Shared values: small JSON values that every process must know."""

import orjson

from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import rows_of
from app.types import Shared


async def put(connection: Connection, key: str, value: str, revision: int | None) -> Shared | None:
    """Do `Outbox.put_shared`, the value as JSON."""
    written = await rows_of(connection, "put_shared", key=key, value=value, revision=revision)
    return Shared(value=orjson.loads(value), revision=written[0][0]) if written else None


async def get(connection: Connection, key: str) -> Shared | None:
    """Do `Outbox.get_shared`."""
    rows = await rows_of(connection, "get_shared", key=key)
    return Shared(value=orjson.loads(rows[0][0]), revision=rows[0][1]) if rows else None


async def list_by_prefix(connection: Connection, prefix: str) -> dict[str, Shared]:
    """Do `Outbox.list_shared`."""
    rows = await rows_of(connection, "list_shared", prefix=prefix)
    return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
