"""Encrypted events (AES-256-GCM): the rows of the quarantine, and their key."""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec.structs import astuple

from app.core.events import Event, Outcome
from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.core.trust import public_share
from app.outbox.rows import as_json, kept, record_of
from app.outbox.statements import Statements, UsesStore, reads, writes

#: The length of a nonce, a number that is used once.
_NONCE_BYTES: Final = 12


class Sealer:
    """Encrypt and decrypt events, or other JSON objects."""

    def __init__(self, secret: str, *, about: str = "quarantine") -> None:
        """Set the secret and the purpose of the encryption.

        The secret may have other uses: the key is derived (RFC 5869).
        """
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=about.encode())
        self._cipher = AESGCM(derived.derive(secret.encode()))
        # authenticated with each object, so that objects for another purpose do not decrypt
        self._about = f"pinrelay {about} 1".encode()

    def seal(self, event: Event) -> str | None:
        """Return an event encrypted, as base64; `None` if it cannot be written as JSON because of its nesting."""
        try:
            text = orjson.dumps(event)
        except orjson.JSONEncodeError:
            return None
        nonce = os.urandom(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, text, self._about)).decode()

    def open(self, sealed: str) -> Event | None:
        """Return the event; `None` if it was encrypted with another secret, or changed."""
        packed = b64decode(sealed)
        try:
            text = self._cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], self._about)
        except InvalidTag:
            return None
        event: Event = orjson.loads(text)
        return event


class SealedEvents(UsesStore):
    """Encrypted events of a store. Every method may raise OutboxUnavailable; `now` is Unix seconds.

    Times are those of the machine that received the events.
    """

    async def keep(self, events: Sequence[Quarantined]) -> None:
        """Commit encrypted events. A stored event with the same source, message id and trust stays unchanged."""
        columns = [astuple(event)[1:] for event in events]  # all but its id
        rows = as_json([[*rest, as_json(keys), sealed] for *rest, keys, sealed in columns])
        await self._write(lambda store: store.count("quarantine", rows=rows), rows=len(events), takes_in=True)

    @writes
    async def trim(self, store: Statements, max_bytes: int) -> int:
        """Erase the oldest events until the rest fits into `max_bytes`; return the number of erased events.

        Public events are limited to `public_share`, so that they replace no trusted ones.
        """
        ((trusted,),) = await store.rows("trusted_quarantine")
        bounds = {True: max_bytes, False: public_share(max_bytes, trusted=int(trusted))}
        gone = [await store.count("trim_quarantine", is_trusted=each, max_bytes=bounds[each]) for each in bounds]
        return sum(gone)

    async def trim_samples(self, most: int) -> int:
        """Erase samples beyond `most` per name, the newest stay; of public events half as many."""
        return await self._erase("trim_samples", most=most)

    @reads
    async def find(
        self, store: Statements, wanted: QuarantineFilter, *, now: float, after: int, limit: int
    ) -> list[Quarantined]:
        """Return events that match a filter and have not expired, the oldest first, after the id `after`."""
        given = {name: kept(text) for name, text in wanted.given.items()}
        asked = {"name": None, "outcome": None, "source": None, "reason": None, "samples": wanted.samples, **given}
        found = []
        for row in await store.rows("quarantined", now=now, after=after, limit=limit, **asked):
            is_trusted, outcome, keys = bool(row[4]), Outcome(row[6]), tuple(orjson.loads(row[9]))
            found.append(record_of(Quarantined, row, is_trusted=is_trusted, outcome=outcome, keys=keys))
        return found

    @reads
    async def groups(self, store: Statements, *, now: float, limit: int) -> list[QuarantineGroup]:
        """Return the number of events of each kind, the most frequent first."""
        rows = await store.rows("quarantine_groups", now=now, limit=limit)
        return [record_of(QuarantineGroup, row, outcome=Outcome(row[2])) for row in rows]

    async def release(self, ids: Sequence[int]) -> None:
        """Erase the events of these ids."""
        await self._erase("release_quarantined", ids=list(ids))

    async def forget(self, keys: Sequence[str]) -> int:
        """Erase events with any of these HMACs of ids; return the number of events."""
        return await self._erase("forget_quarantined", keys=list(keys))

    async def _erase(self, name: str, **parameters: Any) -> int:
        return await self._write(lambda store: store.count(name, **parameters))
