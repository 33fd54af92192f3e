"""Deliveries of presets that are switched off: put aside in a stream of their own, and back in the queue afterwards.

The queue hands out what it holds, whatever its preset. Left there, or put back with a delay, a million of them would be
handed out again and again before all others, or stay behind for as long as the delay once their preset is on again.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.outbox.jetstream.batch import ClaimCall
from app.outbox.jetstream.broker import Broker, Stored, together
from app.outbox.jetstream.record import FINAL, decode, encode
from app.outbox.jetstream.shared import SharedValues
from app.outbox.jetstream.streams import HELD, LEDGER, QUEUE, address, token
from app.outbox.jetstream.taken import ACK, Taken
from app.types import HELD as WHY_HELD


class Holding:
    """Knows which presets were switched off at the last claim of this process."""

    def __init__(self, broker: Broker, on_move: Callable[[], None]) -> None:
        self._broker = broker
        self._shared = SharedValues(broker)
        self._on_move = on_move
        self._off: dict[str, frozenset[str]] = {}
        self._to_release: dict[str, set[str]] = defaultdict(set)
        self._noted: set[str] = set()

    async def hold(self, at_hand: list[Taken], call: ClaimCall) -> int:
        """Put aside, out of `at_hand`, what is of presets that are switched off; answer how many.

        Raises OutboxUnavailable where one could not be put aside: it is at hand still, and the others are not.
        """
        aside = [
            each
            for each in at_hand
            if each.record.delivery.preset in call.without_presets and not each.record.lease_was_lost
        ]
        if aside:
            await self._note(aside)
            try:
                await together(self._put_aside(each, at_hand) for each in aside)
            finally:
                self._on_move()  # behind them there may be others
        return len(aside)

    async def _note(self, aside: Sequence[Taken]) -> None:
        """Let every process know of which presets something is put aside, before it is."""
        keys = {_key(each.record.delivery.ad_account_id, each.record.delivery.preset) for each in aside}
        for key in keys - self._noted:
            await self._shared.put(key, value=True, revision=None)
            self._noted.add(key)

    async def _put_aside(self, taken: Taken, at_hand: list[Taken]) -> None:
        """Write first, acknowledge last: after a crash in between it is in the queue too, and `_put_back` waits."""
        delivery = replace(taken.record.delivery, reason=WHY_HELD)
        # Handed out anew, its attempts so far are counted beside those that the queue counts.
        aside = replace(taken.record, delivery=delivery, uncounted=-delivery.attempts, handed=1)
        given_back = replace(taken.record, delivery=delivery, uncounted=taken.record.uncounted + 1)
        place = address(delivery)
        await self._broker.publish(f"pinrelay.held.{place}", encode(aside, with_payload=True))
        await self._broker.publish(f"pinrelay.ledger.{place}", encode(given_back))
        await self._broker.acknowledge(taken.message, ACK)
        at_hand.remove(taken)

    async def release(self, call: ClaimCall) -> None:
        """Put up to `limit` deliveries of each preset that was switched on again back in the queue."""
        account, off = call.ad_account_id, call.without_presets
        before = self._off.get(account)
        if before is None:  # somebody may have put something aside before this process began
            prefix = _key(account, "")
            before = frozenset(key.removeprefix(prefix) for key in await self._shared.list_by_prefix(prefix))
        self._off[account] = off
        todo = self._to_release[account]
        todo |= before
        todo -= off
        for preset in tuple(todo):
            pattern = f"pinrelay.held.{token(account)}.*.*.*.{token(preset)}"
            stored = await self._broker.read(HELD, pattern, limit=call.limit)
            # Of two copies, which a crash can leave, the older is looked at when the newer has left the queue.
            if any(await together(map(self._put_back, {each.subject: each for each in stored}.values()))):
                self._on_move()
            if not stored:
                todo.discard(preset)

    async def _put_back(self, stored: Stored) -> bool:
        """Publish first, delete last; False where it is in the queue.

        There it may be about to be put aside by a process that does not know yet: it is looked at again.
        The queue is asked before the ledger, for what leaves the queue is settled before.
        """
        record = decode(stored.body)
        record = replace(record, delivery=replace(record.delivery, reason=""))
        place = address(record.delivery)
        if await self._broker.last(QUEUE, f"pinrelay.queue.{place}") is not None:
            return False
        written = await self._broker.last(LEDGER, f"pinrelay.ledger.{place}")
        if written is None or decode(written.body).delivery.state not in FINAL:
            body = encode(record, with_payload=True)
            await self._broker.publish(f"pinrelay.queue.{place}", body, message_id=f"release.{stored.sequence}")
            after = written.sequence if written else 0
            await self._broker.replace(f"pinrelay.ledger.{place}", encode(record), after=after)
        await self._broker.delete(HELD, stored.sequence)
        return True


def _key(ad_account_id: str, preset: str) -> str:
    return f"held/{ad_account_id}/{preset}"
