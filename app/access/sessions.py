"""Sessions of logged in people: in the store, so that all processes know them and a log-out ends them.

The store has neither cookie nor token, nor data from which they could be computed: only the digest of the cookie, and a
seal of cookie and token, with the token stretched by scrypt. A session ends when its user is removed or has another
token.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final

from app.access.users import User, Users
from app.core.pages import Session
from app.outbox import Outbox

SESSION_S: Final = 12 * 3600


class Sessions:
    """Opens, finds and ends sessions. Times are arguments."""

    def __init__(self, store: Outbox) -> None:
        self._store = store

    async def open(self, user: User, *, now: float) -> str:
        """Return a cookie that is valid for `SESSION_S`. Raises OutboxUnavailable."""
        cookie = secrets.token_urlsafe(32)
        seal = await asyncio.to_thread(_seal, user.token, cookie)
        session = Session(digest=_digest_of(cookie), who=user.name, seal=seal, ends_at=now + SESSION_S)
        await self._store.open_session(session)
        return cookie

    async def user_of(self, cookie: str, users: Users, *, now: float) -> User | None:
        """Return the user of a cookie's session; `None` without a session. Raises OutboxUnavailable."""
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
    """Return the key of a token; the first call takes some 40 ms."""
    secret = token.encode("utf-8", "replace")
    return hashlib.scrypt(secret, salt=b"pinrelay console session", n=2**14, r=8, p=1, dklen=32)


#: The delay of the response to a wrong token in seconds, and the maximum number of delayed responses of a process.
WRONG_TOKEN_DELAY_S: Final = 1.0
MAX_DELAYED: Final = 100
#: Maximum number of failures within `WINDOW_S` that are written to the audit log.
MAX_NOTED: Final = 20
WINDOW_S: Final = 60


class WrongTokens:
    """Delays the responses to wrong tokens in a process, and limits the failures in the audit log."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self._delayed = 0
        self._noted: deque[float] = deque(maxlen=MAX_NOTED)

    async def delay(self) -> bool:
        """Wait before the response to a wrong token; return False immediately if `MAX_DELAYED` responses wait."""
        if self._delayed >= MAX_DELAYED:
            return False
        self._delayed += 1
        try:
            await self._sleep(WRONG_TOKEN_DELAY_S)
        finally:
            self._delayed -= 1
        return True

    def may_note(self, *, now: float) -> bool:
        """Return whether a failure is among the first `MAX_NOTED` within `WINDOW_S`."""
        while self._noted and not now - WINDOW_S < self._noted[0] <= now:  # a clock that was set back forgets too
            self._noted.popleft()
        if len(self._noted) == MAX_NOTED:
            return False
        self._noted.append(now)
        return True
