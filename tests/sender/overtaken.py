"""A real outbox in which another process always writes first."""

from collections.abc import Mapping
from typing import Any

from app.core.shared_values import Shared
from app.outbox import Outbox


class Overtaken:
    """Shares values through `outbox`; between reading and writing somebody else has written."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def get_shared(self, key: str) -> Shared[Any] | None:
        return await self._outbox.get_shared(key)

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared[Any] | None:
        await self._outbox.put_shared(key, value)
        return await self._outbox.put_shared(key, value, revision=revision)

    async def list_shared(self, prefix: str) -> Mapping[str, Shared[Any]]:
        return await self._outbox.list_shared(prefix)
