"""The header Host."""

import pytest

from app.core.values.addresses import names_loopback, without_port
from tests.rows import every_row


@every_row("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:65535"])
def test_a_name_of_this_machine_is_known(host: str) -> None:
    assert names_loopback(host)


@every_row(
    "host",
    ["", ":8080", "localhost.", "localhost:", "localhost:x", "a@localhost", "127.0.0.1.x", "127.1", "::1", "[::1"],
)
def test_any_other_name_is_not_one_of_this_machine(host: str) -> None:
    assert not names_loopback(host)


@pytest.mark.parametrize(
    ("host", "bare"),
    [("A.Example:443", "a.example"), ("a.example", "a.example"), ("[2001:db8::1]:80", "[2001:db8::1]"), ("", "")],
)
def test_a_name_without_its_port(host: str, bare: str) -> None:
    assert without_port(host) == bare
