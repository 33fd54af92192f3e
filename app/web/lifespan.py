"""Background tasks of a process beside its requests, and the synchronisation with other processes."""

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

#: The interval of garbage collection. A collection takes 1 ms for 2,500 objects, and blocks all responses meanwhile.
COLLECT_S = 10.0
#: If more new blocks of memory than this survive a collection, later collections skip the objects of that time, at most
#: MOST_FREEZES times: the garbage of a call that is active then stays forever. An object has one to three blocks.
MANY_BLOCKS = 20_000
MOST_FREEZES = 10

#: The tests of files run this long after the start, so that the first events are not delayed.
TESTED_AFTER_S = 5.0

#: The pause before a failed background task restarts.
FAILED_PAUSE_S = 5.0

#: The sender of SIGHUP is unknown, but is on this machine.
_BY_SIGNAL = Person(name="SIGHUP", role=UserRole.OPERATOR, place="this machine")


class BackgroundTask(Protocol):
    """A task that runs in the background while the application serves."""

    async def run(self) -> None:
        """Run until `stop`."""

    def stop(self) -> None:
        """Finish the current work and end `run`."""


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
    """Run the background tasks while the application serves, and let them finish at the end.

    `begin` is awaited first; `closing` is closed last, in its order. `look_at_files` is called every second, to check
    for changes; `test_files` once in a thread, some time after the start.
    """

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        collect_garbage = partial(_collect_garbage, _tune_the_interpreter())
        await _start(begin, coordination, clock)
        shutdown = Shutdown()
        tasks = [asyncio.create_task(_going_on(each.run, shutdown)) for each in background]
        steps = (partial(_keep_up, coordination, clock), partial(_keep_looking, look_at_files), collect_garbage)
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
                with _survived():  # the others are closed in any case
                    await one.close()

    return run


async def _start(begin: Callable[[], Awaitable[None]], coordination: Coordination, clock: Callable[[], float]) -> None:
    """Run the first steps of the start; log an error, such as no PostgreSQL, with its remedy."""
    try:
        await begin()
        await coordination.announce()
        await coordination.refresh(now=clock())
    except PinrelayError as exc:
        log_cannot_start(exc)
        raise


def _tune_the_interpreter() -> int:
    """Tune the interpreter according to bench/receive.py; return the allocated blocks of memory.

    The garbage collector skips objects that live as long as the process, and runs less often: each array creates many
    thousand objects, nearly all of which are freed by reference counts, so a search for cycles is useless. The
    committing thread gets its turn five times sooner: otherwise it waits for the event loop at every statement, and
    then the loop waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    sys.setswitchinterval(0.001)
    return sys.getallocatedblocks()


@contextmanager
def _survived() -> Iterator[None]:
    """Log any exception of the block: there is no caller to report it to, and the rest must continue."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - nobody else would hear of it
        log_error(exc)


async def _going_on(work: Callable[[], Awaitable[None]], shutdown: Shutdown) -> None:
    """Run work until it ends; an exception is logged, and the work restarts."""
    while True:
        with _survived():
            return await work()
        await shutdown.rest(FAILED_PAUSE_S)
        if shutdown.requested:
            return None


async def _collect_garbage(blocks: int) -> None:
    """Collect garbage periodically, because a few objects that reference each other may keep much memory.

    An example is a failed call with its body. Permanent objects that the first events create, such as functions, are
    frozen, so they are scanned once. `blocks` is the number of allocated blocks at the last freeze. Objects are not
    counted by `gc.get_objects`, because its list refers to tuples that other threads are building, and `tuple` then
    raises SystemError in these threads.
    """
    freezes = 0
    while True:
        await asyncio.sleep(COLLECT_S)
        gc.collect()
        if freezes < MOST_FREEZES and sys.getallocatedblocks() - blocks > MANY_BLOCKS:
            gc.freeze()
            freezes, blocks = freezes + 1, sys.getallocatedblocks()


async def _test_later(test_files: Callable[[], None]) -> None:
    await asyncio.sleep(TESTED_AFTER_S)
    await asyncio.to_thread(test_files)


async def _keep_looking(look_at_files: Callable[[], Awaitable[None] | None]) -> None:
    """Check files every second, as described in `lifespan`."""
    while True:
        await asyncio.sleep(REFRESH_S)
        if (looking := look_at_files()) is not None:
            await looking


async def _keep_up(coordination: Coordination, clock: Callable[[], float]) -> None:
    """Apply the decisions of other processes every second."""
    while True:
        await asyncio.sleep(REFRESH_S)
        with _survived():
            await coordination.refresh(now=clock())


async def _reload(acts: CatalogActs, coordination: Coordination) -> None:
    """Load changed files after SIGHUP."""
    with _survived():
        if faults := await acts.reload(_BY_SIGNAL):
            logger().error("catalog not reloaded", faults=[str(fault) for fault in faults])
        else:
            logger().info("catalog reloaded", generation=coordination.generation)
