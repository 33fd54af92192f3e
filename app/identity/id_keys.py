"""Ids as they are kept: keyed digests, which nobody can tell the id from without the secret of the installation."""

import hmac
from typing import Any

from app.values.placeholders import is_no_id


class IdKeys:
    """Makes keys of ids. An id of a user and the same text as an `anonymousId` have different keys."""

    def __init__(self, secret: bytes) -> None:
        """Take the secret of the installation."""
        self._user = hmac.new(secret, b"userId\0", "sha256")
        self._anonymous = hmac.new(secret, b"anonymousId\0", "sha256")

    def user(self, given: Any) -> str | None:
        """Return the key of a `userId`: HMAC-SHA-256 in hex. None where what is given is no id."""
        return _key(self._user, given)

    def anonymous(self, given: Any) -> str | None:
        """Return the key of an `anonymousId`: HMAC-SHA-256 in hex. None where what is given is no id."""
        return _key(self._anonymous, given)


def _key(begun: hmac.HMAC, given: Any) -> str | None:
    """Finish a digest that has begun with the kind of the id."""
    if type(given) not in (str, int) or is_no_id(text := str(given)):
        return None
    digest = begun.copy()
    digest.update(text.strip().encode("utf-8", "replace"))
    return digest.hexdigest()
