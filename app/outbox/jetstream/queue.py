"""The work queue as this process sees it: what it has at hand for the next batch, and what it holds claimed."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from app.errors import OutboxError
from app.outbox.jetstream.batch import ClaimCall, batch
from app.outbox.jetstream.broker import Broker, together
from app.outbox.jetstream.holding import Holding
from app.outbox.jetstream.record import FINAL, Record, decode, encode, handed_again
from app.outbox.jetstream.streams import LEDGER, QUEUE, address, token
from app.outbox.jetstream.taken import ACK, IN_PROGRESS, Taken, nak
from app.types import Claimed, Delivery

#: So many pulls a claim where all that they bring is put aside.
_PULLS: Final = 4


class Queue:
    """Pulls, keeps a partial batch at hand, and knows the claims of this process."""

    def __init__(self, broker: Broker, holding: Holding) -> None:
        self._broker = broker
        self._holding = holding
        self._leases: dict[str, float] = {}
        self._pulled: dict[str, list[Msg]] = defaultdict(list)
        self._at_hand: dict[str, list[Taken]] = defaultdict(list)
        self._claimed: dict[str, Taken] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def claim(self, call: ClaimCall) -> list[Claimed]:
        """Do `Outbox.claim`."""
        async with self._locks[call.ad_account_id]:
            await self.subscribe(call.ad_account_id, call.lease_s)
            await self._holding.release(call)
            at_hand = self._at_hand[call.ad_account_id] = await self._still_at_hand(call)
            await self._holding.hold(at_hand, call)
            for _ in range(_PULLS):
                await self._fetch(call)
                if not await self._holding.hold(at_hand, call):
                    break
            chosen = {id(record) for record in batch([each.record for each in at_hand], call)}
            self._at_hand[call.ad_account_id] = [each for each in at_hand if id(each.record) not in chosen]
            return [self._take(each, call) for each in at_hand if id(each.record) in chosen]

    async def subscribe(self, ad_account_id: str, lease_s: float | None = None) -> str:
        """Make the consumer of an ad account, which all processes share, with this lease; answer its name."""
        name = f"senders-{token(ad_account_id)}"
        known = self._leases.get(ad_account_id)
        if known is None or lease_s not in (None, known):
            config = ConsumerConfig(
                durable_name=name,
                filter_subject=f"pinrelay.queue.{token(ad_account_id)}.>",
                ack_wait=lease_s or 60,
                max_ack_pending=-1,  # what waits for its retry counts here
                max_deliver=-1,
            )
            await self._broker.consumer(QUEUE, config)
            self._leases[ad_account_id] = lease_s or 60
        return name

    async def _still_at_hand(self, call: ClaimCall) -> list[Taken]:
        """Answer what is ours still of what waits for a batch, and tell the server so before it gives it away."""
        time = asyncio.get_running_loop().time()
        kept = [each for each in self._at_hand[call.ad_account_id] if time - each.heard_at < call.lease_s]
        await self._hear(each for each in kept if time - each.heard_at > call.lease_s / 3)
        return kept

    async def _hear(self, all_taken: Iterable[Taken]) -> None:
        async def hear(taken: Taken) -> None:
            await self._broker.acknowledge(taken.message, IN_PROGRESS)
            taken.heard_at = asyncio.get_running_loop().time()

        await together(map(hear, all_taken))

    async def _fetch(self, call: ClaimCall) -> None:
        """Pull what is missing for a batch; what cannot be read now stays pulled, and is read first the next time."""
        consumer = await self.subscribe(call.ad_account_id)
        at_hand, pulled = self._at_hand[call.ad_account_id], self._pulled[call.ad_account_id]
        pulled += await self._broker.pull(QUEUE, consumer, max(0, call.limit - len(at_hand) - len(pulled)))

        async def read(message: Msg) -> Taken | OutboxError | None:
            try:
                return await self._open(message, call.now)
            except OutboxError as exc:
                return exc

        opened = await together(map(read, pulled))
        at_hand += [each for each in opened if isinstance(each, Taken)]
        faults = [
            (message, each) for message, each in zip(pulled, opened, strict=True) if isinstance(each, OutboxError)
        ]
        pulled[:] = [message for message, _ in faults]
        if faults:
            raise faults[0][1]

    async def _open(self, message: Msg, now: float) -> Taken | None:
        """Read a message; None where it was settled already, by a process that ended before it could say so."""
        record = decode(message.data)
        handed = message.metadata.num_delivered
        if handed > 1:
            first, record = record, await self._newest(record) or record
            if record.delivery.state in FINAL:
                await self._broker.acknowledge(message, ACK)
                return None
            record = handed_again(record, handed, now)
            delivery = replace(record.delivery, payload=first.delivery.payload)
            record = replace(record, delivery=delivery, traceparent=first.traceparent)
            await self._broker.publish(f"pinrelay.ledger.{address(record.delivery)}", encode(record))
        return Taken(message=message, record=record, heard_at=asyncio.get_running_loop().time())

    async def _newest(self, record: Record) -> Record | None:
        stored = await self._broker.last(LEDGER, f"pinrelay.ledger.{address(record.delivery)}")
        return decode(stored.body) if stored else None

    def _take(self, taken: Taken, call: ClaimCall) -> Claimed:
        delivery = taken.record.delivery
        taken.claim = secrets.token_hex(8)
        taken.attempt = max(1, taken.message.metadata.num_delivered - taken.record.uncounted)
        taken.until = call.now + call.lease_s
        self._claimed[delivery.delivery_id] = taken
        return Claimed(
            delivery_id=delivery.delivery_id,
            claim=taken.claim,
            ad_account_id=delivery.ad_account_id,
            preset=delivery.preset,
            message_id=delivery.message_id,
            event_name=delivery.event_name,
            event_id=delivery.event_id,
            action_source=delivery.action_source,
            payload=delivery.payload or b"",
            attempt=taken.attempt,
            enqueued_at=delivery.enqueued_at,
            traceparent=taken.record.traceparent,
            lease_was_lost=taken.record.lease_was_lost,
        )

    def held(self, claimed: Claimed) -> Taken | None:
        """Answer what a claim holds; None where this process does not hold it (any more)."""
        taken = self._claimed.get(claimed.delivery_id)
        return taken if taken is not None and taken.claim == claimed.claim else None

    async def still_held(self, claimed: Claimed, now: float) -> Taken | None:
        """Answer what a claim holds; where its lease has ended, unless another process has claimed it since."""
        taken = self.held(claimed)
        if taken is None or now < taken.until:
            return taken
        newest = await self._newest(taken.record)
        if newest is None or newest.handed <= taken.record.handed:
            return taken
        self._claimed.pop(claimed.delivery_id, None)
        return None

    async def renew(self, claimed: Sequence[Claimed], until: float) -> None:
        """Do `Outbox.renew`, also for what waits at hand for a claim: while sending pauses nobody claims."""
        ours = [taken for taken in map(self.held, claimed) if taken]
        at_hand = [taken for of_account in self._at_hand.values() for taken in of_account]
        pulled = [message for of_account in self._pulled.values() for message in of_account]
        await self._hear([*ours, *at_hand])
        await together(self._broker.acknowledge(message, IN_PROGRESS) for message in pulled)
        for taken in ours:
            taken.until = until

    async def finish(self, taken: Taken, verb: bytes) -> None:
        """Let go of a claim, telling the server what becomes of the message."""
        await self._broker.acknowledge(taken.message, verb)
        if self._claimed.get(taken.record.delivery.delivery_id) is taken:
            del self._claimed[taken.record.delivery.delivery_id]

    def shown(self, delivery: Delivery) -> Delivery:
        """Show a delivery as claimed where this process holds it."""
        taken = self._claimed.get(delivery.delivery_id)
        return taken.delivery if taken is not None else delivery

    def claimed_of(self, ad_account_id: str) -> int:
        """Count what this process holds of an ad account."""
        return sum(taken.record.delivery.ad_account_id == ad_account_id for taken in self._claimed.values())

    async def close(self) -> None:
        """Give back what waits at hand, uncounted."""

        async def give_back(taken: Taken) -> None:
            record = replace(taken.record, uncounted=taken.record.uncounted + 1)
            await self._broker.publish(f"pinrelay.ledger.{address(record.delivery)}", encode(record))
            await self._broker.acknowledge(taken.message, nak(0))

        await together(give_back(taken) for at_hand in self._at_hand.values() for taken in at_hand)
        self._at_hand.clear()
