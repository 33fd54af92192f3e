"""Shared values: small JSON values that every process must know."""

import sqlite3
from dataclasses import dataclass

import orjson

from app.core.deliveries import Shared
from app.outbox.sqlite.database import SQL


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCall:
    """The arguments of one `Outbox.put_shared`, the value as JSON."""

    key: str
    value: str
    revision: int | None


def put(connection: sqlite3.Connection, call: PutCall) -> Shared | None:
    """Do `Outbox.put_shared`."""
    parameters = {"key": call.key, "value": call.value, "revision": call.revision}
    # fetchall: a statement that answers rows has finished only when all of them were read.
    written = connection.execute(SQL["put_shared"], parameters).fetchall()
    return Shared(value=orjson.loads(call.value), revision=written[0][0]) if written else None


def get(connection: sqlite3.Connection, key: str) -> Shared | None:
    """Do `Outbox.get_shared`."""
    row = connection.execute(SQL["get_shared"], {"key": key}).fetchone()
    return Shared(value=orjson.loads(row[0]), revision=row[1]) if row else None


def list_by_prefix(connection: sqlite3.Connection, prefix: str) -> dict[str, Shared]:
    """Do `Outbox.list_shared`."""
    rows = connection.execute(SQL["list_shared"], {"prefix": prefix})
    return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
