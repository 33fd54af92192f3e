"""Two clocks: one that says what time it is and may be set, and one that only goes on.

What happens between processes and across restarts is told by the first. So what it is set by is noticed, and told from
time that has passed: nothing is given up for hours that never were.
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final

from app.config.settings import DeliverySettings
from app.core.shared_values import CLOCK_JUMPS, ClockJump, ClockJumps
from app.outbox import Outbox
from app.sender.leases import Leases

#: Smaller steps are time services at work.
NOTICED_S: Final = 2.0
#: Around a jump smaller steps make it unsure which of two times was before it.
_UNSURE_S: Final = 60.0
#: Of so many jumps it is known how they changed ages.
_KEPT: Final = 20


def age_s(since: float, now: float, jumps: Sequence[ClockJump]) -> float:
    """Return the seconds that passed between two times of a clock that made these jumps, in their order.

    Where the clock was set back, the same time came more than once. Then the age is the least that can be true, and not
    below 0: rather something waits for longer than it is given up early.
    """
    if not jumps:
        return max(0.0, now - since)
    last = jumps[-1].after
    # smaller steps are not noticed, so what has just begun may seem to begin a little later than now
    ages = [now - since] if last - _UNSURE_S <= since <= now + _UNSURE_S else []
    skipped_s = 0.0
    for place in range(len(jumps) - 1, -1, -1):
        jump = jumps[place]
        skipped_s += jump.after - jump.before
        began = jumps[place - 1].after if place else -inf
        if began - _UNSURE_S <= since <= jump.before + _UNSURE_S:  # it may have been before this jump
            ages.append(now - since - skipped_s)
    # a time that never was here is another machine's
    return max(0.0, min(ages, default=now - max(since, last)))


def add_jump(jumps: Iterable[ClockJump], jump: ClockJump) -> tuple[ClockJump, ...]:
    """Return the jumps with one more; the same ones where another process noticed it already."""
    known = tuple(jumps)
    if any(abs(each.before - jump.before) < NOTICED_S and abs(each.after - jump.after) < NOTICED_S for each in known):
        return known
    return (*known, jump)[-_KEPT:]


class Clocks:
    """The clocks of one process, and the jumps of the first."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self.monotonic = monotonic
        self._ahead_s = wall() - monotonic()
        #: By this process, and not heeded yet.
        self._noticed: list[ClockJump] = []
        #: All that are known.
        self.jumps: tuple[ClockJump, ...] = ()

    def now(self) -> float:
        """Return Unix seconds, and notice where the clock was set since the last look."""
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
        """Return the jumps that this process noticed and has not heeded yet."""
        self.now()
        return list(self._noticed)

    @property
    def has_jumped(self) -> bool:
        return bool(self._noticed)

    def heeded(self, jump: ClockJump) -> None:
        """Note that this process has done what a jump asks for."""
        self._noticed.remove(jump)

    def learn(self, jumps: Iterable[ClockJump]) -> None:
        """Take up what all processes know, before what this one has not told yet."""
        known = tuple(jumps)
        for jump in self.jumps:
            known = add_jump(known, jump)
        self.jumps = known


#: So many deliveries are rescheduled in one step.
RESCHEDULE_ROWS = 10_000
#: A process that begins just after a jump is told of it by those that lived before, within so long. Later ones it
#: notices itself; to take up what others saw of them would count them twice.
LEARN_FOR_S = 10.0


class ClockWatch:
    """Notices that the clock was set, and sees to what follows; asked before every claim."""

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
        #: By the monotonic clock: results computed before a step back may be recorded until then.
        self._reschedules_until = 0.0

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
                await self._reschedule(pending_by=jump.after)
                self._reschedules_until = self._clocks.monotonic() + self._policy.lease_s
            self._clocks.heeded(jump)
        if self._clocks.monotonic() < self._reschedules_until:
            await self._reschedule(pending_by=self._clocks.now() + self._policy.retry_max_pause_s)

    async def _begin(self) -> None:
        """Learn of jumps before this process; what lies further ahead than any pause is of a wrong clock."""
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
        """Add the jump to those that all processes know; whoever is first says it aloud."""
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
