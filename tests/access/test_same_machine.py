"""Which requests come from this machine, and from no foreign page."""

import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.access.admission import is_of_this_machine, read_gateways
from tests.rows import every_row


def scope(*, peer: str | None = "127.0.0.1", method: str = "GET", **headers: str) -> dict[str, Any]:
    said = {"host": "localhost:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http",
        "method": method,
        "client": peer and (peer, 40_000),
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
    }


GATEWAYS = frozenset({"172.17.0.1", "fd00:dead::1"})
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
        ("also by IPv4 as IPv6", scope(peer="::ffff:172.17.0.1"), True, True),
        ("also through a gateway of IPv6", scope(peer="fd00:dead:0::1", host="[::1]:8080"), True, True),
        ("another container is no gateway", scope(peer="172.17.0.2"), True, False),
        ("nor is a machine of the local network", scope(peer="192.168.1.20"), True, False),
        ("nor is one with a link-local address", scope(peer="fe80::1%eth0"), True, False),
        ("a gateway of a port that is not published", scope(peer="172.17.0.1"), False, False),
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
    gateways = GATEWAYS if published else frozenset[str]()
    assert is_of_this_machine(asked, gateways=gateways, origins=()) is near


HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def hexed(address: str) -> str:
    """Write an address as `/proc/net/route` does: in the byte order of the machine."""
    number = int.from_bytes(IPv4Address(address).packed, sys.byteorder)
    return f"{number:08X}"


def route(gateway: str, *, to: str = "0.0.0.0", mask: str = "0.0.0.0", flags: int = 3) -> str:
    return f"eth0\t{hexed(to)}\t{hexed(gateway)}\t{flags:04X}\t0\t0\t0\t{hexed(mask)}\t0\t0\t0\n"


def route6(gateway: str, *, to: str = "::", prefix: int = 0, flags: int = 3) -> str:
    nothing = "0" * 32
    written = [IPv6Address(each).packed.hex() for each in (to, gateway)]
    return f"{written[0]} {prefix:02x} {nothing} 00 {written[1]} 00000400 00000003 00000000 {flags:08x}     eth0\n"


OWN_NETWORK = route("0.0.0.0", to="172.18.0.0", mask="255.255.0.0", flags=1)


@every_row(
    ("what", "ipv4", "ipv6", "expected"),
    [
        ("a bridge network of Docker", route("172.18.0.1") + OWN_NETWORK, "", {"172.18.0.1"}),
        ("slirp4netns of Podman", route("10.0.2.2"), "", {"10.0.2.2"}),
        ("IPv6 beside it", route("172.18.0.1"), route6("fd00:dead::1"), {"172.18.0.1", "fd00:dead::1"}),
        ("IPv6 alone", "", route6("fd00:dead::1"), {"fd00:dead::1"}),
        ("two default routes", route("10.0.2.2") + route("172.18.0.1"), "", {"10.0.2.2", "172.18.0.1"}),
        ("a second network, without a default route", route("172.18.0.1") + route("172.19.0.1", to="10.0.0.0",
         mask="255.0.0.0"), "", {"172.18.0.1"}),
        ("half of all addresses", route("172.18.0.1", mask="128.0.0.0"), route6("fd00::1", prefix=1), set()),
        ("one machine", "", route6("fd00::1", to="fd00::7", prefix=128), set()),
        ("a default route without a gateway", route("0.0.0.0", flags=1), route6("::", flags=1), set()),
        ("a route that is down", route("172.18.0.1", flags=2), route6("fd00::1", flags=2), set()),
        ("a route that refuses", route("172.18.0.1", flags=0x203), route6("fd00::1", flags=0x200203), set()),
        ("a router with a public address", route("203.0.113.1"), route6("2001:db8::1"), set()),
        ("no network", "", "", set()),
        ("no such files", None, None, set()),
        ("a damaged line", route("172.18.0.1")[:20] + "\n" + route("172.18.0.1"), "zz\n", {"172.18.0.1"}),
        ("a damaged number", route("172.18.0.1").replace("0003", "zzzz"), route6("fd00::1").replace("f", "z"), set()),
        ("no text", "\xff\n", "\xff\n", set()),
    ],
)  # fmt: skip
def test_the_gateways_of_a_container_are_those_of_its_default_routes(
    tmp_path: Path, *, what: str, ipv4: str | None, ipv6: str | None, expected: set[str]
) -> None:
    for name, text in (("route", ipv4 if ipv4 is None else HEAD + ipv4), ("ipv6_route", ipv6)):
        (tmp_path / name).unlink(missing_ok=True)
        if text is not None:
            (tmp_path / name).write_text(text, encoding="latin-1")
    assert read_gateways(tmp_path) == expected, what


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
    assert is_of_this_machine(asked, gateways=frozenset(), origins=origins) is near


@given(st.text(min_size=1, max_size=40), st.sampled_from(["", ":8080", ".", "@localhost", "/localhost", "#localhost"]))
def test_no_other_name_is_ours(name: str, end: str) -> None:
    host = (name + end).encode("latin-1", "replace").decode("latin-1")
    is_ours = host.lower().partition(":")[0] in {"localhost", "127.0.0.1"} or host.startswith("[::1]")
    asked = scope() | {"headers": [(b"host", host.encode("latin-1"))]}
    assert is_of_this_machine(asked, gateways=frozenset({"127.0.0.1"}), origins=()) <= is_ours
