"""How often a password may be got wrong: by client, so that nobody locks out another."""

from collections import deque
from ipaddress import IPv6Address, ip_address, ip_network

#: Wrong passwords of one client within `WINDOW_S`.
MAX_WRONG = 5
WINDOW_S = 60
#: So many wrong ones are remembered; of more, from many clients, the oldest are forgotten.
MAX_WRONG_REMEMBERED = 1_000
#: So many a minute are worth a line of the audit log.
MAX_NOTED = 20
#: Of IPv6 a client has a whole network.
_PREFIX = 64


class LoginLimiter:
    """Remembers the wrong passwords of the last minute."""

    def __init__(self) -> None:
        self._wrong: deque[tuple[float, str]] = deque(maxlen=MAX_WRONG_REMEMBERED)

    def wait_s(self, client: str | None, *, now: float) -> int:
        """Return after how many whole seconds `client`, an address, may try again; 0 is now."""
        self._forget(now)
        place = _place(client)
        own = [at for at, who in self._wrong if who == place]
        return int(own[-MAX_WRONG] + WINDOW_S - now) + 1 if len(own) >= MAX_WRONG else 0

    def failed(self, client: str | None, *, now: float) -> bool:
        """Remember a wrong password; return whether it is one of the first `MAX_NOTED` of all within `WINDOW_S`."""
        self._forget(now)
        self._wrong.append((now, _place(client)))
        return len(self._wrong) <= MAX_NOTED

    def _forget(self, now: float) -> None:
        """Forget what is over; and, where the clock was set back, what would be later than now."""
        while self._wrong and not now - WINDOW_S < self._wrong[0][0] <= now:
            self._wrong.popleft()


def _place(client: str | None) -> str:
    """Return what stands for a client: its address, its network where it is one of IPv6, "" where it is not known."""
    if client is None:
        return ""
    address = ip_address(client)
    return str(ip_network((address, _PREFIX), strict=False)) if isinstance(address, IPv6Address) else client
