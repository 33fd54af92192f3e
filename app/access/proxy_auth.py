"""Whom an authenticating proxy names in a header: single sign-on comes this way, as with Grafana's auth proxy.

Anybody can write such a header, so it is believed only where the other end of the connection is a trusted proxy, and
stands there once. What it says of the role is believed likewise; whoever has none may look.
Source: https://grafana.com/docs/grafana/latest/setup-grafana/configure-security/configure-authentication/auth-proxy/
"""

from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from app.access.users import UserRole
from app.config.settings import AccessSettings
from app.core.values.addresses import Network, is_trusted
from app.errors import SettingsError

_MAX_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UserHeaders:
    """The names of the headers in which the proxy says who asks."""

    #: Has the name of the user.
    name: str
    #: Has `operator`, or anything else for viewers; None where all are viewers.
    role: str | None = None
    #: The group whose members are operators, where the header lists groups; "" where it has the role alone.
    operators: str = ""

    @classmethod
    def of(cls, settings: AccessSettings) -> Self | None:
        """Return those of the settings; None where no proxy authenticates people. Raises SettingsError."""
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
    """The user whom the header names."""

    name: str
    role: UserRole
    #: False: whoever wrote it is no proxy of ours, or two names stand there.
    is_believed: bool


def named_by_proxy(request: Request, headers: UserHeaders, trusted: tuple[Network, ...]) -> NamedByProxy | None:
    """Return whom a request's header names; None where it names nobody."""
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
    """Return whether the one header of the role says so: by the word, or by a group among others."""
    given = request.headers.getlist(headers.role) if headers.role else []
    if len(given) != 1:
        return False
    if not headers.operators:
        return given[0].strip().lower() == UserRole.OPERATOR
    # oauth2-proxy and Authelia list groups by commas, Authentik by `|`
    return headers.operators in {group.strip() for group in given[0].replace("|", ",").split(",")}
