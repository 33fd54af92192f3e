"""What runs beside the requests of a process: its background tasks, and keeping up with the other processes."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial
from typing import Protocol

from fastapi import FastAPI

from app.access.users import Person, UserRole
from app.core.coordination import REFRESH_S, Coordination
from app.core.log import log_cannot_start, log_error, logger
from app.errors import PinrelayError
from app.operations.acts import CatalogActs
from app.sender.shutdown import Shutdown

#: How often garbage is looked for. A look takes 1 ms for 2,500 objects, and stops all answers meanwhile.
COLLECT_S = 10.0
#: More objects than these that live on are passed over from then on, so many times at most: of a call that is under way
#: then, and leaves garbage behind, that would stay for ever.
MANY_OBJECTS = 10_000
MOST_FREEZES = 10

#: So long after the start the tests of files run: the first events come first.
TESTED_AFTER_S = 5.0

#: So long pauses what went wrong in the background, before it begins anew.
FAILED_PAUSE_S = 5.0

#: Who sends SIGHUP is not known, but that they are on this machine.
_BY_SIGNAL = Person(name="SIGHUP", role=UserRole.OPERATOR, place="this machine")


class BackgroundTask(Protocol):
    """A task that runs in the background while the application serves."""

    async def run(self) -> None:
        """Go on until `stop`."""

    def stop(self) -> None:
        """End `run` after the work under way."""


class _Closes(Protocol):
    async def close(self) -> None: ...


def lifespan(
    acts: CatalogActs,
    coordination: Coordination,
    background: Sequence[BackgroundTask],
    *,
    begin: Callable[[], Awaitable[None]],
    closing: Sequence[_Closes],
    look_at_files: Callable[[], Awaitable[None] | None],
    test_files: Callable[[], None],
    clock: Callable[[], float],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Run the background tasks while the application serves; let them finish at the end.

    `begin` is awaited before all else; `closing` is closed after all else, in its order.
    `look_at_files` is called every second, to see what has changed; `test_files` once in a thread, a while after
    the start.
    """

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        _tune_the_interpreter()
        await _start(begin, coordination, clock)
        shutdown = Shutdown()
        tasks = [asyncio.create_task(_going_on(each.run, shutdown)) for each in background]
        steps = (partial(_keep_up, coordination, clock), partial(_keep_looking, look_at_files), _collect_garbage)
        beside = [asyncio.create_task(_going_on(each, shutdown)) for each in steps]
        beside.append(asyncio.create_task(_going_on(partial(_test_later, test_files), shutdown)))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.append(loop.create_task(_reload(acts, coordination))))
        try:
            yield
        finally:
            shutdown.request()
            for each in background:
                each.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            for one in closing:
                with _survived():  # the others are closed all the same
                    await one.close()

    return run


async def _start(begin: Callable[[], Awaitable[None]], coordination: Coordination, clock: Callable[[], float]) -> None:
    """Do what comes before all else; what keeps it from being done, such as no PostgreSQL, is told with its remedy."""
    try:
        await begin()
        await coordination.announce()
        await coordination.refresh(now=clock())
    except PinrelayError as exc:
        log_cannot_start(exc)
        raise


def _tune_the_interpreter() -> None:
    """Set what bench/receive.py shows to matter.

    The garbage collector passes over what lives as long as the process, and comes less often: each array makes many
    thousand objects, nearly all of which go by reference count, so that looking for cycles among them is in vain.
    The thread that commits gets its turn five times sooner: else it waits for the event loop at every statement, and
    then the loop for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    sys.setswitchinterval(0.001)


@contextmanager
def _survived() -> Iterator[None]:
    """Log what goes wrong, whatever it is: nobody waits for an answer, and all else goes on."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - nobody else would hear of it
        log_error(exc)


async def _going_on(work: Callable[[], Awaitable[None]], shutdown: Shutdown) -> None:
    """Do what goes on until it is stopped. What it raises is logged, and it begins anew: nobody else would do it."""
    while True:
        with _survived():
            return await work()
        await shutdown.rest(FAILED_PAUSE_S)
        if shutdown.requested:
            return None


async def _collect_garbage() -> None:
    """Look for garbage by time: few objects that hold each other may hold much, such as a failed call its body.

    What the first events make for good, such as functions, is looked through once.
    """
    freezes = 0
    while True:
        await asyncio.sleep(COLLECT_S)
        gc.collect()
        if freezes < MOST_FREEZES and len(gc.get_objects()) > MANY_OBJECTS:
            gc.freeze()
            freezes += 1


async def _test_later(test_files: Callable[[], None]) -> None:
    await asyncio.sleep(TESTED_AFTER_S)
    await asyncio.to_thread(test_files)


async def _keep_looking(look_at_files: Callable[[], Awaitable[None] | None]) -> None:
    """Look at files every second, as `lifespan` says."""
    while True:
        await asyncio.sleep(REFRESH_S)
        if (looking := look_at_files()) is not None:
            await looking


async def _keep_up(coordination: Coordination, clock: Callable[[], float]) -> None:
    """Take up every second what other processes decided."""
    while True:
        await asyncio.sleep(REFRESH_S)
        with _survived():
            await coordination.refresh(now=clock())


async def _reload(acts: CatalogActs, coordination: Coordination) -> None:
    """Take up changed files, as SIGHUP asks."""
    with _survived():
        if faults := await acts.reload(_BY_SIGNAL):
            logger().error("catalog not reloaded", faults=[str(fault) for fault in faults])
        else:
            logger().info("catalog reloaded", generation=coordination.generation)
