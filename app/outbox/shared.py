"""Shared values: small JSON values that every process must know."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.core.deliveries import Shared
from app.outbox.statements import Statements, UsesStore, reads, writes


class KeepsShared(UsesStore):
    """The `SharedValues` of a store, for whoever has it open."""

    @reads
    async def get_shared(self, store: Statements, key: str) -> Shared | None:
        rows = await store.rows("get_shared", key=key)
        return Shared(value=orjson.loads(rows[0][0]), revision=rows[0][1]) if rows else None

    @writes
    async def put_shared(
        self, store: Statements, key: str, value: Any, *, revision: int | None = None
    ) -> Shared | None:
        text = orjson.dumps(value).decode()
        written = await store.rows("put_shared", key=key, value=text, revision=revision)
        return Shared(value=orjson.loads(text), revision=written[0][0]) if written else None

    @reads
    async def list_shared(self, store: Statements, prefix: str) -> Mapping[str, Shared]:
        rows = await store.rows("list_shared", prefix=prefix)
        return {key: Shared(value=orjson.loads(value), revision=revision) for key, value, revision in rows}
