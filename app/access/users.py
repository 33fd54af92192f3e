"""Who may use the console and `/api`: users, their roles and tokens."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from pydantic import SecretStr

from app.config.settings import AccessSettings
from app.errors import SettingsError


class UserRole(StrEnum):
    """What somebody may do; the lesser first."""

    VIEWER = "viewer"
    #: Look, and do all that changes or sends something, or shows events as they were received.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has been admitted to the console or its interface."""

    name: str
    role: UserRole
    #: The address that they ask from, or the machine of a command; "" where it is not known.
    place: str
    #: False: whoever sits at this machine, where nobody has to say who they are.
    is_named: bool = True
    #: They have logged in, and can log out.
    has_session: bool = False

    @property
    def may_operate(self) -> bool:
        return self.role is UserRole.OPERATOR


#: What whoever gives CONSOLE_PASSWORD is called.
PASSWORD_USER = "console"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who proves who they are by a token."""

    name: str
    role: UserRole
    token: str = field(repr=False)


class Users:
    """All who may log in by a token: of each the name, the role and the token."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = dict(users)

    @classmethod
    def read(cls, texts: Iterable[str], password: SecretStr | None) -> Self:
        """Read several `name:role:token` or `name:token`; `password` is an operator's token. Raises SettingsError."""
        users: dict[str, User] = {}
        if password is not None:
            users[PASSWORD_USER] = User(name=PASSWORD_USER, role=UserRole.OPERATOR, token=password.get_secret_value())
        for text in texts:
            user = _read(text)
            if user.name in users:
                raise SettingsError(f"CONSOLE_USERS: two users are named {user.name}; give each its own name")
            users[user.name] = user
        return cls(users)

    @classmethod
    def of(cls, settings: AccessSettings) -> Self:
        """Read those of the settings. Raises SettingsError."""
        return cls.read((each.get_secret_value() for each in settings.console_users), settings.console_password)

    def __bool__(self) -> bool:
        """Whether any user is known."""
        return bool(self._users)

    def named(self, name: str) -> User | None:
        return self._users.get(name)

    def of_token(self, given: str) -> User | None:
        """Return who has this token; None where nobody has. The time that it takes tells nothing, not even a length."""
        found, digest = None, _digest(given)
        for user in self._users.values():  # to the end: the time must not tell whose token was near
            if hmac.compare_digest(digest, _digest(user.token)):
                found = user
        return found


def _read(text: str) -> User:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in {2, 3} or not all(parts):
        raise SettingsError(
            "CONSOLE_USERS: write each as `name:role:token` or `name:token`, without a colon in the parts"
        )
    role = parts[1] if len(parts) == 3 else UserRole.VIEWER  # noqa: PLR2004 - with a role
    if role not in tuple(UserRole):
        raise SettingsError(f"CONSOLE_USERS: the role of {parts[0]} must be one of {', '.join(UserRole)}")
    return User(name=parts[0], role=UserRole(role), token=parts[-1])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
