"""The time of the server, by which all processes agree on leases, pauses and ages."""

import time
from collections.abc import Callable

#: A difference up to this may be only the time that the answer took, and counts as no difference.
TOLERANCE_S = 0.1


class ServerClock:
    """Knows by how much the server's clock is ahead of this machine's."""

    def __init__(self, clock: Callable[[], float] | None, *, machine: Callable[[], float] = time.time) -> None:
        #: None: the server's time counts. Otherwise this clock is taken for it, as tests do.
        self._given = clock
        self._machine = machine
        self._ahead_s = 0.0

    def __call__(self) -> float:
        """Return the server's time, in Unix seconds."""
        return self._given() if self._given else self._machine() + self._ahead_s

    def of(self, moment: float) -> float:
        """Return when the server's clock shows what this machine calls `moment`."""
        return moment + self._ahead_s

    def hear(self, server_time: float) -> None:
        """Take note of the time that the server has just told."""
        ahead_s = server_time - self._machine()
        if self._given is None and abs(ahead_s - self._ahead_s) > TOLERANCE_S:
            self._ahead_s = ahead_s
