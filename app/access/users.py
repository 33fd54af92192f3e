"""Users of the console and `/api`, with their roles and tokens."""

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
    """The role of a user, in ascending order of permissions."""

    VIEWER = "viewer"
    #: May read, change or send, and see events as they were received.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person with access to the console or its interface."""

    name: str
    role: UserRole
    #: The address of the client, or the machine of a command; "" if unknown.
    place: str
    #: False: the user at this machine, who needs no name.
    is_named: bool = True
    #: The person has logged in, and can log out.
    has_session: bool = False

    @property
    def may_operate(self) -> bool:
        return self.role is UserRole.OPERATOR


#: The name of the user of CONSOLE_PASSWORD.
PASSWORD_USER = "console"  # noqa: S105 - a name


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user who is authenticated by a token."""

    name: str
    role: UserRole
    token: str = field(repr=False)


class Users:
    """All users with a token, with name and role."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = dict(users)

    @classmethod
    def read(cls, texts: Iterable[str], password: SecretStr | None) -> Self:
        """Parse `name:role:token` or `name:token` entries; `password` is an operator's token. Raises SettingsError."""
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
        """Read the users of the settings. Raises SettingsError."""
        return cls.read((each.get_secret_value() for each in settings.console_users), settings.console_password)

    def __bool__(self) -> bool:
        """Return whether there are users."""
        return bool(self._users)

    def named(self, name: str) -> User | None:
        return self._users.get(name)

    def of_token(self, given: str) -> User | None:
        """Return the user with this token, or `None`. The duration reveals no partial match, not even a length."""
        found, digest = None, _digest(given)
        for user in self._users.values():  # to the end: the duration must not reveal a partial match
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
