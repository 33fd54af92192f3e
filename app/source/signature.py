"""Segment's `X-Signature`: the lower-case hex HMAC-SHA1 of the JSON that was sent, keyed with the shared secret.

Segment signs a single event whole, of an array only the first element today, and of an Extensible Webhook's array
what is inside the first {"json": ...}. A signature over the whole array is proposed (action-destinations, pull
request 3989) and taken too. All are computed over slices of the raw bytes: written anew, JSON does not come out
the same. Source: packages/destination-actions/src/destinations/webhook/index.ts in segmentio/action-destinations.
"""

import hmac
import json
import re
from collections.abc import Iterator, Sequence

#: What stands before a signed slice.
_ARRAY = re.compile(r"[ \t\r\n]*\[[ \t\r\n]*")
_WRAPPED = re.compile(r'[ \t\r\n]*\[[ \t\r\n]*\{[ \t\r\n]*"json"[ \t\r\n]*:[ \t\r\n]*')
_DECODER = json.JSONDecoder()


def is_signed(raw: bytes, signature: str | None, secrets: Sequence[bytes]) -> bool:
    """Return whether one of the secrets made the signature for this body. Compared in constant time."""
    offered = (signature or "").strip().lower().encode()
    return any(
        hmac.compare_digest(hmac.new(secret, signed, "sha1").hexdigest().encode(), offered)
        for signed in _what_may_be_signed(raw)
        for secret in secrets
    )


def _what_may_be_signed(raw: bytes) -> Iterator[bytes]:
    """Yield the slices, the cheapest first: what a batch's signature covers today, then the whole."""
    if raw.lstrip()[:1] == b"[":
        yield from _first_element(raw)
    yield raw


def _first_element(raw: bytes) -> Iterator[bytes]:
    """Yield the first element of an array, bare and without {"json": ...}, exactly as it was sent."""
    try:
        text = raw.decode()
        for opening in (_ARRAY, _WRAPPED):
            if found := opening.match(text):
                _, end = _DECODER.raw_decode(text, found.end())
                yield text[found.end() : end].encode()
    except (ValueError, RecursionError):
        return  # the body cannot be read: there is no first element
