"""Shared values: small JSON values that every process must know."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import orjson

from app.core.deliveries import Shared
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import UsesFile, reads, writes


class KeepsShared(UsesFile):
    """The `SharedValues` of the engine."""

    @reads
    def get_shared(self, connection: sqlite3.Connection, key: str) -> Shared | None:
        return get(connection, key)

    @writes
    def put_shared(
        self, connection: sqlite3.Connection, key: str, value: Any, *, revision: int | None = None
    ) -> Shared | None:
        return put(connection, key, value, revision)

    @reads
    def list_shared(self, connection: sqlite3.Connection, prefix: str) -> Mapping[str, Shared]:
        return list_by_prefix(connection, prefix)


def put(connection: sqlite3.Connection, key: str, value: Any, revision: int | None) -> Shared | None:
    text = orjson.dumps(value).decode()
    # fetchall: a statement that answers rows has finished only when all of them were read.
    written = connection.execute(SQL["put_shared"], {"key": key, "value": text, "revision": revision}).fetchall()
    return Shared(value=orjson.loads(text), revision=written[0][0]) if written else None


def get(connection: sqlite3.Connection, key: str) -> Shared | None:
    row = connection.execute(SQL["get_shared"], {"key": key}).fetchone()
    return Shared(value=orjson.loads(row[0]), revision=row[1]) if row else None


def list_by_prefix(connection: sqlite3.Connection, prefix: str) -> dict[str, Shared]:
    rows = connection.execute(SQL["list_shared"], {"prefix": prefix})
    return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
