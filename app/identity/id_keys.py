"""Ids as they are stored: keyed digests. Without the secret of the installation the id cannot be computed."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

from app.core.values.placeholders import is_no_id

#: The block size of SHA-256, to which HMAC pads its key: RFC 2104, section 2.
_BLOCK_BYTES: Final = 64
_INNER, _OUTER = 0x36, 0x5C
#: The size of the cache of keys in this process.
_REMEMBERED: Final = 8_192


class IdKeys:
    """Computes keys of ids. A user id and the same text as an `anonymousId` have different keys."""

    def __init__(self, secret: bytes) -> None:
        """Use the secret of the installation; b"" if it is not known yet."""
        self.use(secret)

    def use(self, secret: bytes) -> None:
        """Use this secret from now on."""
        self.has_secret = bool(secret)
        #: Returns the key of a `userId`: HMAC-SHA-256 in hex. `None` if the value is not an id.
        self.user = _Digests(secret, b"userId\0").of
        #: Returns the key of an `anonymousId` in the same way.
        self.anonymous = _Digests(secret, b"anonymousId\0").of

    async def ask(self, secret: Callable[[], Awaitable[bytes]]) -> None:
        """Use the secret that `secret` returns, unless a secret is known. Raises the errors of `secret`."""
        if not self.has_secret:
            self.use(await secret())


class _Digests:
    """Computes HMAC-SHA-256 of ids from its two SHA-256 parts, which is faster than the module `hmac`."""

    def __init__(self, secret: bytes, kind: bytes) -> None:
        padded = (secret if len(secret) <= _BLOCK_BYTES else hashlib.sha256(secret).digest()).ljust(_BLOCK_BYTES, b"\0")
        self._inner = bytes(byte ^ _INNER for byte in padded) + kind
        self._outer = bytes(byte ^ _OUTER for byte in padded)
        self._digest = lru_cache(_REMEMBERED)(self._afresh)

    def of(self, given: Any) -> str | None:
        return self._digest(str(given)) if type(given) in (str, int) else None

    def _afresh(self, text: str) -> str | None:
        if is_no_id(text):
            return None
        inner = hashlib.sha256(self._inner + text.strip().encode("utf-8", "replace"))
        return hashlib.sha256(self._outer + inner.digest()).hexdigest()
