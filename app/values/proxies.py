"""Who really called, where proxies stand in between.

uvicorn's own middleware for proxies would put that address in the place of the peer's, for all of the server. The peer
must stay what it is: whether the console opens without a password hangs on it (`app.access`).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from app.errors import SettingsError

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and networks (`10.0.0.0/8`). Raises SettingsError."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text, strict=False))
        except ValueError:
            message = f"TRUSTED_PROXIES: {text} is not an IP address or a network such as 10.0.0.0/8"
            raise SettingsError(message) from None
    return tuple(networks)


def client_ip(peer: str | None, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str | None:
    """Return who really called: the last address in X-Forwarded-For that no trusted proxy has.

    Anybody can write that header, so it is read from its end and only as far as trusted proxies wrote it.
    None where the address cannot be known.
    """
    address = _address(peer)
    hops = (forwarded_for or "").split(",")
    while address is not None and hops and _is_of(address, trusted):
        hop = hops.pop().strip()
        if hop:
            address = _address(hop)
    return None if address is None else str(address)


def is_trusted(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Return whether the other end of a connection is one of the trusted proxies."""
    address = _address(peer)
    return address is not None and _is_of(address, trusted)


def _is_of(address: _Address, trusted: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted)


def _address(text: str | None) -> _Address | None:
    """Read an address, also with a port: `203.0.113.41:4711`, `[2001:db8::1]:4711`."""
    bare = text or ""
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
