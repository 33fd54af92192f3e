"""Signatures of senders: the senders' own examples, and everything that must not pass."""

import base64
import gzip
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.source.auth import SenderProof
from app.source.body import DEFLATE, GZIP, ZSTD
from app.source.signatures import HmacSignature, SegmentSignature, StandardWebhooksSignature, StripeSignature
from tests.rows import every_row

BODY = b'{"test": 2432232314}'
SECRET = b"0123456789abcdef"
NOW = 1_614_265_330.0


async def holds(proof: SenderProof, headers: dict[str, str], body: bytes = BODY, *, now: float = NOW) -> bool:
    """Judge as the door does: by the headers first, then by the body."""
    return proof.may_hold(headers) and await proof.holds(body, len(body), headers, now=now)


def signed(algorithm: Any = "sha256", encoding: Any = "hex", prefix: str = "", *secrets: bytes) -> HmacSignature:
    return HmacSignature(
        header="x-sign", algorithm=algorithm, encoding=encoding, prefix=prefix, secrets=secrets or (SECRET,)
    )


def digest(algorithm: str = "sha256", secret: bytes = SECRET, body: bytes = BODY) -> bytes:
    return hmac.new(secret, body, algorithm).digest()


@every_row("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@every_row(
    ("encoding", "write"),
    [
        ("hex", bytes.hex),
        ("hex", lambda raw: raw.hex().upper()),
        ("base64", lambda raw: base64.b64encode(raw).decode()),
        ("base64url", lambda raw: base64.urlsafe_b64encode(raw).decode()),
        ("base64url", lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")),
    ],
)
@every_row("prefix", ["", "sha256="])
async def test_an_hmac_passes_in_its_own_algorithm_encoding_and_prefix(
    algorithm: str, encoding: str, write: Any, prefix: str
) -> None:
    proof = signed(algorithm, encoding, prefix)
    good = prefix + write(digest(algorithm))
    assert await holds(proof, {"x-sign": good})
    assert not await holds(proof, {"x-sign": good}, BODY + b" ")
    assert not await holds(proof, {"x-sign": prefix + write(digest(algorithm, b"another-secret-00"))})
    assert not await holds(proof, {"x-other": good})


@every_row("offered", ["", "sha256=", "zz", "sha256=zz", "é", "=", "a" * 10_000])
async def test_what_is_no_signature_is_refused_and_fails_nothing(offered: str) -> None:
    for encoding in ("hex", "base64", "base64url"):
        assert not await holds(signed("sha256", encoding), {"x-sign": offered})
        assert not await holds(signed("sha256", encoding, "sha256="), {"x-sign": offered})


async def test_a_signature_without_its_prefix_is_refused() -> None:
    assert not await holds(signed("sha256", "hex", "sha256="), {"x-sign": digest().hex()})


async def test_while_a_secret_is_rotated_both_pass() -> None:
    new = b"fedcba9876543210"
    for secret in (SECRET, new):
        assert await holds(signed("sha256", "hex", "", SECRET, new), {"x-sign": digest(secret=secret).hex()})


async def test_a_gzipped_body_is_signed_as_it_is_without_gzip() -> None:
    packed = gzip.compress(BODY)
    proof = signed()
    assert await proof.holds(packed, len(BODY), {"x-sign": digest().hex()}, now=NOW)


@given(body=st.binary(max_size=2_000), flipped=st.integers(0, 255))
async def test_no_byte_of_a_body_may_differ(body: bytes, flipped: int) -> None:
    assume(not (body + bytes([flipped])).startswith((GZIP, ZSTD, *DEFLATE)))
    good = {"x-sign": digest(body=body).hex()}
    assert await holds(signed(), good, body)
    assert not await holds(signed(), good, body + bytes([flipped]))


async def test_a_large_body_is_signed_to_its_end() -> None:
    body = b"x" * 600_000
    good = {"x-sign": digest(body=body).hex()}
    assert await holds(signed(), good, body)
    assert not await holds(signed(), good, body[:-1] + b"y")


#: The example of the specification's reference libraries (standard-webhooks/standard-webhooks, libraries/python/tests).
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def standard(
    secret: str = STANDARD, at: float = NOW, *, number: str = "msg_p5jXN8AQM9LWM0D4loKWxJek"
) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{number}.{int(at)}.".encode() + BODY, hashlib.sha256).digest()
    return {
        "webhook-id": number,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }


WEBHOOKS = StandardWebhooksSignature(secrets=(STANDARD.encode(),), tolerance_s=300)


async def test_the_published_example_of_standard_webhooks_passes() -> None:
    example = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert standard() == example
    assert await holds(WEBHOOKS, example)


@every_row(
    ("changes", "passes"),
    [
        ({}, True),
        ({"webhook-id": "msg_another"}, False),
        ({"webhook-timestamp": str(int(NOW) + 1)}, False),
        ({"webhook-timestamp": "1614265330.0"}, False),
        ({"webhook-timestamp": "now"}, False),
        ({"webhook-timestamp": "9" * 40}, False),
        ({"webhook-signature": "v1,wrong v1," + standard()["webhook-signature"][3:]}, True),
        ({"webhook-signature": standard()["webhook-signature"].replace("v1", "v2")}, False),
        ({"webhook-signature": standard()["webhook-signature"][3:]}, False),
        ({"webhook-signature": ""}, False),
    ],
    ids=str,
)
async def test_all_that_is_signed_must_be_as_it_was_signed(changes: dict[str, str], *, passes: bool) -> None:
    assert await holds(WEBHOOKS, standard() | changes) is passes


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_standard_webhooks_needs_three_headers(missing: str) -> None:
    assert not WEBHOOKS.may_hold({name: value for name, value in standard().items() if name != missing})


def stripe(at: float = NOW, secret: bytes = SECRET) -> str:
    return f"t={int(at)},v1={hmac.new(secret, f'{int(at)}.'.encode() + BODY, 'sha256').hexdigest()}"


STRIPE = StripeSignature(secrets=(SECRET,), tolerance_s=300)


@every_row(
    ("header", "passes"),
    [
        (stripe(), True),
        (stripe() + ",v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39", True),
        (stripe().replace(",", ", "), True),
        (f"{stripe(secret=b'another-secret-00')},{stripe().partition(',')[2]}", True),
        (stripe(secret=b"another-secret-00"), False),
        (stripe().replace("v1=", "v0="), False),
        (stripe().replace("t=1614265330", "t=1614265331"), False),
        (stripe().partition(",")[2], False),
        ("t=,v1=", False),
        ("", False),
    ],
)
async def test_stripe_signs_time_and_body(header: str, *, passes: bool) -> None:
    assert await holds(STRIPE, {"stripe-signature": header}) is passes


@every_row(("away_s", "passes"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
async def test_what_was_signed_long_ago_is_a_replay_and_refused(away_s: int, *, passes: bool) -> None:
    assert await holds(STRIPE, {"stripe-signature": stripe()}, now=NOW + away_s) is passes
    assert await holds(WEBHOOKS, standard(), now=NOW + away_s) is passes


async def test_segments_signature_is_known_too() -> None:
    proof = SegmentSignature(secrets=(SECRET,))
    assert await holds(proof, {"x-signature": digest("sha1").hex()})
    assert not await holds(proof, {"x-signature": digest("sha1", b"another-secret-00").hex()})
    assert not await holds(proof, {})


def test_no_proof_shows_its_secret() -> None:
    for proof in (signed(), WEBHOOKS, STRIPE, SegmentSignature(secrets=(SECRET,))):
        assert SECRET.decode() not in repr(proof)
        assert STANDARD not in repr(proof)
