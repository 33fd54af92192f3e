"""Sessions of people who gave the console's password.

A cookie holds a time and nothing else, so that signing it is one call of the standard library's `hmac`: a package for
sessions would add a format and a dependency to it.
"""

import hashlib
import hmac
import secrets

from pydantic import SecretStr

SESSION_S = 12 * 3600


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
