"""Ids as they are kept: keyed digests, which nobody can tell the id from without the secret of the installation."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

from app.core.values.placeholders import is_no_id

#: SHA-256 works through so much at a time, and HMAC pads its key by these bytes: RFC 2104, section 2.
_BLOCK_BYTES: Final = 64
_INNER, _OUTER = 0x36, 0x5C
#: So many ids are known again at once, in this process only.
_REMEMBERED: Final = 8_192


class IdKeys:
    """Makes keys of ids. An id of a user and the same text as an `anonymousId` have different keys."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret of the installation, by which ids are keyed; b"" where it is not known yet."""
        self.use(secret)

    def use(self, secret: bytes) -> None:
        """Key ids by this secret from now on."""
        self.has_secret = bool(secret)
        #: Returns the key of a `userId`: HMAC-SHA-256 in hex. None where what is given is no id.
        self.user = _Digests(secret, b"userId\0").of
        #: Returns the key of an `anonymousId`, alike.
        self.anonymous = _Digests(secret, b"anonymousId\0").of

    async def ask(self, secret: Callable[[], Awaitable[bytes]]) -> None:
        """Key ids by the secret that `secret` returns, unless one is known. Raises what it raises."""
        if not self.has_secret:
            self.use(await secret())


class _Digests:
    """Makes HMAC-SHA-256 of one kind of ids, by the two SHA-256 that it consists of: faster than the module `hmac`."""

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
