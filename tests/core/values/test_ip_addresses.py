"""The address of a person is the first public one, whatever proxies wrote around it."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from app.core.values.addresses import public_address
from tests.rows import every_row

REPAIRED = "sent without the text around its first public address"
NOBODYS = "it is a private or reserved address and no person's"
NONE = "it is no IPv4 or IPv6 address"


@every_row(
    ("what", "given_text", "sent", "note"),
    [
        ("an IPv4 address", "203.0.113.9", "203.0.113.9", ""),
        ("an IPv6 address", "2001:db8::1", "2001:db8::1", ""),
        ("an IPv6 address in capitals", "2001:DB8::1", "2001:DB8::1", ""),
        ("a list", "203.0.113.9, 70.41.3.18", "203.0.113.9", REPAIRED),
        ("a list whose first is private", "10.0.0.7,203.0.113.9", "203.0.113.9", REPAIRED),
        ("a list whose first is no address", "unknown, 203.0.113.9", "203.0.113.9", REPAIRED),
        ("a list of private ones", "10.0.0.7, 192.168.1.4", None, NOBODYS),
        ("an address and a port", "203.0.113.9:49152", "203.0.113.9", REPAIRED),
        ("brackets", "[2001:db8::1]", "2001:db8::1", REPAIRED),
        ("brackets and a port", "[2001:db8::1]:443", "2001:db8::1", REPAIRED),
        ("a zone", "2001:db8::1%eth0", "2001:db8::1", REPAIRED),
        ("IPv4 within IPv6", "::ffff:203.0.113.9", "203.0.113.9", REPAIRED),
        ("IPv4 within IPv6 in hex", "::ffff:cb00:7109", "203.0.113.9", REPAIRED),
        ("IPv4 within IPv6, with a port", "[::ffff:203.0.113.9]:80", "203.0.113.9", REPAIRED),
        ("a private address within IPv6", "::ffff:192.168.0.1", None, NOBODYS),
        ("documentation networks, which tests use", "198.51.100.1", "198.51.100.1", ""),
        ("a private network, 10/8", "10.1.2.3", None, NOBODYS),
        ("a private network, 172.16/12", "172.31.255.255", None, NOBODYS),
        ("a private network, 192.168/16", "192.168.0.1", None, NOBODYS),
        ("a public neighbour of a private network", "172.32.0.1", "172.32.0.1", ""),
        ("loopback", "127.0.0.1", None, NOBODYS),
        ("loopback of IPv6", "::1", None, NOBODYS),
        ("link-local", "169.254.169.254", None, NOBODYS),
        ("link-local of IPv6, with a zone", "fe80::1%en0", None, NOBODYS),
        ("unique local", "fd12:3456::1", None, NOBODYS),
        ("shared by customers of a provider", "100.64.0.1", None, NOBODYS),
        ("a public neighbour of the shared network", "100.128.0.1", "100.128.0.1", ""),
        ("unspecified", "0.0.0.0", None, NOBODYS),
        ("unspecified of IPv6", "::", None, NOBODYS),
        ("multicast", "224.0.0.1", None, NOBODYS),
        ("broadcast", "255.255.255.255", None, NOBODYS),
        ("a word", "localhost", None, NONE),
        ("a number beyond an octet", "203.0.113.256", None, NONE),
        ("nothing", "", None, NONE),
        ("a long text", "9" * 500, None, NONE),
    ],
)
def test_the_first_public_address_is_sent(what: str, given_text: str, sent: str | None, note: str) -> None:
    assert public_address(given_text) == (sent, note), what


@given(
    first=st.ip_addresses(network="198.51.100.0/24") | st.ip_addresses(network="2001:db8::/32"),
    before=st.lists(st.ip_addresses(network="10.0.0.0/8").map(str) | st.sampled_from(["unknown", "", "::1"])),
    after=st.lists(st.ip_addresses().map(str)),
)
def test_whatever_is_nobodys_stands_before_it(
    first: IPv4Address | IPv6Address, before: list[str], after: list[str]
) -> None:
    sent, _ = public_address(", ".join([*before, str(first), *after]))

    assert sent == str(getattr(first, "ipv4_mapped", None) or first)
