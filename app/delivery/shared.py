"""What the delivery rules ask of the outbox to share a value between processes."""

from typing import Any, Protocol

from app.types import Shared


class SharedValues(Protocol):
    """The part of `app.outbox.protocol.Outbox` that shares values."""

    async def get_shared(self, key: str) -> Shared | None: ...  # noqa: D102 - described by the outbox

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None: ...  # noqa: D102 - described by the outbox
