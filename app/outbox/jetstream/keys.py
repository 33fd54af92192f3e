"""Keys of de-duplication in their bucket: looked up, taken, released."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import orjson

from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.streams import KEYS, subject_of_bucket
from app.outbox.keys import Key, keys_of
from app.outbox.outbox_rules import OutboxRules
from app.types import Delivery, NewDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the bucket says of a key."""

    #: The delivery that holds it; "" where none does.
    holder: str = ""
    #: When its window ends.
    until: float = 0
    #: Of the key's last write, also of its release; 0 where there was none.
    revision: int = 0


def keys_under(rules: OutboxRules, delivery: NewDelivery | Delivery) -> tuple[Key, ...]:
    """Answer the keys of a delivery under the rules."""
    return _keys(delivery, dedup_orders=rules.dedup_orders)


def _keys(delivery: NewDelivery | Delivery, *, dedup_orders: bool) -> tuple[Key, ...]:
    return keys_of(
        ad_account_id=delivery.ad_account_id,
        preset=delivery.preset,
        event_name=delivery.event_name,
        event_id=delivery.event_id,
        order_id=delivery.order_id,
        dedup_orders=dedup_orders,
    )


class Keys:
    """The bucket, and locks so that calls of one process agree on who came first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def locked(self, keys: Iterable[Key]) -> AsyncIterator[None]:
        """Keep other calls of this process from judging these keys meanwhile."""
        async with AsyncExitStack() as stack:
            for digest in sorted({key.digest for key in keys}):  # sorted: two calls never wait for each other
                await stack.enter_async_context(self._lock(digest))
            yield

    @asynccontextmanager
    async def _lock(self, digest: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(digest, (asyncio.Lock(), 0))
        self._locks[digest] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks.pop(digest)
            if users > 1:
                self._locks[digest] = lock, users - 1

    async def look(self, keys: Iterable[Key]) -> dict[str, Held]:
        """Look keys up: digest -> what the bucket says."""
        digests = sorted({key.digest for key in keys})
        return dict(zip(digests, await together(map(self._look, digests)), strict=True))

    async def _look(self, digest: str) -> Held:
        found = await self._broker.last(KEYS, _subject(digest))
        if found is None:
            return Held()
        if "KV-Operation" in found.headers:
            return Held(revision=found.sequence)
        holder, until = orjson.loads(found.body)
        return Held(holder=holder, until=until, revision=found.sequence)

    async def take(self, keys: Iterable[Key], holder: str, until: float, seen: Mapping[str, Held]) -> None:
        """Write down who holds keys, unless somebody else has written since they were looked up."""
        body = orjson.dumps([holder, until])
        await together(
            self._broker.replace(_subject(key.digest), body, after=seen[key.digest].revision) for key in keys
        )

    async def release(self, delivery: Delivery) -> None:
        """Forget the keys of a dead delivery, so that a replay is sent; not those that another holds.

        A key that is not there is marked released all the same: the next delivery with it then has another message id
        for the broker, and is not swallowed as a quick retry.
        """
        keys = _keys(delivery, dedup_orders=True)  # it may have been so when the key was taken
        seen = await self.look(keys)
        free = [key.digest for key in keys if seen[key.digest].holder in ("", delivery.delivery_id)]
        await together(
            self._broker.replace(_subject(digest), b"", after=seen[digest].revision, KV_Operation="DEL")
            for digest in free
        )


def _subject(digest: str) -> str:
    """Base64 has a `+`, which a bucket does not allow in a key."""
    return f"{subject_of_bucket(KEYS)}.{digest.replace('+', '-')}"
