"""Watching for something to do, as both engines do: word of a write, and time."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

#: It is looked again at least this often whether something is due: the clock may be set, and word may not arrive.
POLL_S: Final = 0.5


@dataclass(slots=True)
class Seen:
    """What whoever waits for one ad account knows."""

    #: How often a write had been heard of, at the last look; before the first there is always something to do.
    heard: int = -1
    #: What was due by then has been looked at: the `now` of the last claim that found nothing.
    looked_at: float = float("-inf")


class Notifier(ABC):
    """Wakes whoever waits. One task a process should wait for an ad account: what it has seen, it is not told again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        #: How often something was heard of a write.
        self._heard = 0
        self._seen: defaultdict[str, Seen] = defaultdict(Seen)
        self._closed = False

    def claimed(self, ad_account_id: str, *, found: bool, now: float) -> None:
        """Note that a claim was made, with `now` as its time, and whether it found anything."""
        self._seen[ad_account_id].looked_at = float("-inf") if found else now

    def wake(self) -> None:
        """Wake whoever waits, or waits next, in this process."""
        self._heard += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return when something was written since the last wait, or has fallen due since the last claim."""
        seen = self._seen[ad_account_id]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self._closed:
            changed = self._changed
            due_in_s = await self._look(ad_account_id, seen)
            pause_s = min(POLL_S, due_in_s, deadline - loop.time())
            if seen.heard != self._heard or pause_s <= 0:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), pause_s)
        seen.heard = self._heard

    @abstractmethod
    async def _look(self, ad_account_id: str, seen: Seen) -> float:
        """Return in how many seconds something falls due; at most 0 where there may be something to do now."""
