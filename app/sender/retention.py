"""Run the retention of the outbox in small steps, so that retention never delays delivery."""

from collections.abc import Callable
from typing import Final

from app.core.shared_values import RETENTION_BEHIND
from app.core.values.times import MINUTE_S
from app.errors import OutboxUnavailable
from app.outbox import Outbox
from app.sender.clocks import Clocks
from app.sender.shutdown import Shutdown

#: The rows of the first step. If a step uses all rows in less than half of STEP_S, the next step has twice as many
#: rows; after more than STEP_S, half as many.
STEP_ROWS: Final = 500
MOST_STEP_ROWS: Final = 8_000
STEP_S: Final = 0.05
#: The pause after a complete step, and after a step without any rows. After a step that used all rows, the pause is as
#: long as the step, so that retention uses at most half of the time.
BETWEEN_STEPS_S: Final = 0.05
WHEN_DONE_S: Final = 20.0
#: The time without a complete step before a warning.
BEHIND_AFTER_S: Final = MINUTE_S


class Retention:
    """A background task: `run` until `stop`."""

    def __init__(self, outbox: Outbox, *, clocks: Clocks, on_error: Callable[[Exception], None]) -> None:
        self._outbox = outbox
        self._clocks = clocks
        self._on_error = on_error
        self._shutdown = Shutdown()
        self._rows = STEP_ROWS
        #: The time of the latest complete step, by the monotonic clock.
        self._caught_up_at = clocks.monotonic()
        #: Whether the delay is reported; `None`: possibly by an earlier process.
        self._is_told: bool | None = None

    async def run(self) -> None:
        """Run steps until `stop`. An unavailable outbox is reported and retried later."""
        while not self._shutdown.requested:
            await self._shutdown.rest(await self._step())

    def stop(self) -> None:
        """End `run` after the step under way."""
        self._shutdown.request()

    async def _step(self) -> float:
        """Run one step; return the pause in seconds."""
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
        """Report a long delay to all processes, and its end."""
        if not is_full:
            self._caught_up_at = at
            if self._is_told is not False and await RETENTION_BEHIND.read(self._outbox):
                await RETENTION_BEHIND.write(self._outbox, None)
            self._is_told = False
        elif not self._is_told and at - self._caught_up_at > BEHIND_AFTER_S:
            since = self._clocks.now() - (at - self._caught_up_at)
            await RETENTION_BEHIND.write(self._outbox, since)
            self._is_told = True
