"""The calls to Pinterest that one process may have in flight, under the rate that all processes share."""

import asyncio
from collections.abc import Callable

from app.delivery.limiter import Limiter
from app.delivery.shutdown import Shutdown


class Calls:
    """Hands out calls: each is taken before it is made, and released as soon as its answer is in."""

    def __init__(self, limiter: Limiter, shutdown: Shutdown, *, at_once: int, clock: Callable[[], float]) -> None:
        self._limiter = limiter
        self._shutdown = shutdown
        self._free = asyncio.Semaphore(at_once)
        self._clock = clock

    async def take(self, *, is_pointless: Callable[[], bool]) -> bool:
        """Wait for a free call and for the rate limit, and take the call.

        False, and nothing taken, where the end is requested meanwhile or the call has become pointless.
        Raises OutboxUnavailable, and takes nothing, where the rate cannot be read.
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
            wait_s = await self._limiter.take(now=self._clock())
            if wait_s == 0:
                return True
            await self._shutdown.rest(wait_s)
        return False

    def release(self) -> None:
        """Let the next one call."""
        self._free.release()
