"""Time that is only counted, and event loops that are stepped by hand: one callback of one process at a time.

Each process has a loop of its own. Which of those that could go on does so is drawn; where none could, time jumps to
the next moment at which one can. A process that is killed is never stepped again, so that it can die at any await.
"""

import asyncio
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, cast

#: So long a piece of work takes in another thread, at most.
_THREAD_S = 0.002
_MAX_LAST_STEPS = 20_000


class Universe:
    """All loops and the time that they share: seconds that only go on, counted from 0."""

    def __init__(self, chance: Random) -> None:
        self.now = 0.0
        self.chance = chance
        self.loops: list[VirtualLoop] = []
        self.numbers = itertools.count()

    def loop(self) -> "VirtualLoop":
        """Return a new loop, which is stepped from now on."""
        loop = VirtualLoop(self)
        self.loops.append(loop)
        return loop

    def step(self) -> bool:
        """Let one loop do one callback, or time pass; False where nothing will ever happen."""
        able = [loop for loop in self.loops if loop.is_able()]
        if able:
            (able[0] if len(able) == 1 else self.chance.choice(able)).step()
            return True
        moments = [moment for loop in self.loops if (moment := loop.next_moment()) is not None]
        if not moments:
            return False
        self.now = max(self.now, min(moments))
        for loop in self.loops:
            loop.look_at_the_time()
        return True


class VirtualLoop:
    """As much of asyncio's AbstractEventLoop as Pinrelay uses, without a file, a socket or a thread."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._frozen_until = 0.0
        #: Nothing of it is done any more.
        self.is_over = False
        self._countdown: tuple[int, Callable[[], None]] | None = None
        #: What callbacks and tasks failed with that nobody awaited.
        self.failures: list[dict[str, Any]] = []

    @property
    def _as_loop(self) -> asyncio.AbstractEventLoop:
        return cast("asyncio.AbstractEventLoop", self)

    # What the universe asks.

    def is_able(self) -> bool:
        return bool(self._ready) and self._frozen_until <= self._universe.now

    def next_moment(self) -> float | None:
        """When it may go on; None where never."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if self._ready:
            return self._frozen_until
        return max(self._timers[0][0], self._frozen_until) if self._timers else None

    def look_at_the_time(self) -> None:
        """Let begin what is due, unless it is frozen."""
        if self._frozen_until > self._universe.now:
            return
        while self._timers and self._timers[0][0] <= self._universe.now:
            _, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._ready.append(handle)

    def step(self) -> None:
        handle = self._ready.popleft()
        if handle.cancelled():
            return
        events._set_running_loop(self._as_loop)
        try:
            handle._run()
        finally:
            events._set_running_loop(None)
        if self._countdown:
            left, what = self._countdown
            self._countdown = (left - 1, what) if left > 1 else None
            if left <= 1:
                what()

    def after_steps(self, count: int, what: Callable[[], None]) -> None:
        """Do something when so many more callbacks were done."""
        self._countdown = (max(1, count), what)

    def freeze(self, seconds: float) -> None:
        """Do nothing for so long, as a process does that is swapped out."""
        self._frozen_until = self._universe.now + seconds

    def end(self) -> None:
        """Kill it."""
        self.is_over = True
        if self in self._universe.loops:
            self._universe.loops.remove(self)

    def unwind(self) -> None:
        """Let what is left of its tasks end, begun and then cancelled, so that Python has nothing to complain of."""
        self.end()
        for cancels in (False, True):
            for task in list(self._tasks) if cancels else ():
                task.cancel()
            for _ in range(_MAX_LAST_STEPS):
                if not self._ready:
                    break
                self.step()
        self._timers.clear()

    # What asyncio asks.

    def time(self) -> float:
        return self._universe.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._as_loop, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self._as_loop, context)
        if not self.is_over:
            heapq.heappush(self._timers, (when, next(self._universe.numbers), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Be told by a handle; it is thrown away when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self._as_loop, **options)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Do the work here, a moment later."""
        future = self.create_future()

        def work() -> None:
            if future.done() or self.is_over:
                future.cancel()
                return
            try:
                result = func(*args)
            except Exception as exc:  # noqa: BLE001 - it is handed to whoever waits
                future.set_exception(exc)
            else:
                future.set_result(result)

        if self.is_over:
            self.call_soon(future.cancel)
        else:
            self.call_later(self._universe.chance.uniform(0, _THREAD_S), work)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_over:
            self.failures.append(context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
