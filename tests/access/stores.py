"""The rules of access over a real store."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr

from app.access.admission import Access, Visitor
from app.access.audit import Audit
from app.access.sessions import Sessions
from app.access.users import Users
from app.config.settings import AccessSettings
from app.outbox import Outbox

NOW = 1_795_000_000.0
PASSWORD = "correct horse"
OPERATOR, VIEWER = "token-of-ada", "token-of-bob"
USERS = (f"ada:operator:{OPERATOR}", f"bob:{VIEWER}")


def users_of(*texts: str, password: str | None = None) -> Users:
    return Users.read(texts, SecretStr(password) if password else None)


async def no_delay(_: float) -> None:
    """Answer wrong tokens at once."""


def access_of(
    store: Outbox,
    *users: str,
    password: str | None = None,
    trusted: tuple[str, ...] = (),
    sleep: Callable[[float], Awaitable[None]] = no_delay,
    **changes: Any,
) -> Access:
    """Return the rules of access with these users."""
    return Access(
        users_of(*users, password=password),
        AccessSettings.model_construct(trusted_proxies=trusted, **changes),
        sessions=Sessions(store),
        audit=Audit(store, lambda: NOW),
        sleep=sleep,
    )


def visitor(**different: Any) -> Visitor:
    standard: dict[str, Any] = {"client": "192.0.2.7", "is_near": False}
    return Visitor(**(standard | different))


async def noted(store: Outbox) -> list[tuple[str, str, str]]:
    """Who, what and from where, oldest first."""
    page = await store.audit(limit=1_000)
    return [(entry.who, entry.what.value, entry.place) for entry in reversed(page.entries)]
