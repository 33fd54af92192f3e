"""Runs the outbox's retention in small steps, so that delivery is never stalled by it."""

from collections.abc import Callable
from typing import Final

from app.core.shared_values import RETENTION_BEHIND
from app.core.values.times import MINUTE_S
from app.errors import OutboxUnavailable
from app.outbox import Outbox
from app.sender.clocks import Clocks
from app.sender.shutdown import Shutdown

#: Rows of a first step. While steps use up their rows in less than half of STEP_S, the next one may touch twice as
#: many, and half as many after one that took longer than STEP_S.
STEP_ROWS: Final = 500
MOST_STEP_ROWS: Final = 8_000
STEP_S: Final = 0.05
#: The pause after a step that left nothing undone of what it found, and after one that found nothing. After one that
#: used up its rows: as long as it took, so that at most half of the time is spent on retention.
BETWEEN_STEPS_S: Final = 0.05
WHEN_DONE_S: Final = 20.0
#: After so long without a step that left rows over, everybody is told.
BEHIND_AFTER_S: Final = MINUTE_S


class Retention:
    """A background task: `run` until `stop`."""

    def __init__(self, outbox: Outbox, *, clocks: Clocks, on_error: Callable[[Exception], None]) -> None:
        self._outbox = outbox
        self._clocks = clocks
        self._on_error = on_error
        self._shutdown = Shutdown()
        self._rows = STEP_ROWS
        #: When, by the monotonic clock, a step left rows over last.
        self._caught_up_at = clocks.monotonic()
        #: Whether it is told that this is long ago; None: perhaps by a process before this one.
        self._is_told: bool | None = None

    async def run(self) -> None:
        """Take steps until `stop`. An outbox that is unavailable is reported and asked again later."""
        while not self._shutdown.requested:
            await self._shutdown.rest(await self._step())

    def stop(self) -> None:
        """End `run` after the step under way."""
        self._shutdown.request()

    async def _step(self) -> float:
        """Take one step and say how long to pause."""
        rows, begun_at = self._rows, self._clocks.monotonic()
        try:
            touched = await self._outbox.retain(now=self._clocks.now(), limit=rows)
            ended_at = self._clocks.monotonic()
            await self._tell(is_full=touched >= rows, at=ended_at)
        except OutboxUnavailable as exc:
            self._on_error(exc)
            return WHEN_DONE_S
        if touched < rows:
            return BETWEEN_STEPS_S if touched else WHEN_DONE_S
        took_s = ended_at - begun_at
        if took_s < STEP_S / 2:
            self._rows = min(rows * 2, MOST_STEP_ROWS)
        elif took_s > STEP_S:
            self._rows = max(rows // 2, STEP_ROWS)
        return min(took_s, BETWEEN_STEPS_S)

    async def _tell(self, *, is_full: bool, at: float) -> None:
        """Tell all processes where it is behind for long, and when it no longer is."""
        if not is_full:
            self._caught_up_at = at
            if self._is_told is not False and await RETENTION_BEHIND.read(self._outbox):
                await RETENTION_BEHIND.write(self._outbox, None)
            self._is_told = False
        elif not self._is_told and at - self._caught_up_at > BEHIND_AFTER_S:
            since = self._clocks.now() - (at - self._caught_up_at)
            await RETENTION_BEHIND.write(self._outbox, since)
            self._is_told = True
