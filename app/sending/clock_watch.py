"""Sees to what waits when the clock of the machine was set, and tells the other processes."""

from collections.abc import Callable
from typing import Protocol

from app.core.shared_values import CLOCK_JUMPS, ClockJump, ClockJumps, SharedValues
from app.core.values.times import MAX_HOLD_S
from app.delivery import Clocks, DeliveryPolicy, Leases, with_jump

#: So many deliveries are hastened in one step.
HASTEN_ROWS = 10_000
#: A process that begins just after a jump is told of it by those that lived before, within so long. Later ones it
#: notices itself; to take up what others saw of them would count them twice.
LEARN_FOR_S = 10.0


class _Hastens(SharedValues, Protocol):
    async def hasten(self, ad_account_id: str, *, pending_by: float, claimed_by: float, limit: int) -> int: ...


class ClockWatch:
    """Notices that the clock was set, and sees to what follows; asked before every claim."""

    def __init__(
        self,
        outbox: _Hastens,
        clocks: Clocks,
        leases: Leases,
        policy: DeliveryPolicy,
        *,
        ad_account_id: str,
        on_jump: Callable[[ClockJump], None],
    ) -> None:
        self._outbox = outbox
        self._clocks = clocks
        self._leases = leases
        self._policy = policy
        self._ad_account_id = ad_account_id
        self._on_jump = on_jump
        self._has_begun = False
        #: By the monotonic clock.
        self._learns_until = 0.0

    async def look(self) -> None:
        """Take up what became of the clock since the last look. Raises OutboxUnavailable."""
        if not self._has_begun:
            await self._begin()
        elif self._clocks.monotonic() < self._learns_until:
            await self._learn()
        for jump in self._clocks.noticed():
            self._leases.disturbed()
            await self._tell(jump)
            if jump.after < jump.before:
                await self._hasten(pending_by=jump.after)
            self._clocks.heeded(jump)

    async def _begin(self) -> None:
        """Learn of jumps before this process; what lies further ahead than any pause or hold is of a wrong clock."""
        await self._learn()
        self._learns_until = self._clocks.monotonic() + LEARN_FOR_S
        await self._hasten(pending_by=self._clocks.now() + max(self._policy.retry_max_pause_s, MAX_HOLD_S))
        self._has_begun = True

    async def _learn(self) -> None:
        known = await CLOCK_JUMPS.read(self._outbox)
        self._clocks.learn(known.jumps if known else ())

    async def _tell(self, jump: ClockJump) -> None:
        """Add the jump to those that all processes know; whoever is first says it aloud."""
        while True:
            known = await CLOCK_JUMPS.read_revised(self._outbox)
            before = known.value.jumps if known.value else ()
            after = with_jump(before, jump)
            if after == before:
                return
            if await CLOCK_JUMPS.write(self._outbox, ClockJumps(jumps=after), revision=known.revision):
                self._on_jump(jump)
                return

    async def _hasten(self, *, pending_by: float) -> None:
        claimed_by = self._clocks.now() + self._policy.lease_s
        while await self._outbox.hasten(
            self._ad_account_id, pending_by=pending_by, claimed_by=claimed_by, limit=HASTEN_ROWS
        ):
            pass
