"""Shared values: small JSON values that every process must know."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.shared_values import NEEDED, Shared
from app.errors import OutboxUnavailable
from app.outbox.statements import Statements, UsesStore, reads, writes


class KeepsShared(UsesStore):
    """The `SharedValues` of a store, for code with an open store."""

    @reads
    async def get_shared(self, store: Statements, key: str) -> Shared[Any] | None:
        rows = await store.rows("get_shared", key=key)
        return read_shared(key, *rows[0]) if rows else None

    @writes
    async def put_shared(
        self, store: Statements, key: str, value: Any, *, revision: int | None = None
    ) -> Shared[Any] | None:
        text = orjson.dumps(value).decode()
        written = await store.rows("put_shared", key=key, value=text, revision=revision)
        return Shared(value=orjson.loads(text), revision=written[0][0]) if written else None

    @reads
    async def list_shared(self, store: Statements, prefix: str) -> Mapping[str, Shared[Any]]:
        return await _list(store, [prefix])

    @reads
    async def check_shared(self, store: Statements) -> None:
        """Raise OutboxUnavailable if a value that receiving or sending needs is damaged."""
        await _list(store, NEEDED)


async def _list(store: Statements, prefixes: list[str]) -> Mapping[str, Shared[Any]]:
    rows = await store.rows("list_shared", prefixes=prefixes)
    return {key: read_shared(key, value, revision) for key, value, revision in rows}


def read_shared(key: str, value: str | bytes, revision: int) -> Shared[Any]:
    """Read a row of the table `shared`. Raises OutboxUnavailable if its value is damaged."""
    try:
        return Shared(value=orjson.loads(value), revision=revision)
    except orjson.JSONDecodeError as exc:
        message = (
            f"The shared value {key} in the outbox is damaged: it is not JSON. Restore a backup. To lose only this "
            "value, delete its row from the table `shared`."
        )
        raise OutboxUnavailable(message, why="damaged") from exc
