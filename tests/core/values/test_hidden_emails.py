"""E-mail addresses are found in ids and URLs however they are written there."""

import json
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.values.hidden_emails import holds_email, unpersonal_id, without_encoded, without_plain
from tests.process import ROOT
from tests.rows import every_row

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
names = st.text(LETTERS, min_size=1, max_size=12)
emails = st.builds("{}{}@{}.{}".format, names, st.sampled_from(["", ".x", "+tag", "_1"]), names, st.just("example"))


def percent(text: str) -> str:
    """Write every character by its code."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def wide(text: str) -> str:
    """Write every character in full width, as Japanese keyboards do."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def replaced(at: str, text: str) -> str:
    """Write the at-sign of an address otherwise."""
    return text.replace("@", at)


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in full width": wide,
    "with its at-sign in full width": lambda text: text.replace("@", "\uff20"),
    "with characters of no width in it": "\u200b".join,
    "percent-encoded": quote,
    "percent-encoded twice": lambda text: quote(quote(text)),
    "percent-encoded throughout": percent,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "base64, percent-encoded": lambda text: quote(b64encode(text.encode()).decode(), safe=""),
    "base64 of JSON": lambda text: b64encode(b'{"id": 7, "email": "%s"}' % text.encode()).decode(),
    "base64 behind other letters": lambda text: f"id-{urlsafe_b64encode(text.encode()).decode()}",
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "hex behind a digit": lambda text: f"7{text.encode().hex()}",
    **{
        f"with its at-sign as {at!r}": partial(replaced, at)
        for at in (
            *(" @ ", "\t@", "\u00a0@ ", "@ ", " @\n ", "+@+", "+%40+", "%20%40%20", "%09@", "%2520%2540%2520"),
            *("&#64;", "&#064;", "&#x40;", "&#X0040;", "&amp;#64;", "&amp;amp;commat;", "&commat;"),
            *("\\u0040", "\\\\u0040", "%u0040", "%25u0040", "\\x40", "%5Cu0040", "%5c%5cu0040", "%5Cx40"),
            *("%26%2364%3B", "%26%23x40%3B", "%26commat%3B", "%26amp%3B%2364%3b", "%2526%252364%253B"),
        )
    },
    "with its at-sign as HTML without a semicolon": lambda text: text.replace("@", "&#64x"),
    "with a blank before its at-sign": lambda text: text.replace("@", " @").replace(".example", ".com"),
    "as HTML throughout": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "as JSON throughout": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "with its dot as HTML": lambda text: text.replace("@", "&commat;").replace(".", "&period;"),
    "with a quoted local part": lambda text: f'"{text}'.replace("@", '"@'),
    "with blanks in a quoted local part": lambda text: f'"Ann  {text}'.replace("@", '"@'),
    "with an at-sign in a quoted local part": lambda text: f'"a@{text}'.replace("@", '"@', 2).replace('"@', "@", 1),
    "with escaped quotes in a quoted local part": lambda text: f'"a\\"b\\\\{text}'.replace("@", '"@'),
    "with a quoted local part behind a backslash": lambda text: f'\\"{text}'.replace("@", '"@'),
    "with a quoted local part, percent-encoded": lambda text: quote(f'"{text}'.replace("@", '"@')),
    "at localhost": lambda text: text.partition("@")[0] + "@localhost",
    "at an IPv4 address": lambda text: text.partition("@")[0] + "@[192.0.2.1]",
    "at an IPv6 address": lambda text: text.partition("@")[0] + "@[IPv6:2001:db8::1]",
    "at an IP address, percent-encoded": lambda text: quote(text.partition("@")[0] + "@[192.0.2.1]"),
}


@pytest.mark.parametrize("way", WRITTEN)
@given(email=emails)
def test_an_address_is_found_however_it_is_written(way: str, email: str) -> None:
    written = WRITTEN[way](email)

    assert holds_email(written)
    assert holds_email(f"order {written} 2026")
    for url in (f"https://shop.example/u/{written}?x=1", f"https://shop.example/?u={written}&x=1"):
        clean = without_encoded(without_plain(url))
        assert written.rstrip("=") not in clean
        assert not holds_email(clean)
        assert clean.startswith("https://shop.example/")


@every_row(
    ("given_id", "is_kept"),
    [
        ("7" * 256, True),
        ("7" * 257, False),
        ("é" * 128, True),
        ("é" * 129, False),
        ("\N{GRINNING FACE}" * 64, True),
        ("\N{GRINNING FACE}" * 65, False),
    ],
)
def test_a_long_id_is_kept_as_the_digest_of_what_is_between_its_blanks(given_id: str, is_kept: bool) -> None:  # noqa: FBT001 - a column
    digest = sha256(given_id.encode()).hexdigest()

    assert unpersonal_id(given_id) == (given_id if is_kept else digest)
    assert unpersonal_id(digest) == digest
    if not is_kept:
        assert unpersonal_id(f" {given_id}\n") == digest


@given(text=st.text("~?>ÿ", min_size=3, max_size=3), email=emails)
def test_base64_is_found_with_the_marks_that_urls_write_otherwise(text: str, email: str) -> None:
    marked = b64encode(f"{text}{email}".encode()).decode()

    for value in (marked, quote(marked, safe=""), marked.replace("+", "%2b").replace("/", "%2f")):
        assert holds_email(f"https://shop.example/?u={value}&x=1")


@every_row(
    "text",
    [
        "SO-10021",
        "7c3a4824-43fc-42a1-9dbc-c73d2bb6d829",
        "ajs-next-1772640772244-7c3a4024-43fc-42a1-9dbc-c73d2ebb4029",
        "C0FFEE77-5EED-4B1D-9A77-0DDBA11FACE5",
        "SO-10@3",
        "https://shop.example/@jane/a.b",
        "https://www.Shop.example/Checkout/Done?epik=dj0yJnU9dGVzdEFCQ0RFRkdISUpLTE1OT1A",
        "QAQAQAQAQAQA",
        "Ring by @jane.doe",
        "2 @ 1.5 kg, 10 @ 5.00 EUR",
        "meet @ noon",
        "root@localhosts",
        "@localhost",
        "Tom &amp; Jerry &commat; home",
        "\\u0041\\u0040",
        "@[12]",
        '"@"',
        "",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert not holds_email(text)
    assert without_encoded(without_plain(text)) == text
    assert unpersonal_id(text) == text


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text in a value, and the names of its members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value:
            yield from texts_of(each)
            if isinstance(value, dict):
                yield from texts_of(value[each])


def test_no_text_of_the_test_data_is_taken_for_an_address() -> None:
    """They include names of products and pages. Each text that is taken is an address, or in the list."""
    files = [*(ROOT / "tests/conformance").glob("*.ndjson"), *(ROOT / "tests/sources/cases").glob("*.json")]
    lines = [line for file in files if file.suffix == ".ndjson" for line in file.read_text("utf-8").split("\n")]
    lines += [file.read_text("utf-8") for file in files if file.suffix == ".json"]
    texts = {text for line in lines if line for text in texts_of(json.loads(line))}
    taken = [text for text in texts if without_plain(text) != text]
    address = re.compile(r"[\w.+'-]+@([\w-]+\.)+[a-z]{2,}", re.IGNORECASE)

    assert len(texts) > 40_000
    assert sum(address.fullmatch(text) is not None for text in taken) > 900
    assert sorted(text for text in taken if not address.fullmatch(text)) == [
        "\tlena@example.com\r\n",
        "  jane.doe@example.com\n",
        "  lena@example.com  ",
        "Jane <jane@example.com>",
        "Lena Roth <lena@example.com>",
        "a@example.com,b@example.com",
        'context.traits.email = "a@b.example"',
        "jane doe@example.com",
        "lena roth @ example.com",
        'traits.email = "a@b.example"',
        '{"email":["j@example.com"],"zip":12345}',
        '{% assign p = "ann@shop.example" | split: "@" %}{{ p[1] }}',
        "\xa0lena@example.com",
        "\u200blena@example.com",
    ]


def test_a_json_web_token_goes_from_anywhere() -> None:
    assert without_encoded(f"https://shop.example/{TOKEN}/x?t={TOKEN}&x=1") == "https://shop.example//x?t=&x=1"
    assert without_encoded(f"#{TOKEN.rpartition('.')[0]}") == "#"


@given(email=emails, rest=st.text(LETTERS + " ", max_size=8))
def test_an_id_with_an_address_becomes_the_digest_of_the_trimmed_id(email: str, rest: str) -> None:
    given_id = f" {email} {rest}"

    assert unpersonal_id(given_id) == sha256(given_id.strip().encode()).hexdigest()
    assert unpersonal_id(unpersonal_id(given_id)) == unpersonal_id(given_id)


@pytest.mark.slow
def test_a_long_text_takes_no_long_time() -> None:
    """Each run is read once; read from each of its characters, a megabyte would take minutes."""
    texts = ["a-" * 500_000 + "QA", "Q0A" * 300_000, "40" * 500_000 + "2e", "eyJ" * 300_000, "eyJ." * 200_000]
    runs = (
        "a+",
        "%20",
        '"',
        '"a',
        '\\"',
        'a\\"',
        '"\\"',
        "a ",
        "a   ",
        "a@ ",
        "a @b-",
        "a@[1:",
        "&amp;",
        "\\",
        "&#64;",
        "\\u0040",
        "%25",
        "%09",
    )
    texts += [run * 20_000 + end for run in runs for end in ("@", "#64;", "\\u0040", "@ b." + "b." * 20_000)]
    began = time.process_time()

    assert not any(map(holds_email, texts))
    assert time.process_time() - began < 10
