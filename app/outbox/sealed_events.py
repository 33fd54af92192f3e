"""Events kept encrypted (AES-256-GCM): the quarantine's rows, and the key that seals them."""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, Final, Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec.structs import astuple

from app.core.events import Event, Exit
from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.outbox.rows import as_json, kept, record_of

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


class SealedEvents(Protocol):
    """Sealed events of one store. Every method may raise OutboxUnavailable; `now` is Unix seconds."""

    async def keep(self, events: Sequence[Quarantined]) -> None:
        """Commit sealed events. One whose source and message id are kept already stays as it is, if equally trusted."""

    async def trim(self, max_bytes: int) -> int:
        """Erase the oldest until the others have so many bytes; return how many went.

        Public events take no room of proven ones: they have `public_share` of it.
        """

    async def trim_samples(self, most: int) -> int:
        """Erase samples until each name has so many, the newest; of public events half as many."""

    async def find(self, wanted: QuarantineFilter, *, now: float, after: int, limit: int) -> list[Quarantined]:
        """Return what a filter means and whose time is not over, the oldest first, from behind the id `after`."""

    async def groups(self, *, now: float, limit: int) -> list[QuarantineGroup]:
        """Return how many there are of each kind, the most first."""

    async def release(self, ids: Sequence[int]) -> None:
        """Erase the events of these ids."""

    async def forget(self, keys: Sequence[str]) -> int:
        """Erase what is kept under any of these HMACs of ids; return how many events that were."""


def row_of(event: Quarantined) -> list[Any]:
    """Return an event that is to be kept as a row of both engines: all but its id."""
    _, *columns = astuple(event)
    return [*columns[:-2], as_json(event.keys), event.sealed]


def event_of(row: Sequence[Any]) -> Quarantined:
    """Return the event of a row that was read."""
    is_proven, exit_, keys = row[4], row[6], row[9]
    return record_of(Quarantined, row, is_proven=bool(is_proven), exit=Exit(exit_), keys=tuple(orjson.loads(keys)))


def group_of(row: Sequence[Any]) -> QuarantineGroup:
    """Return the group of a row."""
    return record_of(QuarantineGroup, row, exit=Exit(row[2]))


def asked(wanted: QuarantineFilter) -> dict[str, str | bool | None]:
    """Return a filter as the parameters of a statement."""
    given = {name: kept(text) for name, text in wanted.given.items()}
    return {"name": None, "exit": None, "source": None, "reason": None, "samples": wanted.samples, **given}
