"""Sessions of people who gave the console's password, and how often they may get it wrong.

A cookie holds a time and nothing else, so that signing it is one call of the standard library's `hmac`: a package for
sessions would add a format and a dependency to it.
"""

import hashlib
import hmac
import secrets
from collections import deque

from pydantic import SecretStr

SESSION_S = 12 * 3600
#: Wrong passwords within `WINDOW_S`, of one peer and of all.
MAX_WRONG_OF_PEER = 5
MAX_WRONG_OF_ALL = 50
WINDOW_S = 60


class Sessions:
    """Signed cookies: `expires.nonce.signature`. Nothing is stored, so any process and a restarted one takes them.

    The key is derived from the password: a new password ends all sessions.
    scrypt makes it slow to find the password from a stolen cookie.
    """

    def __init__(self, password: SecretStr) -> None:
        secret = password.get_secret_value().encode()
        self._key = hashlib.scrypt(secret, salt=b"pinrelay console session", n=2**14, r=8, p=1, dklen=32)

    def issue(self, *, now: float) -> str:
        """Make a cookie that is valid for `SESSION_S`."""
        text = f"{int(now + SESSION_S)}.{secrets.token_hex(16)}"
        return f"{text}.{self._signature(text)}"

    def valid(self, cookie: str, *, now: float) -> bool:
        """Return whether we signed the cookie and it has not run out."""
        text, _, signature = cookie.rpartition(".")
        genuine = hmac.compare_digest(signature.encode(), self._signature(text).encode())
        return genuine and now < int(text.partition(".")[0])

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


class LoginLimiter:
    """Remembers the wrong passwords of the last minute; never more than `MAX_WRONG_OF_ALL` of them."""

    def __init__(self) -> None:
        self._wrong: deque[tuple[float, str | None]] = deque()

    def wait_s(self, peer: str | None, *, now: float) -> int:
        """Return after how many whole seconds `peer` may try again; 0 is now."""
        while self._wrong and self._wrong[0][0] <= now - WINDOW_S:
            self._wrong.popleft()
        of_peer = [at for at, who in self._wrong if who == peer]
        if len(of_peer) >= MAX_WRONG_OF_PEER:
            return int(of_peer[-MAX_WRONG_OF_PEER] + WINDOW_S - now) + 1
        if len(self._wrong) >= MAX_WRONG_OF_ALL:
            return int(self._wrong[0][0] + WINDOW_S - now) + 1
        return 0

    def failed(self, peer: str | None, *, now: float) -> None:
        """Remember a wrong password."""
        self._wrong.append((now, peer))
