"""Wait for work, for both engines: notifications of writes, and due times."""

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

#: The maximum interval between checks for due deliveries: the clock may be set, and notifications may be lost.
POLL_S: Final = 0.5


@dataclass(slots=True)
class Seen:
    """The state of the waiter for an ad account."""

    #: The number of notifications at the last check; before the first check there is always work.
    heard: int = -1
    #: The `now` of the last claim without deliveries: deliveries that were due by then are checked.
    looked_at: float = float("-inf")


class Notifier(ABC):
    """Wake waiting tasks. Only one task per process should wait for an ad account: each change wakes once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        #: The number of notifications.
        self._heard = 0
        self._seen: defaultdict[str, Seen] = defaultdict(Seen)
        self._closed = False

    def claimed(self, ad_account_id: str, *, found: bool, now: float) -> None:
        """Note a claim, with `now` as its time, and whether the claim found deliveries."""
        self._seen[ad_account_id].looked_at = float("-inf") if found else now

    def wake(self) -> None:
        """Wake every waiter of this process, now or at its next wait."""
        self._heard += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, ad_account_id: str, timeout_s: float) -> None:
        """Return after a write since the last wait, or if a delivery became due after the last claim."""
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
        """Return the seconds until the next due time; at most 0 if work is possible now."""
