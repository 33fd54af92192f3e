"""Who may use the console.

    a password is set      whoever knows it: a session cookie for twelve hours
    no password            browsers of this machine only, asking for this machine by name

Without a password three things must hold, each against a way around the other two:
the peer is this machine (or the port is declared to be published on loopback only),
no proxy has passed the request on, and `Host` is a loopback name (a foreign page that re-binds its DNS name cannot).
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request

from app.access.sessions import LoginLimiter, Sessions

#: The cookie of a session.
COOKIE = "pinrelay_console"
_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Admission(StrEnum):
    """What becomes of a request for a page."""

    ADMITTED = "admitted"
    #: A password is set and this visitor has not given it yet.
    LOGIN_NEEDED = "login_needed"
    #: No password is set and the visitor may be on another machine.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What is known of the sender of a request."""

    #: Address of the other end of the connection; None where it has none.
    peer: str | None
    #: The `Host` header.
    host: str
    #: A proxy says that it passes the request on.
    forwarded: bool
    #: The session cookie; "" where there is none.
    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """The password was right."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPassword:
    """The password was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyTries:
    """Nothing was compared: too many wrong passwords lately."""

    retry_after_s: int


Login: TypeAlias = LoggedIn | WrongPassword | TooManyTries


class Access:
    """The rules of access, and the memory of wrong passwords. Times are arguments."""

    def __init__(self, *, password: SecretStr | None, published_on_loopback: bool) -> None:
        self._password = password
        self._published_on_loopback = published_on_loopback
        self._sessions = Sessions(password) if password else None
        self._limiter = LoginLimiter()

    @property
    def has_password(self) -> bool:
        """Whether visitors log in (and can log out)."""
        return self._password is not None

    def judge(self, visitor: Visitor, *, now: float) -> Admission:
        """Decide on a request for a page."""
        if self._sessions:
            return Admission.ADMITTED if self._sessions.valid(visitor.session, now=now) else Admission.LOGIN_NEEDED
        near = self._published_on_loopback or _is_loopback(visitor.peer)
        local = near and not visitor.forwarded and _names_loopback(visitor.host)
        return Admission.ADMITTED if local else Admission.REFUSED

    def login(self, given: str, *, peer: str | None, now: float) -> Login:
        """Compare a password in constant time, unless this peer, or all together, tried too often."""
        if self._password is None or self._sessions is None:
            return WrongPassword()
        if wait_s := self._limiter.wait_s(peer, now=now):
            return TooManyTries(retry_after_s=wait_s)
        if _same(given, self._password.get_secret_value()):
            return LoggedIn(session=self._sessions.issue(now=now))
        self._limiter.failed(peer, now=now)
        return WrongPassword()


def visitor_of(request: Request) -> Visitor:
    """Read what the rules of access need to know."""
    return Visitor(
        peer=request.client.host if request.client else None,
        host=request.headers.get("host", ""),
        forwarded=any(name in request.headers for name in _FORWARDING),
        session=request.cookies.get(COOKIE, ""),
    )


def sent_from_console(headers: Mapping[str, str]) -> bool:
    """Return whether a form was sent from a page of this origin; browsers set both headers and pages cannot.

    `Sec-Fetch-Site` decides where it is given (https and localhost), else `Origin` must name our `Host`.
    """
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] == headers.get("host")


def _same(given: str, password: str) -> bool:
    """Compare in a time that tells nothing, not even the length: digests are equally long."""
    return hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(password.encode()).digest())


def _is_loopback(peer: str | None) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _names_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False
