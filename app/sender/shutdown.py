"""How background work is asked to end, and made to."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from app.errors import OutboxUnavailable

_Result = TypeVar("_Result")
#: How often a MinuteTask looks.
LOOK_S: Final = 60.0
#: How often a WritingTask writes: what is lost with a process that is killed.
WRITTEN_EVERY_S: Final = 10.0


class Shutdown:
    """First requested (finish what is begun), then forced (leave it)."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether the end was requested, so that nothing new may begin."""
        return self._requested.is_set()

    @property
    def forced(self) -> bool:
        """Whether nothing more may be waited for."""
        return self._forced.is_set()

    def request(self) -> None:
        """Let nothing new begin from now on."""
        self._requested.set()

    def force(self) -> None:
        """Let nothing more be waited for from now on."""
        self._requested.set()
        self._forced.set()

    async def rest(self, seconds: float) -> None:
        """Sleep for so many seconds, or until the end is requested."""
        await _within(seconds, self._requested)

    async def rest_while_finishing(self, seconds: float) -> None:
        """Sleep for so many seconds, or until the end is forced."""
        await _within(seconds, self._forced)

    async def unless_requested(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        return await _race(work, self._requested)

    async def unless_forced(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        return await _race(work, self._forced)


class MinuteTask(ABC):
    """A background task that looks every minute: `run` until `stop`."""

    def __init__(
        self, on_error: Callable[[Exception], None], close: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Take what is told of an outbox that is away, and what is awaited at the end."""
        self._on_error = on_error
        self._close = close
        self._shutdown = Shutdown()

    async def run(self) -> None:
        """Look until `stop`. An outbox that is away is asked again later."""
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
        """End `run` after the look under way."""
        self._shutdown.request()

    @abstractmethod
    async def look(self) -> object:
        """Do what is due."""


class WritingTask(MinuteTask):
    """A background task that writes every few seconds what a process has counted, and once more at the end."""

    async def run(self) -> None:
        """Write until `stop`, and then once more. An outbox that is away is asked again later."""
        is_last = False
        while not is_last:
            await self._shutdown.rest(WRITTEN_EVERY_S)
            is_last = self._shutdown.requested  # asked before: what comes during a write is of the next
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
