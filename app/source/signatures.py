"""Signatures over a body, by kind. The signed body is the decompressed one."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, Literal, TypeAlias

from app.source.auth import HeaderSecret, SenderProof, is_any
from app.source.body import pieces
from app.source.json_reader import MAX_MEMBER_BYTES, end_of_value, skip_space
from app.source.responses import RequestRefused


async def is_signed(raw: bytes, size: int, signature: str | None, secrets: Sequence[bytes]) -> bool:
    """Return whether a secret matches the signature of a body with `size` bytes after decompression.

    The comparison takes constant time. Memory is limited to the first element of an array; between two pieces other
    requests continue. Raises RequestRefused if the gzip data is broken.
    """
    if not secrets:
        return False
    offered = (signature or "").strip().lower().encode()
    decompressed = pieces(raw, size)
    beginning = next(decompressed, b"")
    if _is_first(beginning, offered, secrets):
        return True
    digests = await _digests(chain((beginning,), decompressed), secrets, "sha1")
    return any(_is_hex_of(digest, offered) for digest in digests)


def is_of_first(raw: bytes, size: int, signature: str | None, secrets: Sequence[bytes]) -> bool:
    """Return whether a secret matches the signature for the first element of an array."""
    return _is_first(next(pieces(raw, size), b""), (signature or "").strip().lower().encode(), secrets)


def _is_first(beginning: bytes, offered: bytes, secrets: Sequence[bytes]) -> bool:
    return any(
        _is_hex_of(hmac.digest(secret, signed, "sha1"), offered)
        for signed in _first_element(beginning)
        for secret in secrets
    )


def _is_hex_of(digest: bytes, offered: bytes) -> bool:
    return hmac.compare_digest(digest.hex().encode(), offered)


def _first_element(beginning: bytes) -> Iterator[bytes]:
    """Yield the first element of an array, plain and without {"json": ...}, exactly as it was sent.

    The element is found by its brackets. Yields nothing if the body is not an array, or the element exceeds the size of
    an event.
    """
    try:
        at = skip_space(beginning, 0)
        if beginning[at : at + 1] != b"[":
            return
        at = skip_space(beginning, at + 1)
        end = end_of_value(beginning, at)
        if end - at <= MAX_MEMBER_BYTES:
            yield beginning[at:end]
        for sign in (b"{", b'"json"', b":"):
            if not beginning.startswith(sign, at):
                return
            at = skip_space(beginning, at + len(sign))
        yield beginning[at : end_of_value(beginning, at)]
    except RequestRefused:
        return


#: The names in `hashlib`.
Algorithm: TypeAlias = Literal["sha1", "sha256", "sha384", "sha512"]
Encoding: TypeAlias = Literal["hex", "base64", "base64url"]

#: Prefix of secrets in Standard Webhooks: https://www.standardwebhooks.com
_WHSEC: Final = "whsec_"
_VERSION: Final = b"v1,"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSignature:
    """Segment's `X-Signature`, see app/source/signatures.py."""

    secrets: tuple[bytes, ...] = field(repr=False)
    header: str = "x-signature"

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        return self.header in headers

    async def holds(
        self,
        raw: bytes,
        size: int,
        headers: Mapping[str, str],
        *,
        now: float,  # noqa: ARG002 - no time is signed
    ) -> bool:
        return await is_signed(raw, size, headers.get(self.header), self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSignature:
    """An HMAC of the body in a header: the method of Shopify, WooCommerce, GitHub and many more."""

    header: str
    algorithm: Algorithm
    encoding: Encoding
    #: The text before the signature, such as `sha256=`; "" without such a text.
    prefix: str
    secrets: tuple[bytes, ...] = field(repr=False)

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        return self.header in headers and headers[self.header].startswith(self.prefix)

    async def holds(
        self,
        raw: bytes,
        size: int,
        headers: Mapping[str, str],
        *,
        now: float,  # noqa: ARG002 - no time is signed
    ) -> bool:
        """Return whether a secret matches the signature."""
        offered = _decoded(headers.get(self.header, "").removeprefix(self.prefix).strip(), self.encoding)
        digests = await _digests(pieces(raw, size), self.secrets, self.algorithm)
        return offered is not None and is_any(offered, digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhooksSignature:
    """`webhook-signature: v1,<base64>` over id, time and body, with a recent time.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    #: As the sender displays them, with or without `whsec_`.
    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance_s: float
    header: str = "webhook-signature"

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        return all(name in headers for name in ("webhook-id", "webhook-timestamp", self.header))

    def signed_at(self, headers: Mapping[str, str]) -> str:
        return headers.get("webhook-timestamp", "")

    async def holds(self, raw: bytes, size: int, headers: Mapping[str, str], *, now: float) -> bool:
        """Return whether a secret matches a signature with a recent time."""
        at = self.signed_at(headers)
        if not _is_recent(at, now, self.tolerance_s):
            return False
        signed = f"{headers.get('webhook-id', '')}.{at}.".encode("latin-1", "replace")
        keys = [key for secret in self.secrets if (key := standard_key(secret)) is not None]
        digests = await _digests(pieces(raw, size), keys, "sha256", before=signed)
        offered = headers.get(self.header, "").encode("latin-1", "replace").split()
        bare = [_decoded(each[len(_VERSION) :].decode("latin-1"), "base64") for each in offered if each[:3] == _VERSION]
        return _is_any_of(bare, digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSignature:
    """`Stripe-Signature: t=...,v1=...`: hex HMAC-SHA-256 over time and body, with a recent time.

    Source: https://docs.stripe.com/webhooks#verify-manually
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance_s: float
    header: str = "stripe-signature"

    def may_hold(self, headers: Mapping[str, str]) -> bool:
        return self.header in headers

    def signed_at(self, headers: Mapping[str, str]) -> str:
        return next((value for name, _, value in self._parts(headers) if name == "t"), "")

    def _parts(self, headers: Mapping[str, str]) -> list[tuple[str, str, str]]:
        return [part.strip().partition("=") for part in headers.get(self.header, "").split(",")]

    async def holds(self, raw: bytes, size: int, headers: Mapping[str, str], *, now: float) -> bool:
        """Return whether a secret matches a signature with a recent time."""
        at, parts = self.signed_at(headers), self._parts(headers)
        if not _is_recent(at, now, self.tolerance_s):
            return False
        digests = await _digests(pieces(raw, size), self.secrets, "sha256", before=f"{at}.".encode())
        return _is_any_of([_decoded(value, "hex") for name, _, value in parts if name == "v1"], digests)


def failed_cause(proof: SenderProof, headers: Mapping[str, str], *, now: float) -> str:
    """Return the failed check of a proof that rejected a request."""
    if isinstance(proof, HeaderSecret):
        return "wrong secret" if proof.header in headers else "missing secret"
    if not proof.may_hold(headers):
        return "missing signature"
    if isinstance(proof, StandardWebhooksSignature | StripeSignature):
        return "bad signature" if _is_recent(proof.signed_at(headers), now, proof.tolerance_s) else "clock"
    return "bad signature"


def standard_signature(secret: bytes, message_id: str, at: int, body: bytes) -> str:
    """Return the `webhook-signature` of Standard Webhooks. `secret` has a key, see `standard_key`."""
    signed = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret) or b"", signed, "sha256")).decode()


def standard_key(secret: bytes) -> bytes | None:
    """Return the key in a secret of Standard Webhooks; `None` if the secret is not base64."""
    return _decoded(secret.decode("latin-1").removeprefix(_WHSEC), "base64")


def _is_recent(text: str, now: float, tolerance_s: float) -> bool:
    """Return whether a time (Unix seconds as text) is within the tolerance of `now`.

    The check prevents replays of old requests.
    """
    return text.isascii() and text.isdecimal() and len(text) <= 12 and abs(now - int(text)) <= tolerance_s  # noqa: PLR2004 - no time has more digits


async def _digests(
    decompressed: Iterable[bytes], secrets: Sequence[bytes], algorithm: Algorithm, *, before: bytes = b""
) -> list[bytes]:
    """Return the HMAC of a body by each secret, with `before` in front of the body.

    Between two pieces other requests continue. Raises RequestRefused if the gzip data is broken.
    """
    makers = [hmac.new(secret, before, algorithm) for secret in secrets]
    for number, piece in enumerate(decompressed):
        if number:
            await asyncio.sleep(0)
        for maker in makers:
            maker.update(piece)
    return [maker.digest() for maker in makers]


_DECODERS: Final[Mapping[Encoding, Callable[[str], bytes]]] = {
    "hex": bytes.fromhex,
    "base64": lambda text: base64.b64decode(text, validate=True),
    "base64url": lambda text: base64.b64decode(f"{text}{'=' * (-len(text) % 4)}", b"-_", validate=True),
}


def _decoded(text: str, encoding: Encoding) -> bytes | None:
    """Return the decoded bytes of a text; `None` if the text is invalid."""
    try:
        return _DECODERS[encoding](text)
    except (binascii.Error, ValueError):
        return None


def _is_any_of(offered: Iterable[bytes | None], known: Sequence[bytes]) -> bool:
    return any(each is not None and is_any(each, known) for each in offered)
