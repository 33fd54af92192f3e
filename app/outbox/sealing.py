"""What is encrypted before it reaches the store, such as events as received: AES-256-GCM, by `cryptography`.

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

from app.core.events import Event

#: Of a number that is used once, as AES-GCM wants it.
_NONCE_BYTES: Final = 12


class Sealer:
    """Encrypts events, or other objects of JSON, and opens what it encrypted."""

    def __init__(self, secret: str, *, about: str = "quarantine") -> None:
        """Take a secret and what is encrypted by it. It may serve something else too: the key is derived (RFC 5869)."""
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=about.encode())
        self._cipher = AESGCM(derived.derive(secret.encode()))
        # said with each object, so that what was encrypted for something else does not open
        self._about = f"pinrelay {about} 1".encode()

    def seal(self, event: Event) -> str | None:
        """Return an event encrypted, as base64; None of one that cannot be written as JSON, being nested too deep."""
        try:
            text = orjson.dumps(event)
        except orjson.JSONEncodeError:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, text, self._about)).decode()

    def open(self, sealed: str) -> Event | None:
        """Return the event; None where it was sealed by another secret, or changed since."""
        packed = b64decode(sealed)
        try:
            text = self._cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], self._about)
        except InvalidTag:
            return None
        event: Event = orjson.loads(text)
        return event
