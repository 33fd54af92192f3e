"""Sessions of people who gave their token: kept in the store, so that every process knows them and log-out ends them.

The store has neither cookie nor token, nor anything from which one of them could be found: of the cookie its digest,
and a seal that cookie and token make together, the token stretched by scrypt. A session is over when its user is gone
or has another token.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Protocol

from app.access.users import User, Users
from app.core.pages import Session

SESSION_S: Final = 12 * 3600


class KeepsSessions(Protocol):
    """The part of the store that keeps sessions. Every method may raise OutboxUnavailable."""

    async def open_session(self, session: Session) -> None:
        """Commit that somebody has logged in."""

    async def session(self, digest: str, *, now: float) -> Session | None:
        """Return the session of a cookie, by its digest; None where there is none, or its time is over."""

    async def end_session(self, digest: str) -> None:
        """Commit that a session is over."""


class Sessions:
    """Opens, finds and ends sessions. Times are arguments."""

    def __init__(self, store: KeepsSessions) -> None:
        self._store = store

    async def open(self, user: User, *, now: float) -> str:
        """Return a cookie that is good for `SESSION_S`. Raises OutboxUnavailable."""
        cookie = secrets.token_urlsafe(32)
        seal = await asyncio.to_thread(_seal, user.token, cookie)
        session = Session(digest=_digest_of(cookie), who=user.name, seal=seal, ends_at=now + SESSION_S)
        await self._store.open_session(session)
        return cookie

    async def user_of(self, cookie: str, users: Users, *, now: float) -> User | None:
        """Return whose session a cookie opens; None where it opens none. Raises OutboxUnavailable."""
        session = await self._store.session(_digest_of(cookie), now=now) if cookie else None
        user = users.named(session.who) if session else None
        if session is None or user is None:
            return None
        seal = await asyncio.to_thread(_seal, user.token, cookie)
        return user if hmac.compare_digest(seal, session.seal) else None

    async def end(self, cookie: str) -> None:
        await self._store.end_session(_digest_of(cookie))


def _digest_of(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def _seal(token: str, cookie: str) -> str:
    return hmac.new(_stretched(token), cookie.encode("utf-8", "replace"), "sha256").hexdigest()


@lru_cache(maxsize=256)
def _stretched(token: str) -> bytes:
    """Return the key of a token; it takes some 40 ms the first time."""
    secret = token.encode("utf-8", "replace")
    return hashlib.scrypt(secret, salt=b"pinrelay console session", n=2**14, r=8, p=1, dklen=32)


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
