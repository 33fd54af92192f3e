"""What an error of PostgreSQL means, and what helps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from app.errors import OutboxUnavailable
from app.outbox.refusals import Remedies, cannot_be_used, row_refused

#: By SQLSTATE.
_REMEDIES: Final[Remedies] = {
    "40": ("locked", "others changed the same at the same moment"),
    "42501": ("not writable", "the user may not do this: give it the right to make and use tables in its schema"),
    "25006": ("not writable", "this server takes no writes, another has become the leader"),
    "53100": ("disk full", "no space is left at the server: free some"),
    "53": ("unusable", "the server has run out of something: look at its log"),
    "57014": ("locked", "it took too long: look for locks and load at the server"),
    "57P": ("unreachable", "the server is stopping or starting"),
    "58": ("unusable", "the disk of the server fails: look at its log"),
    "XX": ("damaged", "the data of the server is damaged: look at its log"),
}
_UNREACHABLE = "the server cannot be reached: look at it, and at OUTBOX_URL"
#: The database can be used, and one row cannot: of a value, of a constraint, of a trigger, of its length, of its page.
_ABOUT_A_ROW: Final = ("22", "23", "44", "38", "39", "P0", "54", "XX")
#: What a server says that lets nobody in.
_REFUSED = re.compile(r"FATAL: +(.+)")


def unavailable(exc: psycopg.Error) -> OutboxUnavailable:
    """Return what an error of PostgreSQL means and what helps. Every such error leaves the engine this way."""
    if exc.sqlstate and exc.sqlstate.startswith(_ABOUT_A_ROW):
        return row_refused(exc, exc.sqlstate, exc.diag.message_primary or "", _REMEDIES)
    if exc.sqlstate:
        return cannot_be_used(exc, exc.sqlstate, _REMEDIES)
    remedy = "; ".join([_UNREACHABLE, *_REFUSED.findall(str(exc))[-1:]])
    return cannot_be_used(exc, type(exc).__name__, {"": ("unreachable", remedy)})


def kept_here_only() -> OutboxUnavailable:
    """Return the error that says that a commit is on one server only, though it should be on two."""
    return OutboxUnavailable(
        "The outbox has no second copy of what was just written: the wait for the standby was cancelled. "
        "Send the events again later."
    )


@contextmanager
def border() -> Iterator[None]:
    """Raise OutboxUnavailable for the errors of PostgreSQL inside."""
    try:
        yield
    except psycopg.Error as exc:
        raise unavailable(exc) from exc
