"""The time by which holds end: it goes on with a clock that nobody can set, and the store keeps it for all processes.

A hold that ended by the clock of the machine would end early where that clock is set forward. So the store keeps a time
of its own. It begins as Unix seconds. Each process counts it on by a steady clock, which goes on while the machine
sleeps and begins anew when it boots, and writes it down every BEAT_S.

A process that begins has to know how much time has passed since it was written down:

    by this boot      what the steady clock says, whatever the clock of the machine was set to
    by another one    at least nothing, at most what the clock of the store says (this machine's for SQLite, the
                      server's for PostgreSQL). For UNSURE_S holds end by the least, and new ones begin at the most.
                      Then either another process has written it again, which is right, or none runs, and the clock of
                      the store is believed: there, a clock that was set forward looks like time that passed.

Where processes differ, the one that is ahead is right: the other one slept.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

from app.core.deliveries import NewDelivery
from app.core.shared_values import HOLD_TIME, ClockJump, HoldTime, SharedValues

#: How often it is written down.
BEAT_S: Final = 10.0
#: How often it is looked at while it is not sure how much time has passed, and for how long that may be.
_LOOK_S: Final = 1.0
UNSURE_S: Final = BEAT_S + 5.0
#: Smaller steps of the clock are time services at work.
_STEP_S: Final = 2.0
#: By how much a hold is longer, so that it ends nowhere early: processes on several machines differ by less.
_SLACK_S: Final = 1.0
#: How often holds of an ad account are ended.
_END_S: Final = 1.0

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def steady_clock() -> float:
    """Return seconds since this machine booted, those that it slept among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def boot_id() -> str:
    """Return what tells this boot of this machine from all others; where the system has none, one of this process."""
    try:
        return _BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedHolds:
    """Which holds are over."""

    #: Those that end by then.
    by: float
    #: By how much the clock of the store is ahead of that; None where it is as before, so that it need not be told.
    ahead_s: float | None = None
    #: Deliveries that were never tried and have no hold are due by then; later times come from a wrong clock.
    #: None: deliveries may be due at any time.
    due_by: float | None = None
    #: Whether the clock of the store was set back since holds of the ad account were last ended.
    is_set_back: bool = False


class HoldClock:
    """The time by which holds end, as this process knows it."""

    def __init__(
        self,
        shared: SharedValues,
        *,
        machine: Callable[[], float],
        wall: Callable[[], Awaitable[float]],
        steady: Callable[[], float] | None,
        boot: str | None = None,
    ) -> None:
        """Take the clock of this machine, and that of the store, which may be the same.

        Without a steady clock holds end by the `now` of each call: for what has a time of its own, as tests do.
        """
        self._shared = shared
        self._machine = machine
        self._wall = wall
        self._steady = steady
        self._boot = boot or boot_id()
        #: What it is at least, and at most, less the steady clock; at most -inf: there is no doubt.
        self._least = -inf
        self._most = -inf
        #: By the steady clock; inf: nothing is known yet.
        self._sure_from = inf
        self._looked_at = -inf
        #: The clock of this machine less the steady one, at the last look.
        self._ahead_s = 0.0
        #: Written by another boot before this process began.
        self._before: HoldTime | None = None
        #: How the clock of this machine was set before this process began; None where it was not, or nothing tells.
        self.jump_before: ClockJump | None = None
        #: By ad account: when holds were ended, and by how much the clock of the store was ahead of this one then.
        self._ended: dict[str, tuple[float, float]] = {}

    async def held_from(self, deliveries: Sequence[NewDelivery], now: float) -> float:
        """Return from when the holds of these deliveries count. Raises OutboxUnavailable."""
        if self._steady is None or not any(each.hold_s or each.wait_s for each in deliveries):
            return now
        await self.keep()
        return max(self._least + _SLACK_S, self._most) + self._steady()

    def over(self, ad_account_id: str, now: float) -> EndedHolds | None:
        """Return which holds of an ad account are over; None where they were ended just now. Await `keep` before."""
        if self._steady is None:
            return EndedHolds(by=now)
        steady = self._steady()
        by = self._least + steady
        ended_at, ahead_s = self._ended.get(ad_account_id, (-inf, inf))
        if steady - ended_at < _END_S:
            return None
        step_s = now - by - ahead_s
        is_set = abs(step_s) > _STEP_S
        self._ended[ad_account_id] = steady, now - by if is_set else ahead_s
        return EndedHolds(
            by=by,
            ahead_s=now - by if is_set else None,
            due_by=now + _STEP_S,
            is_set_back=-inf < step_s < -_STEP_S,
        )

    async def keep(self) -> None:
        """Look what others know, and write down what it is now, where that is due. Raises OutboxUnavailable."""
        if self._steady is None:
            return
        steady = self._steady()
        pause_s = BEAT_S if steady >= self._sure_from else _LOOK_S
        is_set = abs(self._machine() - steady - self._ahead_s) > _STEP_S
        if is_set or steady - self._looked_at >= pause_s:
            self._looked_at = steady
            try:
                await self._look(await self._wall(), steady)
            except BaseException:
                self._looked_at = -inf  # without the time of other processes, no hold may begin or end
                raise

    async def _look(self, wall: float, steady: float) -> None:
        stored = await HOLD_TIME.read_revised(self._shared)
        machine = self._machine()
        self._ahead_s = machine - steady
        known = stored.value
        was_behind = False
        if self._sure_from == inf:
            self._begin(known, machine, wall, steady)
        elif known is not None:
            least = self._since(known, steady) - steady
            was_behind = least > self._least + _SLACK_S
            self._least = max(self._least, least)
            if known.boot != self._boot and known != self._before:
                self._sure_from = min(self._sure_from, steady)
        if steady < self._sure_from:
            return
        if self._before is not None:
            # others who ran all the time have told what is right; where nobody did, the clock of the store does
            self._least = self._least if known != self._before else max(self._least, self._most)
            self._before, self._most = None, -inf
        if was_behind:
            self._most = self._least + BEAT_S  # it may have been written that long ago
        told = HoldTime(at=self._least + steady, machine=machine, wall=wall, steady=steady, boot=self._boot)
        await HOLD_TIME.write(self._shared, told, revision=stored.revision)

    def _begin(self, known: HoldTime | None, machine: float, wall: float, steady: float) -> None:
        self._sure_from = steady
        if known is None:
            self._least = wall - steady
            return
        self._least = self._since(known, steady) - steady
        if self._is_of_this_boot(known, steady):
            expected = known.machine + steady - known.steady
            if abs(machine - expected) > _STEP_S:
                self.jump_before = ClockJump(before=expected, after=machine)
            return
        if wall < known.wall - _STEP_S:
            self.jump_before = ClockJump(before=known.wall, after=wall)
        self._before, self._sure_from = known, steady + UNSURE_S
        self._most = known.at + max(0.0, wall - known.wall) - steady

    def _since(self, known: HoldTime, steady: float) -> float:
        return known.at + (steady - known.steady if self._is_of_this_boot(known, steady) else 0.0)

    def _is_of_this_boot(self, known: HoldTime, steady: float) -> bool:
        return known.boot == self._boot and known.steady <= steady
