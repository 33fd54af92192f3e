"""Network properties of a request: addresses, the client behind proxies, the `Host` header, the user agent."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

#: Maximum length of an address as text, with zone and port; longer items of a list are ignored.
_MAX_LENGTH = 80
#: Longer lists are not cached.
_MAX_REMEMBERED = 200
#: Ranges that the internet does not route. Ranges for documentation are accepted, because examples and tests use them.
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
    """Return the first public address of a list, without port, brackets and zone, and a note about the change.

    The note is "" if the address is sent unchanged. Without a public address the result is `None` and the reason.
    `::ffff:203.0.113.9` is read as the IPv4 address. Blanks around commas are ignored.

    >>> public_address("203.0.113.9"), public_address("10.0.0.7, [2001:db8::1]:443")
    (('203.0.113.9', ''), ('2001:db8::1', 'sent without the text around its first public address'))
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _first_public(text)


def _first_public(text: str) -> tuple[str | None, str]:
    readable = False
    for part in text.split(","):
        found = _read(part.strip())
        readable = readable or found is not None
        if found is not None and not any(found[0] in network for network in _NOBODYS):
            return found[1], "" if found[1] == text else "sent without the text around its first public address"
    if readable:
        return None, "it is a private or reserved address and no person's"
    return None, "it is no IPv4 or IPv6 address"


_remembered = lru_cache(maxsize=8192)(_first_public)


def _read(text: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    """Read an address, and return it with the spelling that is sent; `None` if the text is not an address."""
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


#: The owner of an IPv6 address can use any of 2^64 addresses.
_IPV6_PREFIX = 64


def one_household(public: str) -> str:
    """Return the identity of a household or machine: an IPv4 address, or the network of an IPv6 address.

    >>> one_household("203.0.113.9"), one_household("2001:db8::7:1")
    ('203.0.113.9', '2001:db8::/64')
    """
    return str(ip_network(f"{public}/{_IPV6_PREFIX}", strict=False)) if ":" in public else public


Network: TypeAlias = IPv4Network | IPv6Network
_Address: TypeAlias = IPv4Address | IPv6Address


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse addresses and networks (`10.0.0.0/8`) that the settings have checked."""
    return tuple(ip_network(text, strict=False) for text in texts)


def client_ip(peer: str | None, forwarded_for: str | None, trusted: tuple[Network, ...]) -> str | None:
    """Return the real client: the last address in X-Forwarded-For that no trusted proxy has.

    Any client can set the header, so it is read from its end and only as far as trusted proxies wrote it. Return `None`
    if the address is unknown.
    """
    address = _address(peer)
    hops = (forwarded_for or "").split(",")
    while address is not None and hops and _is_of(address, trusted):
        hop = hops.pop().strip()
        if hop:
            address = _address(hop)
    return None if address is None else str(address)


def is_trusted(peer: str | None, trusted: tuple[Network, ...]) -> bool:
    """Return whether the peer of a connection is a trusted proxy."""
    address = _address(peer)
    return address is not None and _is_of(address, trusted)


def _is_of(address: _Address, trusted: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted)


def _address(text: str | None) -> _Address | None:
    """Read an address, also with a port: `203.0.113.41:4711`, `[2001:db8::1]:4711`."""
    found = _read(text or "")
    return found and found[0]


_LOOPBACK_NAME = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PORT = re.compile(r":\d{1,5}\Z")


@lru_cache(maxsize=64)
def names_loopback(host: str) -> bool:
    """Return whether a Host is a loopback name, which no page on the internet can have."""
    return _LOOPBACK_NAME.fullmatch(host) is not None


def without_port(host: str) -> str:
    """Return a Host without its port, in lower case."""
    return _PORT.sub("", host).lower()


#: Prefixes of user agents in lower case: from the sources of Segment's and RudderStack's server libraries, and of the
#: HTTP clients that such servers use. Not `okhttp`, `Dalvik`, `CFNetwork` and `Dart`, because apps send these.
_LANGUAGES = ("python", "node", "ruby", "go", "php", "java", "perl", "rust", "elixir", "net", "dotnet", "csharp", "c#")
_SERVER_LIBRARIES = frozenset(
    {
        *(f"analytics-{language}{after}" for language in _LANGUAGES for after in ("", "-next")),
        *(f"rudder-{kind}{language}" for kind in ("", "sdk-", "server-", "analytics-") for language in _LANGUAGES),
        *("analytics.net", "segment", "segment.io", "segment.analytics", "segmentio"),
        *("rudder-server", "rudder-transformer", "rudderlabs", "rudderanalytics.net"),
        *("python", "python-requests", "python-urllib", "python-httpx", "requests", "urllib3", "aiohttp", "httpx"),
        *("tornado", "twisted", "go-http-client", "go-resty", "fasthttp", "gohttp"),
        *("axios", "node-fetch", "node", "node.js", "undici", "got", "superagent", "needle", "bun", "deno"),
        *("curl", "libcurl", "pycurl", "wget", "httpie", "postmanruntime", "insomnia", "paw", "libwww-perl", "lwp"),
        *("mojolicious", "java", "java-http-client", "apache-httpclient", "apache-httpasyncclient", "jakarta"),
        *("jersey", "resttemplate", "reactornetty", "spring", "unirest-java", "vert.x-webclient", "akka-http"),
        *("pekko-http", "ahc", "jetty", "play", "ruby", "faraday", "rest-client", "http.rb", "typhoeus", "httparty"),
        *("mechanize", "excon", "php", "guzzlehttp", "guzzle", "symfony", "zend_http_client", "wordpress"),
        *("woocommerce", "shopify-captain-hook", "magento", "restsharp", ".net", "dotnet", "refit", "flurl"),
        *("boto3", "botocore", "aiobotocore", "aws-cli", "httpclient", "laminas_http_client", "laminas\\http\\client"),
        *("zend\\http\\client", "nodejs", "golang", "cpp-httplib", "zapier", "n8n"),
        # not Android, iOS, Kotlin and Swift, which apps use
        *(
            f"aws-sdk-{language}"
            for language in (*_LANGUAGES, "nodejs", "js", "ruby2", "ruby3", "cpp", "go-v2", "java-v2")
        ),
        *("ureq", "reqwest", "hyper", "hackney", "req", "finch", "tesla", "mint"),
    }
)
#: `python-urllib3`, `node-superagent`, `php-curl-class`: languages that are not used for apps of people.
_LIBRARY_OF = re.compile(r"(?:python|node(?:js)?|ruby|php|perl|golang)[-_.]")
#: The first word, without an npm scope such as in `@segment/analytics-node/2.1`.
_NAME = re.compile(r"\s*(?:@segment/(?=analytics-))?([^/\s(;,]*)", re.IGNORECASE)


def is_server_library(user_agent: str) -> bool:
    """Return whether a user agent belongs to a server library and so not to the person.

    >>> is_server_library("analytics-node/2.1.0"), is_server_library("okhttp/4.12.0"), is_server_library("Javelin/1")
    (True, False, False)
    """
    name = _NAME.match(user_agent)
    word = name[1].lower() if name else ""
    return word in _SERVER_LIBRARIES or _LIBRARY_OF.match(word) is not None
