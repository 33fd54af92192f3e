"""Authenticate users of the console and of the operators' interface, in this order.

    an authenticating proxy   the user in its header, if the proxy is trusted (`named_by_proxy`)
    a bearer token            its owner (`app.access.users`)
    tokens are configured     the user who entered one: a session cookie for twelve hours (`app.access.sessions`)
    no token is configured    the user at this machine (`is_of_this_machine`)

Also decide which requests come from a user at this machine.

Without another proof four conditions are required, each against a way around the others: the peer is this machine (or,
if the port is published on loopback only, the gateway of this container), no proxy has forwarded the request, `Host` is
a loopback name (a foreign page that re-binds its DNS name cannot have that), and no page of another site sent the
request. Browsers report the last by `Sec-Fetch-Site`, older ones by `Origin`; pages can change neither. Source:
https://www.w3.org/TR/fetch-metadata/
"""

import asyncio
import ipaddress
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Final, Self, TypeAlias

from starlette.requests import Request
from starlette.types import Scope

from app.access.audit import Audit
from app.access.sessions import WRONG_TOKEN_DELAY_S, Sessions, WrongTokens
from app.access.users import Person, User, UserRole, Users
from app.config.settings import AccessSettings
from app.core.pages import AuditAction
from app.core.refusals import FailedCheck
from app.core.values.addresses import Network, client_ip, is_trusted, names_loopback, public_address, read_networks
from app.errors import SettingsError

_MAX_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UserHeaders:
    """The headers of an authenticating proxy with the user, for single sign-on.

    Any client can send such a header, so it is only trusted from a trusted proxy, and only if it occurs once. The same
    applies to the header of the role; without a role the user is a viewer. Source:
    https://grafana.com/docs/grafana/latest/setup-grafana/configure-security/configure-authentication/auth-proxy/
    """

    #: Has the name of the user.
    name: str
    #: Has `operator`, or anything else for viewers; `None` if all are viewers.
    role: str | None = None
    #: The group of operators, if the header lists groups; "" if the header has the role.
    operators: str = ""

    @classmethod
    def of(cls, settings: AccessSettings) -> Self | None:
        """Return the headers of the settings; `None` without an authenticating proxy. Raises SettingsError."""
        name = settings.console_user_header
        if name and not settings.trusted_proxies:
            raise SettingsError("CONSOLE_USER_HEADER: name its proxy in TRUSTED_PROXIES, or the header is ignored")
        if settings.console_role_header and not name:
            message = "CONSOLE_ROLE_HEADER: it says the role of whom CONSOLE_USER_HEADER names; set that as well"
            raise SettingsError(message)
        if not name:
            return None
        role, colon, operators = (settings.console_role_header or "").partition(":")
        if colon and not (role.strip() and operators.strip()):
            raise SettingsError("CONSOLE_ROLE_HEADER: write it as `Name`, or `Name: group` for the group of operators")
        return cls(name=name, role=role.strip() or None, operators=operators.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedByProxy:
    """The user in the proxy's header."""

    name: str
    role: UserRole
    #: False if the sender is not a trusted proxy, or the header has two names.
    is_believed: bool


def named_by_proxy(request: Request, headers: UserHeaders, trusted: tuple[Network, ...]) -> NamedByProxy | None:
    """Return the user in a request's header; `None` if there is none."""
    names = [name.strip() for name in request.headers.getlist(headers.name)]
    if not any(names):
        return None
    peer = request.client.host if request.client else None
    return NamedByProxy(
        name=names[0][:_MAX_NAME],
        role=UserRole.OPERATOR if _is_operator(request, headers) else UserRole.VIEWER,
        is_believed=len(names) == 1 and is_trusted(peer, trusted),
    )


def _is_operator(request: Request, headers: UserHeaders) -> bool:
    """Return whether the only header of the role has the role operator, or the group of operators."""
    given = request.headers.getlist(headers.role) if headers.role else []
    if len(given) != 1:
        return False
    if not headers.operators:
        return given[0].strip().lower() == UserRole.OPERATOR
    # oauth2-proxy and Authelia list groups by commas, Authentik by `|`
    return headers.operators in {group.strip() for group in given[0].replace("|", ",").split(",")}


_FORWARDING = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})
#: A page of this site, or no page: a typed address or a program.
_OWN_SITE = frozenset({"", "same-origin", "none"})
_WATCHED = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"})
_READS = frozenset({"GET", "HEAD"})


_PROC_NET: Final = Path("/proc/net")
#: By file of routes: the columns of destination, mask or prefix, gateway and flags, and the conversion of the gateway
#: to an address.
_ROUTES: Final = (
    ("route", (1, 7, 2, 3), lambda gateway: ipaddress.IPv4Address(gateway.to_bytes(4, sys.byteorder))),
    ("ipv6_route", (0, 1, 4, 8), ipaddress.IPv6Address),
)
#: Flags of a route (linux/route.h): up and with a gateway; reject.
_USABLE, _REJECT = 0x3, 0x200


def read_gateways(folder: Path = _PROC_NET) -> frozenset[str]:
    """Return the private addresses of the default gateways of this machine; empty if they are unreadable.

    A container engine shows connections from its own machine with the address of the container's gateway.
    """
    found = {
        str(address_of(gateway))
        for name, columns, address_of in _ROUTES
        for line in _read_lines(folder / name)
        if (gateway := _default_gateway(line.split(), columns)) is not None
    }
    return frozenset(address for address in found if not public_address(address)[0])


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").splitlines()
    except (OSError, UnicodeError):
        return []


def _default_gateway(fields: Sequence[str], columns: Sequence[int]) -> int | None:
    """Return the gateway in a line of routes; `None` unless the line is an active default route."""
    try:
        destination, mask, gateway, flags = (int(fields[column], 16) for column in columns)
    except (IndexError, ValueError):
        return None
    is_default = not (destination or mask) and flags & (_USABLE | _REJECT) == _USABLE
    return gateway if is_default else None


def is_of_this_machine(scope: Scope, *, gateways: frozenset[str], origins: Collection[str]) -> bool:
    """Return whether a request comes from this machine and not from a foreign page.

    The peer is a loopback address, or one of `gateways`. Pages of `origins` (`*`: all) are not foreign.
    """
    if scope.get("http_version") == "1.0":
        return False  # nginx sends HTTP/1.0 without X-Forwarded-For by default; browsers and curl do not
    said: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _FORWARDING:
            return False
        if name in _WATCHED:
            said[name] = value.decode("latin-1")
    peer = scope.get("client")
    near = peer is not None and _is_near_peer(peer[0], gateways)
    return near and names_loopback(said.get(b"host", "")) and not _is_of_foreign_page(scope, said, origins)


def _is_of_foreign_page(scope: Scope, said: Mapping[bytes, str], origins: Collection[str]) -> bool:
    """Return whether a page of another site sent the request.

    A followed link does not count: the person sees its target, the page with the link does not.
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
def _is_near_peer(peer: str, gateways: frozenset[str]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or str(address) in gateways


#: The cookie of a session.
COOKIE = "pinrelay_console"
#: The user of failed logins in the audit log.
_SOMEBODY = "somebody"


class Denial(StrEnum):
    """Why a visitor is not admitted."""

    #: There are tokens, and this visitor has not given one yet.
    LOGIN_NEEDED = "login_needed"
    #: There are no tokens, and the visitor may be on another machine or a foreign page.
    FAR = "far"
    #: The token is unknown.
    WRONG = "wrong"
    #: The token is unknown, and too many responses to wrong tokens are delayed already.
    TOO_MANY = "too_many"
    #: A header has a user, but its sender is not a trusted proxy.
    NOT_BELIEVED = "not_believed"


_TOKENS = "CONSOLE_USERS, CONSOLE_PASSWORD"
#: The check that failed, by denial.
CHECKS: Final[Mapping[Denial, FailedCheck]] = {
    Denial.LOGIN_NEEDED: FailedCheck("missing token", _TOKENS),
    Denial.FAR: FailedCheck("not from this machine", _TOKENS),
    Denial.WRONG: FailedCheck("wrong token", _TOKENS),
    Denial.TOO_MANY: FailedCheck("too many wrong tokens", _TOKENS),
    Denial.NOT_BELIEVED: FailedCheck("user named by an untrusted proxy", "TRUSTED_PROXIES"),
}
NOT_OPERATOR: Final = FailedCheck("not an operator", "CONSOLE_USERS, CONSOLE_ROLE_HEADER")
#: The `Retry-After` of `Denial.TOO_MANY`, in seconds.
RETRY_AFTER_S: Final = ceil(WRONG_TOKEN_DELAY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A session was opened, because the token was right; `session` is its cookie."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Data about the sender of a request."""

    #: The address of the client behind trusted proxies; `None` if unknown.
    client: str | None
    #: The request comes from a user at this machine, and not from a page of another site (`is_of_this_machine`).
    is_near: bool
    #: The session cookie; "" without one.
    session: str = ""
    #: The bearer token; `None` without one.
    bearer: str | None = None
    #: The user in a header; `None` without such a user or header.
    named: NamedByProxy | None = None


Admission: TypeAlias = Person | Denial
Login: TypeAlias = LoggedIn | Denial


class Access:
    """The rules of access. Times are arguments."""

    def __init__(
        self,
        users: Users,
        settings: AccessSettings,
        *,
        sessions: Sessions,
        audit: Audit,
        gateways: frozenset[str] = frozenset(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Use these services and settings. Raises SettingsError if the settings of a proxy are invalid or incomplete.

        `gateways`: addresses that count as this machine, as in `is_of_this_machine`.
        """
        self._users = users
        self._gateways = gateways
        self._user_headers = UserHeaders.of(settings)
        #: Proxies whose X-Forwarded-For and user header are trusted.
        self._trusted = read_networks(settings.trusted_proxies)
        self._sessions = sessions
        self._audit = audit
        self._wrong_tokens = WrongTokens(sleep)

    @property
    def has_logins(self) -> bool:
        return bool(self._users)

    def take(self, users: Users) -> None:
        """Replace the users: sessions of all others, and of those with another token, end."""
        self._users = users

    def visitor(self, request: Request) -> Visitor:
        """Return the data of a request for the rules of access."""
        headers = self._user_headers
        peer = request.client.host if request.client else None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return Visitor(
            client=client_ip(peer, request.headers.get("x-forwarded-for"), self._trusted),
            is_near=self.is_near(request.scope),
            session=request.cookies.get(COOKIE, ""),
            bearer=token.strip() if scheme.lower() == "bearer" else None,
            named=named_by_proxy(request, headers, self._trusted) if headers else None,
        )

    def is_near(self, scope: Scope, origins: Collection[str] = ()) -> bool:
        """Return whether a request comes from a user at this machine and not from a foreign page (except `origins`).

        An authenticating proxy on this machine without a user does not count.
        """
        peer = scope.get("client")
        near = is_of_this_machine(scope, gateways=self._gateways, origins=origins)
        return near and not (self._user_headers and peer and is_trusted(peer[0], self._trusted))

    async def admit(self, visitor: Visitor, *, now: float, by_session: bool = True) -> Admission:
        """Return the person, or the reason of a denial; `by_session`: cookies count. Raises OutboxUnavailable."""
        if visitor.named is not None:
            return await self._named(visitor, visitor.named, now=now)
        if visitor.bearer is not None and self._users:
            user = await self._user_of(visitor.bearer, visitor, now=now)
            return _person(user, visitor) if isinstance(user, User) else user
        if self._users:
            found = await self._sessions.user_of(visitor.session, self._users, now=now) if by_session else None
            return _person(found, visitor, has_session=True) if found else Denial.LOGIN_NEEDED
        if visitor.is_near:
            return Person(name="this machine", role=UserRole.OPERATOR, place=visitor.client or "", is_named=False)
        return Denial.FAR

    async def login(self, given: str, visitor: Visitor, *, now: float) -> Login:
        """Open a session for the user with this token. Raises OutboxUnavailable."""
        user = await self._user_of(given, visitor, now=now)
        if not isinstance(user, User):
            return user
        session = await self._sessions.open(user, now=now)
        await self._audit.note(_person(user, visitor), AuditAction.LOGIN)
        return LoggedIn(session=session)

    async def logout(self, person: Person, visitor: Visitor) -> None:
        """End the visitor's session, if there is one. Raises OutboxUnavailable."""
        if person.has_session:
            await self._sessions.end(visitor.session)
            await self._audit.note(person, AuditAction.LOGOUT)

    async def _user_of(self, given: str, visitor: Visitor, *, now: float) -> User | Denial:
        """Return the user of a token immediately, or a denial after a delay."""
        user = self._users.of_token(given)
        if user is not None:
            return user
        if not await self._wrong_tokens.delay():
            return Denial.TOO_MANY
        await self._failed(visitor, "a wrong token", now=now)
        return Denial.WRONG

    async def _named(self, visitor: Visitor, named: NamedByProxy, *, now: float) -> Admission:
        if named.is_believed:
            return Person(name=named.name, role=named.role, place=visitor.client or "")
        await self._failed(visitor, f"named {named.name} by a header of no trusted proxy", now=now)
        return Denial.NOT_BELIEVED

    async def _failed(self, visitor: Visitor, how: str, *, now: float) -> None:
        """Write a failure to the audit log, unless there are so many failures that they would fill the log."""
        if self._wrong_tokens.may_note(now=now):
            who = Person(name=_SOMEBODY, role=UserRole.VIEWER, place=visitor.client or "")
            await self._audit.note(who, AuditAction.LOGIN_FAILED, after=how)


def _person(user: User, visitor: Visitor, *, has_session: bool = False) -> Person:
    return Person(name=user.name, role=user.role, place=visitor.client or "", has_session=has_session)


def sent_from_console(headers: Mapping[str, str]) -> bool:
    """Return whether a form was sent from a page of this origin; browsers set both headers and pages cannot.

    `Sec-Fetch-Site` decides if it is present (https and localhost); otherwise `Origin` must match our `Host`.
    """
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] == headers.get("host")
