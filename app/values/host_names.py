"""The header `Host`: what a client believes to be our name."""

import re
from functools import lru_cache

_LOOPBACK_NAME = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_PORT = re.compile(r":\d{1,5}\Z")


@lru_cache(maxsize=64)
def names_loopback(host: str) -> bool:
    """Return whether a Host is a loopback name, which no page of the internet can have for its own."""
    return _LOOPBACK_NAME.fullmatch(host) is not None


def without_port(host: str) -> str:
    """Return a Host without its port, in lower case."""
    return _PORT.sub("", host).lower()
