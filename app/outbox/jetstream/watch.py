"""Watching for something to do: writes of this process, writes of others, and time."""

import asyncio
from collections.abc import Callable
from typing import Final

#: How often the clock is looked at.
POLL_S: Final = 0.05
#: A message comes back a little after its pause by our clock: so long it is looked for.
GRACE_S: Final = 0.5


class Watch:
    """Wakes whoever waits. One task a process should wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self._closed = False
        #: What pauses or is leased until when, by delivery id; "" stands for those of other processes.
        self._due: dict[str, float] = {}
        #: The last claim took something: there may be more.
        self._more = False

    def wake(self) -> None:
        """Wake whoever waits, now or next."""
        self._changed.set()

    def woken(self, body: bytes) -> None:
        """Take up what another process tells: when something falls due."""
        due_at = float(body or b"0")
        self._due[""] = min(self._due.get("", due_at), due_at)
        self.wake()

    def expect(self, delivery_id: str, due_at: float) -> None:
        """Remember when a pause or a lease ends."""
        self._due[delivery_id] = due_at

    def forget(self, delivery_id: str) -> None:
        """Forget what was settled."""
        self._due.pop(delivery_id, None)

    def looked(self, now: float, *, found: bool) -> None:
        """Note that a claim looked at what was due."""
        self._more = found
        if not found:
            self._due = {key: due_at for key, due_at in self._due.items() if due_at > now - GRACE_S}

    async def wait(self, timeout_s: float) -> None:
        """Do `Outbox.wait`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (self._changed.is_set() or self._closed or self._more or self._is_due()):
            pause_s = min(POLL_S, deadline - loop.time())
            if pause_s <= 0:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), pause_s)
            except TimeoutError:
                continue
        self._changed.clear()

    def _is_due(self) -> bool:
        return bool(self._due) and min(self._due.values()) <= self._clock()

    def close(self) -> None:
        """Let whoever waits go on."""
        self._closed = True
        self.wake()
