"""Which requests come from this machine, and from no foreign page."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.access.admission import is_of_this_machine
from tests.rows import every_row


def scope(*, peer: str | None = "127.0.0.1", method: str = "GET", **headers: str) -> dict[str, Any]:
    said = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http",
        "method": method,
        "client": peer and (peer, 40_000),
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
    }


OWN = "http://localhost:8080"
FOREIGN = "https://evil.example"


@every_row(
    ("rule", "asked", "published", "near"),
    [
        ("this machine", scope(), False, True),
        ("any loopback address is this machine", scope(peer="127.8.9.1"), False, True),
        ("so is that of IPv6", scope(peer="::1", host="[::1]:8080"), False, True),
        ("so is IPv4 written as IPv6", scope(peer="::ffff:127.0.0.1"), False, True),
        ("the port may be left out", scope(host="localhost"), False, True),
        ("another machine", scope(peer="192.0.2.7"), False, False),
        ("another one by IPv4 as IPv6", scope(peer="::ffff:192.0.2.7"), False, False),
        ("a peer without an address", scope(peer=None), False, False),
        ("a peer that is no address", scope(peer="testclient"), False, False),
        ("a foreign name that resolves to loopback", scope(host="evil.example:8080"), False, False),
        ("a name that begins like ours", scope(host="localhost.evil.example"), False, False),
        ("a name that ends like ours", scope(host="evil.localhost"), False, False),
        ("a missing name", scope(host=""), False, False),
        ("one that cannot be read", scope(host="[::1"), False, False),
        ("a proxy on this machine speaks for others", scope(x_forwarded_for="192.0.2.7"), False, False),
        ("however it says so", scope(forwarded="for=192.0.2.7"), False, False),
        ("a port published on loopback is reached through a gateway", scope(peer="172.17.0.1"), True, True),
        ("by a loopback name all the same", scope(peer="172.17.0.1", host="10.0.0.5:8080"), True, False),
        ("and by no proxy", scope(peer="172.17.0.1", via="1.1 x"), True, False),
        ("a published port is reached from a public address", scope(peer="203.0.113.9"), True, False),
        ("a peer without an address, by a published port", scope(peer=None), True, False),
        ("HTTP/1.0, as proxies send it", scope() | {"http_version": "1.0"}, False, False),
        ("HTTP/1.0 by a published port", scope(peer="172.17.0.1") | {"http_version": "1.0"}, True, False),
        ("HTTP/1.1", scope() | {"http_version": "1.1"}, False, True),
        ("a page of ours", scope(method="POST", sec_fetch_site="same-origin", origin=OWN), False, True),
        ("an address that somebody typed", scope(sec_fetch_site="none", sec_fetch_mode="navigate"), False, True),
        ("a page of another site", scope(sec_fetch_site="cross-site", origin=FOREIGN), False, False),
        ("its picture or script", scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), False, False),
        ("a page on another port of this machine", scope(sec_fetch_site="same-site"), False, False),
        ("a foreign page in an older browser", scope(method="POST", origin=FOREIGN), False, False),
        ("one that hides its origin", scope(method="POST", origin="null"), False, False),
        ("a page of ours in an older browser", scope(method="POST", origin=OWN), False, True),
        (
            "a link that is followed",
            scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"),
            False,
            True,
        ),
        (
            "a form of a foreign page",
            scope(method="POST", sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="document"),
            False,
            False,
        ),
        (
            "a foreign frame",
            scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate", sec_fetch_dest="iframe"),
            False,
            False,
        ),
    ],
)
def test_who_sits_at_this_machine(*, rule: str, asked: dict[str, Any], published: bool, near: bool) -> None:
    assert is_of_this_machine(asked, published_on_loopback=published, origins=()) is near


@every_row(
    ("origins", "origin", "near"),
    [
        (("http://localhost:3000",), "http://localhost:3000", True),
        (("http://localhost:3000",), FOREIGN, False),
        (("*",), FOREIGN, True),
        (("*",), "null", True),
        ((), FOREIGN, False),
    ],
)
def test_pages_of_named_origins_are_no_strangers(*, origins: tuple[str, ...], origin: str, near: bool) -> None:
    asked = scope(method="POST", sec_fetch_site="cross-site", origin=origin)
    assert is_of_this_machine(asked, published_on_loopback=False, origins=origins) is near


@given(st.text(min_size=1, max_size=40), st.sampled_from(["", ":8080", ".", "@localhost", "/localhost", "#localhost"]))
def test_no_other_name_is_ours(name: str, end: str) -> None:
    host = (name + end).encode("latin-1", "replace").decode("latin-1")
    is_ours = host.lower().partition(":")[0] in {"localhost", "127.0.0.1"} or host.startswith("[::1]")
    asked = scope() | {"headers": [(b"host", host.encode("latin-1"))]}
    assert is_of_this_machine(asked, published_on_loopback=True, origins=()) <= is_ours
