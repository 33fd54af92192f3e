"""Ids as they are kept: keyed digests, which nobody can tell the id from without the secret of the installation."""

import hmac
from functools import lru_cache
from typing import Any, Final

from app.values.placeholders import is_no_id

#: So many ids are known again at once, in this process only.
_REMEMBERED: Final = 8_192


class IdKeys:
    """Makes keys of ids. An id of a user and the same text as an `anonymousId` have different keys."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret of the installation."""
        self._user = _Digests(secret, b"userId\0")
        self._anonymous = _Digests(secret, b"anonymousId\0")

    def user(self, given: Any) -> str | None:
        """Return the key of a `userId`: HMAC-SHA-256 in hex. None where what is given is no id."""
        return self._user.of(given)

    def anonymous(self, given: Any) -> str | None:
        """Return the key of an `anonymousId`: HMAC-SHA-256 in hex. None where what is given is no id."""
        return self._anonymous.of(given)


class _Digests:
    """Finishes digests that have begun with the kind of the id."""

    def __init__(self, secret: bytes, kind: bytes) -> None:
        self._begun = hmac.new(secret, kind, "sha256")
        self._digest = lru_cache(_REMEMBERED)(self._afresh)

    def of(self, given: Any) -> str | None:
        return self._digest(str(given)) if type(given) in (str, int) else None

    def _afresh(self, text: str) -> str | None:
        if is_no_id(text):
            return None
        digest = self._begun.copy()
        digest.update(text.strip().encode("utf-8", "replace"))
        return digest.hexdigest()
