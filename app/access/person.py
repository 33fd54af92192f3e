"""Who uses the console and its interface: a name, what they may do, and where they are."""

from dataclasses import dataclass
from enum import StrEnum


class UserRole(StrEnum):
    """What somebody may do; the lesser first."""

    #: Look.
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
        """Whether they may change something."""
        return self.role is UserRole.OPERATOR
