"""Runs the outbox's retention in small steps, so that delivery is never stalled by it."""

from collections.abc import Callable
from typing import Protocol

from app.errors import OutboxUnavailable
from app.sender.shutdown import Shutdown

#: Rows a step, the pause after a step that found some, and after one that found none.
STEP_ROWS = 500
BETWEEN_STEPS_S = 0.05
WHEN_DONE_S = 60.0


class _Retains(Protocol):
    async def retain(self, *, now: float, limit: int) -> int: ...


class Retention:
    """A background task: `run` until `stop`."""

    def __init__(self, outbox: _Retains, *, clock: Callable[[], float], on_error: Callable[[Exception], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._on_error = on_error
        self._shutdown = Shutdown()

    async def run(self) -> None:
        """Take steps until `stop`. An outbox that is unavailable is reported and asked again later."""
        while not self._shutdown.requested:
            await self._shutdown.rest(await self._step())

    def stop(self) -> None:
        """End `run` after the step under way."""
        self._shutdown.request()

    async def _step(self) -> float:
        """Take one step and say how long to pause."""
        try:
            touched = await self._outbox.retain(now=self._clock(), limit=STEP_ROWS)
        except OutboxUnavailable as exc:
            self._on_error(exc)
            return WHEN_DONE_S
        return BETWEEN_STEPS_S if touched else WHEN_DONE_S
