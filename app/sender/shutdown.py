"""The shutdown of background work: requested, then forced."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from app.errors import OutboxUnavailable

_Result = TypeVar("_Result")
#: The interval of a MinuteTask.
LOOK_S: Final = 60.0
#: The interval of a WritingTask: a killed process loses the data of at most this time.
WRITTEN_EVERY_S: Final = 10.0


class Shutdown:
    """The state of the shutdown. A request lets current work finish; a forced shutdown abandons current work."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether the shutdown was requested, so that no new work may begin."""
        return self._requested.is_set()

    @property
    def forced(self) -> bool:
        """Whether waiting is over."""
        return self._forced.is_set()

    def request(self) -> None:
        """Request the shutdown: no new work begins."""
        self._requested.set()

    def force(self) -> None:
        """Force the shutdown: no work may wait any longer."""
        self._requested.set()
        self._forced.set()

    async def rest(self, seconds: float) -> None:
        """Sleep for this number of seconds, or until the shutdown is requested."""
        await _within(seconds, self._requested)

    async def rest_while_finishing(self, seconds: float) -> None:
        """Sleep for this number of seconds, or until the shutdown is forced."""
        await _within(seconds, self._forced)

    async def unless_requested(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        return await _race(work, self._requested)

    async def unless_forced(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        return await _race(work, self._forced)


class MinuteTask(ABC):
    """A background task that runs every minute: `run` until `stop`."""

    def __init__(
        self, on_error: Callable[[Exception], None], close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Set the callback for an unavailable outbox, and the coroutine to await at the end."""
        self._on_error = on_error
        self._close = close
        self._shutdown = Shutdown()

    async def run(self) -> None:
        """Call `look` until `stop`. An unavailable outbox is retried later."""
        while not self._shutdown.requested:
            await self._try_look()
            await self._shutdown.rest(LOOK_S)
        if self._close is not None:
            await self._close()

    async def _try_look(self) -> None:
        try:
            await self.look()
        except OutboxUnavailable as exc:
            self._on_error(exc)

    def stop(self) -> None:
        """End `run` after the current call of `look`."""
        self._shutdown.request()

    @abstractmethod
    async def look(self) -> object:
        """Do the work of this minute."""


class WritingTask(MinuteTask):
    """A background task that writes the counts of a process every few seconds, and at the end."""

    async def run(self) -> None:
        """Write until `stop`, then a last time. An unavailable outbox is retried later."""
        is_last = False
        while not is_last:
            await self._shutdown.rest(WRITTEN_EVERY_S)
            is_last = self._shutdown.requested  # before the write: counts during a write belong to the next one
            await self._try_look()


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _race(work: Coroutine[Any, Any, _Result], event: asyncio.Event) -> _Result | None:
    task = asyncio.create_task(work)
    end = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, end):
            each.cancel()
        await asyncio.gather(task, end, return_exceptions=True)
