"""Write keys and the secret header."""

import base64
from typing import Any

import pytest

from app.errors import SettingsError
from app.source.auth import HeaderSecret, WriteKeys, basic_user
from tests.rows import every_row

KEYS = WriteKeys.read(["shop: k1", "app:k2:with colon"])


@every_row(
    ("offered", "source"),
    [
        (("k1",), "shop"),
        (("k2:with colon",), "app"),
        ((None, "k1"), "shop"),
        (("wrong", "k1"), "shop"),
        (("wrong",), None),
        (("k",), None),
        (("shop",), None),
        (("",), None),
        ((), None),
        ((None, 5, ["k1"], {"k1": 1}), None),
        (("\ud800é",), None),
    ],
)
def test_a_write_key_names_its_source(offered: tuple[Any, ...], source: str | None) -> None:
    assert KEYS.source(*offered) == source


@every_row("texts", [["k1"], [":k1"], ["shop:"], ["shop: "], ["shop:k1", "shop:k2"]])
def test_write_keys_that_are_written_wrongly_stop_the_start_without_being_shown(texts: list[str]) -> None:
    with pytest.raises(SettingsError, match="WRITE_KEYS") as caught:
        WriteKeys.read(texts)

    assert "k1" not in str(caught.value)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@every_row(
    ("authorization", "user"),
    [
        (basic("k1:"), "k1"),
        (basic("k1"), "k1"),
        (basic("k1:password"), "k1"),
        (basic("k1:").replace("Basic", "basic "), "k1"),
        (basic(""), ""),
        ("Basic", ""),
        ("Basic !!!", None),
        ("Basic /w==", None),
        ("Basic é", None),
        ("Bearer k1", None),
        ("", None),
        (None, None),
    ],
)
def test_the_user_of_basic_authentication_is_the_write_key(authorization: str | None, user: str | None) -> None:
    assert basic_user(authorization) == user


def test_the_secret_header_is_compared_by_its_bytes() -> None:
    header = HeaderSecret.read("X-Secret: a: à")

    assert header.may_hold({"x-secret": "a: à".encode().decode("latin-1")})
    assert not header.may_hold({"x-secret": "a: a"})
    assert not header.may_hold({})


@pytest.mark.parametrize("text", ["", "hidden", ": hidden", "hidden: "])
def test_a_secret_header_that_is_written_wrongly_stops_the_start_without_being_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_HEADER") as caught:
        HeaderSecret.read(text)

    assert "hidden" not in str(caught.value)


def test_secrets_are_not_in_what_is_shown_of_them() -> None:
    assert "k1" not in repr(KEYS)
    assert "hidden" not in repr(HeaderSecret.read("X-Secret: hidden"))
