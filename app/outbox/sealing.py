"""Events as received, encrypted before they reach the store: AES-256-GCM, by the library `cryptography`.

The key lies outside the store, so that a file, a dump or a backup of it shows nothing.
"""

import os
from base64 import b64decode, b64encode
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.types import Event

#: Of a number that is used once, as AES-GCM wants it.
_NONCE_BYTES: Final = 12
#: Said with each event, so that what was encrypted for something else does not open.
_ABOUT: Final = b"pinrelay quarantine 1"


class Sealer:
    """Encrypts events, and opens what it encrypted."""

    def __init__(self, secret: str) -> None:
        """Take the secret of QUARANTINE_KEY. It may serve ids too, so the key is derived for this alone (RFC 5869)."""
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"quarantine")
        self._cipher = AESGCM(derived.derive(secret.encode()))

    def seal(self, event: Event) -> str | None:
        """Return an event encrypted, as base64; None of one that cannot be written as JSON, being nested too deep."""
        try:
            text = orjson.dumps(event)
        except orjson.JSONEncodeError:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, text, _ABOUT)).decode()

    def open(self, sealed: str) -> Event | None:
        """Return the event; None where it was sealed by another secret, or changed since."""
        packed = b64decode(sealed)
        try:
            text = self._cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], _ABOUT)
        except InvalidTag:
            return None
        event: Event = orjson.loads(text)
        return event
