"""The two clocks of a process: the wall clock, which may be set, and the monotonic clock.

Processes and restarts share the wall clock. Jumps of the wall clock are detected and excluded from ages, so that no
delivery is given up for hours that never passed.
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final

from app.config.settings import DeliverySettings
from app.core.shared_values import CLOCK_JUMPS, ClockJump, ClockJumps
from app.outbox import Outbox
from app.sender.leases import Leases

#: The minimum step that counts as a jump. Smaller steps come from time services.
NOTICED_S: Final = 2.0
#: Around a jump, smaller steps leave the order of two times uncertain.
_UNSURE_S: Final = 60.0
#: The number of jumps that ages account for.
_KEPT: Final = 20


def age_s(since: float, now: float, jumps: Sequence[ClockJump]) -> float:
    """Return the seconds that passed between two times of a clock with these jumps, in order.

    After the clock was set back, a time is ambiguous. The age is then the smallest possible one, and at least 0: a
    delivery may wait longer, but is not given up early.
    """
    if not jumps:
        return max(0.0, now - since)
    last = jumps[-1].after
    # smaller steps are not detected, so a recent beginning may appear to be slightly in the future
    ages = [now - since] if last - _UNSURE_S <= since <= now + _UNSURE_S else []
    skipped_s = 0.0
    for place in range(len(jumps) - 1, -1, -1):
        jump = jumps[place]
        skipped_s += jump.after - jump.before
        began = jumps[place - 1].after if place else -inf
        if began - _UNSURE_S <= since <= jump.before + _UNSURE_S:  # possibly before this jump
            ages.append(now - since - skipped_s)
    # a time that never existed here comes from another machine
    return max(0.0, min(ages, default=now - max(since, last)))


def add_jump(jumps: Iterable[ClockJump], jump: ClockJump) -> tuple[ClockJump, ...]:
    """Return the jumps with a new one; the same jumps if another process detected it before."""
    known = tuple(jumps)
    if any(abs(each.before - jump.before) < NOTICED_S and abs(each.after - jump.after) < NOTICED_S for each in known):
        return known
    return (*known, jump)[-_KEPT:]


class Clocks:
    """The clocks of a process, and the jumps of the wall clock."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self.monotonic = monotonic
        self._ahead_s = wall() - monotonic()
        #: Jumps that this process detected and has not handled yet.
        self._noticed: list[ClockJump] = []
        #: All known jumps.
        self.jumps: tuple[ClockJump, ...] = ()

    def now(self) -> float:
        """Return Unix seconds, and detect jumps since the last call."""
        now, steady = self._wall(), self.monotonic()
        expected = steady + self._ahead_s
        if abs(now - expected) > NOTICED_S:
            jump = ClockJump(before=expected, after=now)
            self._noticed.append(jump)
            self.jumps = add_jump(self.jumps, jump)
        self._ahead_s = now - steady
        return now

    def age_s(self, since: float) -> float:
        return age_s(since, self.now(), self.jumps)

    def noticed(self) -> list[ClockJump]:
        """Return the jumps that this process detected and has not handled yet."""
        self.now()
        return list(self._noticed)

    @property
    def has_jumped(self) -> bool:
        return bool(self._noticed)

    def heeded(self, jump: ClockJump) -> None:
        """Note that this process has handled a jump."""
        self._noticed.remove(jump)

    def learn(self, jumps: Iterable[ClockJump]) -> None:
        """Add the jumps that all processes know before the unreported jumps of this process."""
        known = tuple(jumps)
        for jump in self.jumps:
            known = add_jump(known, jump)
        self.jumps = known


#: The number of deliveries that one step reschedules.
RESCHEDULE_ROWS = 10_000
#: A process that begins just after a jump learns of the jump from older processes within this time. A process detects
#: later jumps by itself: jumps of others would count twice.
LEARN_FOR_S = 10.0


class ClockWatch:
    """Detect jumps of the clock and handle their consequences; called before every claim."""

    def __init__(
        self,
        outbox: Outbox,
        clocks: Clocks,
        leases: Leases,
        policy: DeliverySettings,
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
        #: By the monotonic clock: until then, results from before a step back may be recorded.
        self._reschedules_until = 0.0

    async def look(self) -> None:
        """Handle the changes of the clock since the last call. Raises OutboxUnavailable."""
        if not self._has_begun:
            await self._begin()
        elif self._clocks.monotonic() < self._learns_until:
            await self._learn()
        for jump in self._clocks.noticed():
            self._leases.disturbed()
            await self._tell(jump)
            if jump.after < jump.before:
                await self._reschedule(pending_by=jump.after)
                self._reschedules_until = self._clocks.monotonic() + self._policy.lease_s
            self._clocks.heeded(jump)
        if self._clocks.monotonic() < self._reschedules_until:
            await self._reschedule(pending_by=self._clocks.now() + self._policy.retry_max_pause_s)

    async def _begin(self) -> None:
        """Learn of jumps before this process; times further ahead than any pause come from a wrong clock."""
        await self._outbox.hold_clock.keep()
        if jump := self._outbox.hold_clock.jump_before:
            await self._tell(jump)
        await self._learn()
        self._learns_until = self._clocks.monotonic() + LEARN_FOR_S
        await self._reschedule(pending_by=self._clocks.now() + self._policy.retry_max_pause_s)
        self._has_begun = True

    async def _learn(self) -> None:
        known = await CLOCK_JUMPS.read(self._outbox)
        self._clocks.learn(known.jumps if known else ())

    async def _tell(self, jump: ClockJump) -> None:
        """Add the jump to the shared jumps; the first process logs the jump."""
        while True:
            known = await CLOCK_JUMPS.read_revised(self._outbox)
            before = known.value.jumps if known.value else ()
            after = add_jump(before, jump)
            if after == before:
                return
            if await CLOCK_JUMPS.write(self._outbox, ClockJumps(jumps=after), revision=known.revision):
                self._on_jump(jump)
                return

    async def _reschedule(self, *, pending_by: float) -> None:
        claimed_by = self._clocks.now() + self._policy.lease_s
        while await self._outbox.reschedule(
            self._ad_account_id, pending_by=pending_by, claimed_by=claimed_by, limit=RESCHEDULE_ROWS
        ):
            pass
