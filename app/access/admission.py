"""Who may use the console and the interface for operators.

a password is set      whoever knows it: a session cookie for twelve hours, or the password as a bearer token
no password            whoever sits at this machine (`app.access.this_machine`)
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from pydantic import SecretStr
from starlette.requests import Request

from app.access.login_limits import LoginLimiter
from app.access.sessions import Sessions
from app.access.this_machine import is_of_this_machine
from app.values.proxies import Network, client_ip

#: The cookie of a session.
COOKIE = "pinrelay_console"


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

    #: The address that the request came from, past the proxies that are trusted; None where it cannot be known.
    client: str | None
    #: Somebody at this machine asks, and no page of another site (`app.access.this_machine`).
    is_near: bool
    #: The session cookie; "" where there is none.
    session: str
    #: The bearer token; None where the request has none.
    bearer: str | None


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

    def __init__(
        self, *, password: SecretStr | None, published_on_loopback: bool, trusted: tuple[Network, ...] = ()
    ) -> None:
        self._password = password
        self._published_on_loopback = published_on_loopback
        self._trusted = trusted
        self._sessions = Sessions(password) if password else None
        self._limiter = LoginLimiter()

    @property
    def has_password(self) -> bool:
        """Whether visitors log in (and can log out)."""
        return self._password is not None

    def visitor(self, request: Request) -> Visitor:
        """Return what the rules of access need to know of a request."""
        peer = request.client.host if request.client else None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return Visitor(
            client=client_ip(peer, request.headers.get("x-forwarded-for"), self._trusted),
            is_near=is_of_this_machine(request.scope, published_on_loopback=self._published_on_loopback),
            session=request.cookies.get(COOKIE, ""),
            bearer=token.strip() if scheme.lower() == "bearer" else None,
        )

    def judge(self, visitor: Visitor, *, now: float) -> Admission:
        """Decide on a request for a page."""
        if self._sessions:
            return Admission.ADMITTED if self._sessions.valid(visitor.session, now=now) else Admission.LOGIN_NEEDED
        return Admission.ADMITTED if visitor.is_near else Admission.REFUSED

    def login(self, given: str, *, client: str | None, now: float) -> Login:
        """Compare a password in constant time, unless this client tried too often."""
        if wait_s := self._limiter.wait_s(client, now=now):
            return TooManyTries(retry_after_s=wait_s)
        if self._sessions is not None and self._is_right(given):
            return LoggedIn(session=self._sessions.issue(now=now))
        self._limiter.failed(client, now=now)
        return WrongPassword()

    def bearer(self, visitor: Visitor, *, now: float) -> Admission | TooManyTries:
        """Decide on a bearer token. A right one is taken whatever was tried before, from the same address too."""
        if visitor.bearer is not None and self._is_right(visitor.bearer):
            return Admission.ADMITTED
        if visitor.bearer is None:
            return Admission.LOGIN_NEEDED
        if wait_s := self._limiter.wait_s(visitor.client, now=now):
            return TooManyTries(retry_after_s=wait_s)
        self._limiter.failed(visitor.client, now=now)
        return Admission.REFUSED

    def _is_right(self, given: str) -> bool:
        return self._password is not None and _same(given, self._password.get_secret_value())


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
