"""Segment's `X-Signature`: the lower-case hex HMAC-SHA1 of the JSON that was sent, keyed with the shared secret.

Segment signs a single event whole, of an array only the first element today, and of an Extensible Webhook's array
what is inside the first {"json": ...}. A signature over the whole array is proposed (action-destinations, pull
request 3989) and taken too. All are computed over slices of the raw bytes: written anew, JSON does not come out
the same. Source: packages/destination-actions/src/destinations/webhook/index.ts in segmentio/action-destinations.
"""

import asyncio
import hmac
from collections.abc import Iterator, Sequence
from itertools import chain

from app.source.refusal import RequestRefused
from app.source.slices import MAX_MEMBER_BYTES, after_blanks, end_of_value
from app.source.unpacking import pieces


async def is_signed(raw: bytes, size: int, signature: str | None, secrets: Sequence[bytes]) -> bool:
    """Return whether one of the secrets made the signature for this body, which has `size` bytes without gzip.

    Compared in constant time. No more is kept of it than the first element of an array may have; between two pieces
    other requests get their turn. Raises RequestRefused where its gzip is broken.
    """
    if not secrets:
        return False
    offered = (signature or "").strip().lower().encode()
    unpacked = pieces(raw, size)
    beginning = next(unpacked, b"")
    for signed in _first_element(beginning):
        if any(_is_by(hmac.new(secret, signed, "sha1"), offered) for secret in secrets):
            return True
    makers = [hmac.new(secret, digestmod="sha1") for secret in secrets]
    for number, piece in enumerate(chain((beginning,), unpacked)):
        if number:
            await asyncio.sleep(0)
        for maker in makers:
            maker.update(piece)
    return any(_is_by(maker, offered) for maker in makers)


def _is_by(maker: hmac.HMAC, offered: bytes) -> bool:
    return hmac.compare_digest(maker.hexdigest().encode(), offered)


def _first_element(beginning: bytes) -> Iterator[bytes]:
    """Yield the first element of an array, bare and without {"json": ...}, exactly as it was sent.

    It is found by its brackets. Nothing where a body is no array, or the element is larger than an event may be.
    """
    try:
        at = after_blanks(beginning, 0)
        if beginning[at : at + 1] != b"[":
            return
        at = after_blanks(beginning, at + 1)
        end = end_of_value(beginning, at)
        if end - at <= MAX_MEMBER_BYTES:
            yield beginning[at:end]
        for sign in (b"{", b'"json"', b":"):
            if not beginning.startswith(sign, at):
                return
            at = after_blanks(beginning, at + len(sign))
        yield beginning[at : end_of_value(beginning, at)]
    except RequestRefused:
        return
