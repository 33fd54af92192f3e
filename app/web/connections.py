"""The connections of one process: how many each address may have, and which one makes room when descriptors run out."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from app.core.log import logger
from app.core.values.addresses import Network, is_trusted, one_household, public_address

#: Descriptors kept back for the store, for calls to Pinterest and for files: this many, or half of all.
_RESERVED = 128
_LOGGED_EACH_S = 60


class Connection(Protocol):
    """What can be cut."""

    def abort(self) -> None:
        """Close without sending what is unsent."""


class Connections:
    """Knows the open connections, the one that was idle longest first.

    Where there is no room for one more, the connection that made no progress for longest is closed: a client that
    asks now, such as a health check, is answered however many hold on to theirs.
    """

    def __init__(
        self,
        *,
        per_address: int,
        capacity: int,
        trusted: tuple[Network, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_address = per_address
        self._capacity = capacity
        self._trusted = trusted
        self._clock = clock
        #: By when they made progress last.
        self._open: dict[Connection, str | None] = {}
        self._of_address: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._logged_at = -float(_LOGGED_EACH_S)

    def admit(self, connection: Connection, peer: str | None) -> bool:
        """Take a new connection in, in the place of another where all are taken; False where its address has enough."""
        address = counted_address(peer, self._trusted)
        if address is not None:
            if self._of_address[address] >= self._per_address:
                self._log("its address has MAX_CONNECTIONS_PER_ADDRESS open")
                return False
            self._of_address[address] += 1
        if len(self._open) >= self._capacity:
            stalest = next(iter(self._open))
            self.remove(stalest)
            stalest.abort()
            self._log("no descriptors are left for it: raise the limit of open files (ulimit -n, LimitNOFILE)")
        self._open[connection] = address
        return True

    def touch(self, connection: Connection) -> None:
        """Note that a connection made progress."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed; one that is not known is no error."""
        address = self._open.pop(connection, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]

    def _log(self, why: str) -> None:
        """Count a closed connection, and log the counts once a minute at most; addresses are personal data."""
        self._closed[why] += 1
        if self._clock() - self._logged_at >= _LOGGED_EACH_S:
            self._logged_at = self._clock()
            for reason, connections in self._closed.items():
                logger().warning("connections closed", why=reason, connections=connections)
            self._closed.clear()


def counted_address(peer: str | None, trusted: tuple[Network, ...]) -> str | None:
    """Return what a client's connections are counted by; None for loopback, private networks and trusted proxies.

    >>> counted_address("203.0.113.9", ()), counted_address("2001:db8::1:2", ()), counted_address("10.0.0.7", ())
    ('203.0.113.9', '2001:db8::/64', None)
    """
    public = public_address(peer)[0] if peer else None
    if public is None or is_trusted(public, trusted):
        return None
    return one_household(public)


def connection_capacity() -> int:
    """Return how many connections this process has descriptors for."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return sys.maxsize
    return descriptors - min(_RESERVED, descriptors // 2)
