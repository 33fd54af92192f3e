"""IP addresses as servers and proxies write them, and which of them can be a person's.

Sources of the networks: RFC 1918, 3927, 4193, 4291 and 6598, and IANA's registries of special-purpose addresses.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

#: Of one address as text, with a zone and a port; longer parts of a list are not looked at.
_MAX_LENGTH = 80
#: Longer lists are not remembered.
_MAX_REMEMBERED = 200
#: Behind these a person may sit, but the world sees another address. What is kept for documentation is let through,
#: since examples and tests use it.
_NOBODYS = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
            *("::/127", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)


def public_address(text: str) -> tuple[str | None, str]:
    """Return the first public address of a list, without port, brackets and zone, and why it differs from the text.

    The second is "" where the address is sent as it came; with None it says why there is none. `::ffff:203.0.113.9` is
    the IPv4 address in it. Blanks around commas count for nothing.

    >>> public_address("203.0.113.9"), public_address("10.0.0.7, [2001:db8::1]:443")
    (('203.0.113.9', ''), ('2001:db8::1', 'sent without what stands around its first public address'))
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _first_public(text)


def _first_public(text: str) -> tuple[str | None, str]:
    readable = False
    for part in text.split(","):
        found = _read(part.strip())
        readable = readable or found is not None
        if found is not None and not any(found[0] in network for network in _NOBODYS):
            return found[1], "" if found[1] == text else "sent without what stands around its first public address"
    if readable:
        return None, "it is a private or reserved address and no person's"
    return None, "it is no IPv4 or IPv6 address"


_remembered = lru_cache(maxsize=8192)(_first_public)


def _read(text: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    """Read one address; return it with the spelling that is sent, None where it is no address."""
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    else:
        bare = text
    bare = bare.partition("%")[0]
    try:
        address = ip_address(bare) if len(text) <= _MAX_LENGTH else None
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped, str(address.ipv4_mapped)
    return (address, bare) if address else None
