"""The calls to Pinterest that one process may have in flight, under the rate that all processes share."""

import asyncio
from collections.abc import Callable

from app.delivery.rate import Limiter
from app.delivery.shutdown import Shutdown
from app.errors import OutboxUnavailable

#: Before the outbox is asked again.
ASK_AGAIN_S = 1.0


class Calls:
    """Hands out calls: each is taken before it is made, and released as soon as its answer is in."""

    def __init__(
        self,
        limiter: Limiter,
        shutdown: Shutdown,
        *,
        at_once: int,
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._limiter = limiter
        self._shutdown = shutdown
        self._free = asyncio.Semaphore(at_once)
        self._clock = clock
        self._on_error = on_error

    async def take(self, *, is_pointless: Callable[[], bool]) -> bool:
        """Wait for a free call and for the rate limit, and take the call.

        False, and nothing taken, where the end is requested meanwhile or the call has become pointless. An outbox that
        is unavailable is reported and asked again: what waits for its call is not lost, and must not look so.
        """
        if not await self._shutdown.unless_requested(self._free.acquire()):
            return False
        granted = False
        try:
            granted = await self._is_granted(is_pointless)
        finally:
            if not granted:
                self._free.release()
        return granted

    async def _is_granted(self, is_pointless: Callable[[], bool]) -> bool:
        while not (self._shutdown.requested or is_pointless()):
            try:
                wait_s = await self._limiter.take(now=self._clock())
            except OutboxUnavailable as exc:
                self._on_error(exc)
                wait_s = ASK_AGAIN_S
            if wait_s == 0:
                return True
            await self._shutdown.rest(wait_s)
        return False

    def release(self) -> None:
        """Hand a call back that was taken: its answer is in."""
        self._free.release()
