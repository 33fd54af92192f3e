"""Which requests come from this machine, asked for by somebody who sits at it.

Where nothing else has to be proven, four things must hold, each against a way around the others:
the peer is this machine (or the port is declared to be published on loopback only), no proxy has passed the request
on, `Host` is a loopback name (a foreign page that re-binds its DNS name cannot have that), and no page of another site
sent it. Browsers tell the last by `Sec-Fetch-Site`, older ones by `Origin`; pages can change neither.
Source: https://www.w3.org/TR/fetch-metadata/
"""

import ipaddress
from collections.abc import Collection, Mapping
from functools import lru_cache

from starlette.types import Scope

from app.core.values.addresses import names_loopback

_FORWARDING = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
#: A page of ours, or no page: an address that somebody typed or a program asks for.
_OWN_SITE = frozenset({"", "same-origin", "none"})
_WATCHED = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"})
_READS = frozenset({"GET", "HEAD"})


def is_of_this_machine(scope: Scope, *, published_on_loopback: bool, origins: Collection[str]) -> bool:
    """Return whether a request comes from this machine and from no foreign page.

    `published_on_loopback`: the peer may be the gateway of a container. Pages of `origins` (`*`: of any) are no
    strangers.
    """
    said: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _FORWARDING:
            return False
        if name in _WATCHED:
            said[name] = value.decode("latin-1")
    peer = scope.get("client")
    near = published_on_loopback or (peer is not None and _is_loopback(peer[0]))
    return near and names_loopback(said.get(b"host", "")) and not _is_of_foreign_page(scope, said, origins)


def _is_of_foreign_page(scope: Scope, said: Mapping[bytes, str], origins: Collection[str]) -> bool:
    """Return whether a page of another site sent the request.

    A link that somebody follows does not count: the person sees where it leads, the page on which it stood does not.
    """
    origin = said.get(b"origin", "")
    if origin and ("*" in origins or origin in origins):
        return False
    site = said.get(b"sec-fetch-site", "")
    if site in _OWN_SITE:
        return not site and bool(origin) and origin.partition("://")[2] != said.get(b"host")
    is_link = said.get(b"sec-fetch-mode") == "navigate" and said.get(b"sec-fetch-dest") == "document"
    return not (is_link and scope["method"] in _READS)


@lru_cache(maxsize=64)
def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
