"""What a sender proves itself by: nothing, or a secret that it sends in a header.

What a header alone proves is judged before the body is read. All comparisons take the same time for every wrong value
of the same length. Signatures: app/source/signed_bodies.py.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


class SenderProof(Protocol):
    """One thing that each request of a source must prove."""

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the headers leave it possible, before the body is read."""
        ...

    async def holds(self, raw: bytes, size: int, headers: Mapping[str, str], *, now: float) -> bool:
        """Return whether it is proven for a body that has `size` bytes without gzip; `now` in Unix seconds."""
        ...

    @property
    def header(self) -> str:
        """The header that carries it, in lower case: no mapping gets to see it. "" where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Anyone:
    """The proof of a source from which anybody may send."""

    header: str = ""

    def may_hold(self, *_: object) -> bool:
        """Return True."""
        return True

    async def holds(self, *_: object, **__: object) -> bool:
        """Return True."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSecret:
    """A header that holds one of these texts: a secret of its own, a bearer token, Basic authentication."""

    header: str
    values: tuple[bytes, ...] = field(repr=False)
    #: What stands before the text, in any case; `Bearer` or `Basic`. "" where nothing does.
    scheme: str = ""

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        """Return whether the header holds one of the texts."""
        given = headers.get(self.header, "")
        if self.scheme:
            scheme, _, given = given.partition(" ")
            if scheme.lower() != self.scheme.lower():
                return False
        offered = given.strip().encode("latin-1", "replace")
        return is_any(offered, self.values)

    async def holds(
        self,
        raw: bytes,  # noqa: ARG002 - the Protocol's
        size: int,  # noqa: ARG002 - likewise
        headers: Mapping[str, str],
        *,
        now: float,  # noqa: ARG002 - likewise
    ) -> bool:
        """Return whether the header holds one of the texts now: secrets may have changed while the body came."""
        return self.may_hold(headers)


def is_any(offered: bytes, known: Iterable[bytes]) -> bool:
    """Return whether it is one of the known; all are looked at, whichever it is."""
    found = False
    for each in known:
        found |= hmac.compare_digest(offered, each)
    return found
