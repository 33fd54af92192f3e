# ruff: noqa: D102 - app/outbox/protocol.py says what the methods promise
"""The outbox in a cluster of NATS JetStream servers, which any number of processes share."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.errors import OutboxUnavailable
from app.outbox.jetstream.batch import ClaimCall
from app.outbox.jetstream.broker import Broker
from app.outbox.jetstream.connection import Connection
from app.outbox.jetstream.enqueue import Enqueue
from app.outbox.jetstream.holding import Holding
from app.outbox.jetstream.keys import Keys
from app.outbox.jetstream.ledger import Ledger
from app.outbox.jetstream.queue import Queue
from app.outbox.jetstream.redrive import Redrive
from app.outbox.jetstream.settle import Settle
from app.outbox.jetstream.shared import SharedValues
from app.outbox.jetstream.streams import configurations
from app.outbox.jetstream.tally import Tallies
from app.outbox.jetstream.watch import Watch
from app.outbox.outbox_rules import OutboxRules
from app.types import (
    Backlog,
    Claimed,
    Delivery,
    Enqueued,
    Message,
    NewDelivery,
    Note,
    Page,
    Query,
    Seen,
    Settlement,
    Shared,
    Tally,
)


class JetStreamOutbox:
    """The `Outbox` of app/outbox/protocol.py: what each method promises is said there, what differs in docs/cluster.md.

    It connects at the first call, so that Pinrelay starts while the servers do.
    """

    def __init__(self, servers: Sequence[str], rules: OutboxRules, *, clock: Callable[[], float]) -> None:
        self._watch = Watch(clock)
        self._broker = Broker(Connection(servers, configurations(rules), self._watch.woken))
        self._keys = Keys(self._broker)
        self._queue = Queue(self._broker, Holding(self._broker, self._watch.wake))
        self._tallies = Tallies(self._broker)
        self._ledger = Ledger(self._broker, self._queue)
        self._shared = SharedValues(self._broker)
        self._enqueue = Enqueue(self._broker, self._keys, rules)
        self._settle = Settle(self._broker, self._queue, self._keys, rules)
        self._redrive = Redrive(self._broker, self._keys, self._ledger, rules)
        self._closed = False

    async def enqueue(
        self, deliveries: Sequence[NewDelivery], notes: Sequence[Note], tallies: Sequence[Tally], *, now: float
    ) -> list[Enqueued]:
        await self._broker.open()
        answers, counted = await self._enqueue(deliveries, notes, now=now)
        self._tallies.add((*tallies, *counted), now)
        await self._wake(now)
        return answers

    async def seen(self, deliveries: Sequence[NewDelivery], *, now: float) -> list[Seen | None]:
        await self._broker.open()
        return await self._enqueue.seen(deliveries, now=now)

    async def claim(
        self,
        ad_account_id: str,
        *,
        limit: int,
        max_bytes: int,
        max_wait_s: float,
        lease_s: float,
        now: float,
        without_presets: frozenset[str] = frozenset(),
    ) -> list[Claimed]:
        call = ClaimCall(
            ad_account_id=ad_account_id,
            limit=limit,
            max_bytes=max_bytes,
            max_wait_s=max_wait_s,
            lease_s=lease_s,
            without_presets=without_presets,
            now=now,
        )
        claimed = await self._queue.claim(call)
        self._watch.looked(now, found=bool(claimed))
        for each in claimed:
            self._watch.expect(each.delivery_id, now + lease_s)
        return claimed

    async def renew(self, claimed: Sequence[Claimed], *, lease_s: float, now: float) -> None:
        await self._queue.renew(claimed, now + lease_s)
        for each in claimed:
            self._watch.expect(each.delivery_id, now + lease_s)

    async def settle(self, settlements: Sequence[Settlement], tallies: Sequence[Tally], *, now: float) -> None:
        await self._settle(settlements, now=now)
        self._tallies.add(tallies, now)
        for each in settlements:
            self._watch.forget(each.claimed.delivery_id)
        pending = {each.claimed.delivery_id: each.due_at for each in settlements if each.due_at is not None}
        for delivery_id, due_at in pending.items():
            self._watch.expect(delivery_id, due_at)
        if pending:
            await self._wake(min(pending.values()))

    async def wait(self, timeout_s: float) -> None:
        if not self._closed:
            await self._broker.open()
        await self._watch.wait(timeout_s)

    async def redrive(self, query: Query, *, now: float) -> int:
        count = await self._redrive(query, now=now)
        await self._wake(now)
        return count

    async def search(self, query: Query, *, limit: int, cursor: str | None = None) -> Page:
        return await self._ledger.search(query, limit=limit, cursor=cursor)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        await self._broker.open()
        return await self._ledger.delivery(delivery_id)

    async def message(self, message_id: str) -> Message:
        return await self._ledger.message(message_id)

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - the server counts
        return await self._ledger.backlog(ad_account_id)

    async def tallies(self, *, since: float, step_s: int) -> list[tuple[float, Tally]]:
        return await self._tallies.read(since, step_s)

    async def get_shared(self, key: str) -> Shared | None:
        return await self._shared.get(key)

    async def put_shared(self, key: str, value: Any, *, revision: int | None = None) -> Shared | None:
        return await self._shared.put(key, value, revision)

    async def list_shared(self, prefix: str) -> Mapping[str, Shared]:
        return await self._shared.list_by_prefix(prefix)

    async def retain(self, *, now: float, limit: int) -> int:  # noqa: ARG002 - the streams forget by themselves
        return 0

    async def check(self) -> None:
        await self._enqueue.refuse_beyond_the_backlog(1)
        await self._broker.publish("$KV.pinrelay_keys.probe", b"")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watch.close()
        with suppress(OutboxUnavailable):  # then others take it up when the lease ends
            await self._tallies.close()
            await self._queue.close()
        await self._broker.close()

    async def _wake(self, due_at: float) -> None:
        self._watch.wake()
        await self._broker.wake(repr(due_at).encode())
