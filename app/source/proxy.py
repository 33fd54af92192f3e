"""The client's IP address, for events that come straight from a browser or an app.

Segment's server fills `context.ip` for these only: on a server's event it would be the server's address.
Source: https://segment.com/docs/connections/spec/common/#context-fields-automatically-collected
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

from app.errors import SettingsError
from app.types import Event

Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address

#: What browser and mobile SDKs say in `channel` (Segment: client; RudderStack: web, mobile).
_CLIENT_CHANNELS = frozenset({"client", "browser", "web", "mobile"})
#: What Segment's say in `context.library.name`, since they name no channel.
_CLIENT_LIBRARIES = frozenset(
    {
        "analytics.js",
        "analytics-ios",
        "analytics-android",
        "analytics-swift",
        "analytics-kotlin",
        "analytics-react-native",
        "analytics-flutter",
    }
)


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
    while address is not None and hops and _is_trusted(address, trusted):
        hop = hops.pop().strip()
        if hop:
            address = _address(hop)
    return None if address is None else str(address)


def fill_client_ip(event: Event, ip: str | None) -> None:
    """Set `context.ip` in place where a client-side event has none."""
    context = event.get("context")
    if context in (None, []):
        context = {}
    if isinstance(context, dict) and not context.get("ip") and _is_client_side(event, context):
        own = event.get("request_ip")  # RudderStack's server noted it
        filled = own if isinstance(own, str) and own else ip
        if filled:
            event["context"] = {**context, "ip": filled}


def _is_client_side(event: Event, context: Mapping[str, Any]) -> bool:
    """Return whether a browser or an app sent the event; `context.direct` says so for a library that is not known."""
    channel = event.get("channel") or context.get("channel")
    if channel is not None:
        return isinstance(channel, str) and channel in _CLIENT_CHANNELS
    library = context.get("library")
    name = library.get("name") if isinstance(library, dict) else None
    return context.get("direct") is True or (isinstance(name, str) and name in _CLIENT_LIBRARIES)


def _is_trusted(address: _Address, trusted: tuple[Network, ...]) -> bool:
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
