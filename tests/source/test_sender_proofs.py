"""Secrets that are sent: a header of one's own, a bearer token, Basic authentication."""

import base64

from app.source.auth import HeaderSecret, OpenProof, basic_credentials
from tests.rows import every_row

SECRET = b"0123456789abcdef"
HEADER = HeaderSecret(header="x-pinrelay-key", values=(SECRET, b"while-it-rotates"))
BEARER = HeaderSecret(header="authorization", scheme="Bearer", values=(SECRET,))
BASIC = HeaderSecret(header="authorization", scheme="Basic", values=(basic_credentials("shop", SECRET),))


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@every_row(
    ("proof", "headers", "passes"),
    [
        (HEADER, {"x-pinrelay-key": "0123456789abcdef"}, True),
        (HEADER, {"x-pinrelay-key": " 0123456789abcdef "}, True),
        (HEADER, {"x-pinrelay-key": "while-it-rotates"}, True),
        (HEADER, {"x-pinrelay-key": "0123456789abcdeF"}, False),
        (HEADER, {"x-pinrelay-key": "é"}, False),
        (HEADER, {"x-pinrelay-key": ""}, False),
        (HEADER, {}, False),
        (BEARER, {"authorization": "Bearer 0123456789abcdef"}, True),
        (BEARER, {"authorization": "bearer 0123456789abcdef"}, True),
        (BEARER, {"authorization": "0123456789abcdef"}, False),
        (BEARER, {"authorization": "Basic 0123456789abcdef"}, False),
        (BEARER, {}, False),
        (BASIC, {"authorization": f"Basic {basic('shop:0123456789abcdef')}"}, True),
        (BASIC, {"authorization": f"Basic {basic('mall:0123456789abcdef')}"}, False),
        (BASIC, {"authorization": f"Bearer {basic('shop:0123456789abcdef')}"}, False),
        (BASIC, {"authorization": "Basic shop:0123456789abcdef"}, False),
        (OpenProof(), {}, True),
    ],
)
async def test_only_the_secret_itself_passes(proof: HeaderSecret, headers: dict[str, str], *, passes: bool) -> None:
    assert proof.may_hold(headers) is passes
    assert await proof.holds(b"{}", 2, headers, now=0) is passes


def test_no_proof_shows_its_secret() -> None:
    assert "0123456789abcdef" not in f"{HEADER!r}{BEARER!r}"
