"""The clock of holds: it cannot be set, and the store shares it between processes.

A hold by the clock of the machine would end early after that clock is set forward. So the store has a clock of its own,
which begins as Unix seconds. Each process advances the time by a steady clock, which continues while the machine sleeps
and restarts at boot, and stores the time every BEAT_S.

A new process must determine the time since the last storage:

    same boot       the steady clock is right, whatever happened to the clock of the machine
    another boot    at least 0, at most the difference by the clock of the store (this machine's for SQLite, the
                    server's for PostgreSQL). For UNSURE_S holds end by the minimum, and new ones begin at the maximum.
                    Then either another process has stored the right time, or none runs, and the clock of the store is
                    trusted: there, a clock that was set forward looks like time that passed.

If processes differ, the later time is right: the other process slept.
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

#: The interval of its storage.
BEAT_S: Final = 10.0
#: The interval of reads while the elapsed time is uncertain, and the duration of that state.
_LOOK_S: Final = 1.0
UNSURE_S: Final = BEAT_S + 5.0
#: The minimum step of a clock that was set. Smaller steps come from time services.
_STEP_S: Final = 2.0
#: The extra length of a hold, so that no process ends the hold early: the hold clocks of processes differ by less.
_SLACK_S: Final = 1.0
#: The interval in which holds of an ad account are ended.
_END_S: Final = 1.0

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def steady_clock() -> float:
    """Return seconds since the boot of this machine, including sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def boot_id() -> str:
    """Return an id of this boot of this machine; an id of this process if the system has none."""
    try:
        return _BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedHolds:
    """The holds that are over."""

    #: Holds that end by this time.
    by: float
    #: The lead of the clock of the store over `by`; `None` if unchanged, so that it need not be stored.
    ahead_s: float | None = None
    #: Untried deliveries without a hold are due by this time; later times come from a wrong clock. `None`: any time is
    #: possible.
    due_by: float | None = None
    #: Whether the clock of the store was set back since the last end of holds of the ad account.
    is_set_back: bool = False


class HoldClock:
    """The clock of holds as this process knows it."""

    def __init__(
        self,
        shared: SharedValues,
        *,
        machine: Callable[[], float],
        wall: Callable[[], Awaitable[float]],
        steady: Callable[[], float] | None,
        boot: str | None = None,
    ) -> None:
        """Set the clock of this machine and that of the store, which may be the same.

        Without a steady clock, holds end by the `now` of each call, for callers that control the time, such as tests.
        """
        self._shared = shared
        self._machine = machine
        self._wall = wall
        self._steady = steady
        self._boot = boot or boot_id()
        #: The minimum and the maximum of the time, minus the steady clock; a maximum of -inf means no doubt.
        self._least = -inf
        self._most = -inf
        #: By the steady clock; inf: nothing is known yet.
        self._sure_from = inf
        self._looked_at = -inf
        #: The clock of this machine minus the steady clock, at the last read.
        self._ahead_s = 0.0
        #: Stored by another boot before this process began.
        self._before: HoldTime | None = None
        #: The jump of the clock of this machine before this process began; `None` without a known jump.
        self.jump_before: ClockJump | None = None
        #: By ad account: the time of the last end of holds, and the lead of the clock of the store at that time.
        self._ended: dict[str, tuple[float, float]] = {}

    async def held_from(self, deliveries: Sequence[NewDelivery], now: float) -> float:
        """Return the start of the holds of these deliveries. Raises OutboxUnavailable."""
        if self._steady is None or not any(each.hold_s or each.wait_s for each in deliveries):
            return now
        await self.keep()
        return max(self._least + _SLACK_S, self._most) + self._steady()

    def over(self, ad_account_id: str, now: float) -> EndedHolds | None:
        """Return the finished holds of an ad account; `None` if they were ended just now. Await `keep` before."""
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
        """Read the shared time, and store the current time if due. Raises OutboxUnavailable."""
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
            # a process that ran all the time has stored the right time; without one, the clock of the store is used
            self._least = self._least if known != self._before else max(self._least, self._most)
            self._before, self._most = None, -inf
        if was_behind:
            self._most = self._least + BEAT_S  # the stored time may be this old
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
