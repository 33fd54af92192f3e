"""Records what became of deliveries, however long the outbox cannot: what was sent must not be sent again."""

from collections.abc import Callable, Sequence
from typing import Protocol

from app.core.deliveries import Claimed, Outcome, Retry, Settlement
from app.core.events import Tally
from app.delivery import DeliveryPolicy, Leases, Moment, Shutdown, after_loss, settle, tallies
from app.errors import OutboxUnavailable
from app.sending.surroundings import Surroundings

#: Before the outbox is asked again to record, and before what was not sent may be claimed again.
RECORD_AGAIN_S = 1.0


class _Settles(Protocol):
    async def settle(self, settlements: Sequence[Settlement], tallies: Sequence[Tally], *, now: float) -> None: ...


class Recording:
    """Decides on deliveries by their outcomes, settles them in the outbox and lets go of their claims."""

    def __init__(
        self,
        outbox: _Settles,
        policy: DeliveryPolicy,
        leases: Leases,
        shutdown: Shutdown,
        surroundings: Surroundings,
        *,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._outbox = outbox
        self._policy = policy
        self._leases = leases
        self._shutdown = shutdown
        self._surroundings = surroundings
        self._on_error = on_error

    async def record(self, settlements: Sequence[Settlement], counts: Sequence[Tally]) -> None:
        """Record. Raises OutboxUnavailable only where the end is forced before the outbox could commit."""
        while True:
            try:
                await self._outbox.settle(settlements, counts, now=self._surroundings.clocks.now())
            except OutboxUnavailable as exc:
                if self._shutdown.forced:
                    raise
                self._on_error(exc)
                await self._shutdown.rest_while_finishing(RECORD_AGAIN_S)
            else:
                self._leases.release(settlement.claimed for settlement in settlements)
                return

    async def settle_unsent(self, settlements: Sequence[Settlement]) -> None:
        """Record and tell what is settled without a call of its own."""
        if settlements:
            counts = tallies(settlements)
            await self.record(settlements, counts)
            self._surroundings.on_settled_unsent(settlements, counts)

    async def give_back(self, claimed: Sequence[Claimed], reason: str, *, after_s: float = RECORD_AGAIN_S) -> None:
        """Make deliveries pending again for which no call was made, so that it does not count as an attempt."""
        if claimed:
            untried = Retry(reason=reason, tried=False, retry_after_s=after_s)
            await self.record(self.settlements(claimed, [untried] * len(claimed), judged=False), [])

    async def without_what_may_have_arrived(self, batch: Sequence[Claimed]) -> Sequence[Claimed]:
        """Settle what the sender before may have sent and must not be sent again; return the rest."""
        now = self._surroundings.clocks.now()
        lost = (each for each in batch if each.lease_was_lost)
        judged = (after_loss(each, self._policy, now=now, age_s=self.age_s(each)) for each in lost)
        dead = {each.claimed.delivery_id: each for each in judged if each}
        await self.settle_unsent(list(dead.values()))
        return [each for each in batch if each.delivery_id not in dead]

    def settlements(self, claimed: Sequence[Claimed], results: Sequence[Outcome], *, judged: bool) -> list[Settlement]:
        """Decide on deliveries by what became of them; `judged` is whether the call judged any event."""
        now = self._surroundings.clocks.now()
        chance = self._surroundings.rng.random()  # one for all, so that what failed together is sent together again

        def moment_of(each: Claimed) -> Moment:
            return Moment(now=now, age_s=self.age_s(each), chance=chance, judged=judged)

        pairs = zip(claimed, results, strict=True)
        return [settle(each, result, self._policy, moment_of) for each, result in pairs]

    def age_s(self, claimed: Claimed) -> float:
        """Return how many seconds have passed since the delivery was enqueued."""
        return self._surroundings.clocks.age_s(claimed.enqueued_at)
