"""Events kept encrypted (AES-256-GCM): the quarantine's rows, and the key that seals them."""

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


class SealedEvents(UsesStore):
    """Sealed events of one store. Every method may raise OutboxUnavailable; `now` is Unix seconds.

    Times are those of the machine that received the events.
    """

    async def keep(self, events: Sequence[Quarantined]) -> None:
        """Commit sealed events. One whose source and message id are kept already stays as it is, if equally trusted."""
        columns = [astuple(event)[1:] for event in events]  # all but its id
        rows = as_json([[*rest, as_json(keys), sealed] for *rest, keys, sealed in columns])
        await self._write(lambda store: store.count("quarantine", rows=rows), rows=len(events), takes_in=True)

    @writes
    async def trim(self, store: Statements, max_bytes: int) -> int:
        """Erase the oldest until the others have so many bytes; return how many went.

        Public events take no room of trusted ones: they have `public_share` of it.
        """
        ((trusted,),) = await store.rows("trusted_quarantine")
        bounds = {True: max_bytes, False: public_share(max_bytes, trusted=int(trusted))}
        gone = [await store.count("trim_quarantine", is_trusted=each, max_bytes=bounds[each]) for each in bounds]
        return sum(gone)

    async def trim_samples(self, most: int) -> int:
        """Erase samples until each name has so many, the newest; of public events half as many."""
        return await self._erase("trim_samples", most=most)

    @reads
    async def find(
        self, store: Statements, wanted: QuarantineFilter, *, now: float, after: int, limit: int
    ) -> list[Quarantined]:
        """Return what a filter means and whose time is not over, the oldest first, from behind the id `after`."""
        given = {name: kept(text) for name, text in wanted.given.items()}
        asked = {"name": None, "outcome": None, "source": None, "reason": None, "samples": wanted.samples, **given}
        found = []
        for row in await store.rows("quarantined", now=now, after=after, limit=limit, **asked):
            is_trusted, outcome, keys = bool(row[4]), Outcome(row[6]), tuple(orjson.loads(row[9]))
            found.append(record_of(Quarantined, row, is_trusted=is_trusted, outcome=outcome, keys=keys))
        return found

    @reads
    async def groups(self, store: Statements, *, now: float, limit: int) -> list[QuarantineGroup]:
        """Return how many there are of each kind, the most first."""
        rows = await store.rows("quarantine_groups", now=now, limit=limit)
        return [record_of(QuarantineGroup, row, outcome=Outcome(row[2])) for row in rows]

    async def release(self, ids: Sequence[int]) -> None:
        """Erase the events of these ids."""
        await self._erase("release_quarantined", ids=list(ids))

    async def forget(self, keys: Sequence[str]) -> int:
        """Erase what is kept under any of these HMACs of ids; return how many events that were."""
        return await self._erase("forget_quarantined", keys=list(keys))

    async def _erase(self, name: str, **parameters: Any) -> int:
        return await self._write(lambda store: store.count(name, **parameters))
