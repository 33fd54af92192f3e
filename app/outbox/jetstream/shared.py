"""Shared values: small JSON values that every process must know, in a bucket."""

from typing import Any

import orjson

from app.outbox.jetstream.broker import Broker
from app.outbox.jetstream.streams import SHARED, subject_of_bucket
from app.types import Shared


class SharedValues:
    """Each value lies with its own revision, counted from 1; the broker's sequence keeps writers apart."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def get(self, key: str) -> Shared | None:
        """Do `Outbox.get_shared`."""
        return (await self._read(key))[0]

    async def put(self, key: str, value: Any, revision: int | None) -> Shared | None:
        """Do `Outbox.put_shared`."""
        while True:
            before, sequence = await self._read(key)
            last = before.revision if before else 0
            if revision is not None and revision != last:
                return None
            written = await self._broker.replace(
                _subject(key), orjson.dumps([key, last + 1, value]), after=sequence
            )  # fmt: skip
            if written is not None:
                return Shared(value=value, revision=last + 1)

    async def list_by_prefix(self, prefix: str) -> dict[str, Shared]:
        """Do `Outbox.list_shared`."""
        stored = await self._broker.read(SHARED, f"{subject_of_bucket(SHARED)}.>")
        values = [orjson.loads(each.body) for each in stored]
        return {key: Shared(value=value, revision=last) for key, last, value in values if key.startswith(prefix)}

    async def _read(self, key: str) -> tuple[Shared | None, int]:
        """Read a value and the sequence of the message that holds it."""
        stored = await self._broker.last(SHARED, _subject(key))
        if stored is None:
            return None, 0
        _, revision, value = orjson.loads(stored.body)
        return Shared(value=value, revision=revision), stored.sequence


def _subject(key: str) -> str:
    """Any text is a key: in hexadecimal digits, after an `x` for the empty one."""
    return f"{subject_of_bucket(SHARED)}.x{key.encode().hex()}"
