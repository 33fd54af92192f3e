"""What an error of PostgreSQL means, and what helps."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from app.errors import OutboxUnavailable

#: The beginning of a SQLSTATE -> what helps. The first that fits.
_REMEDIES = {
    "42501": "the user may not do this: give it the right to make and use tables in its schema",
    "25006": "this server takes no writes, another has become the leader",
    "53100": "no space is left at the server: free some",
    "53": "the server has run out of something: look at its log",
    "57014": "it took too long",
    "57P": "the server is stopping or starting",
    "58": "the disk of the server fails: look at its log",
    "XX": "the data of the server is damaged: look at its log",
}
_UNREACHABLE = "the server cannot be reached: look at it, and at OUTBOX_URL"
#: What a server says that lets nobody in.
_REFUSED = re.compile(r"FATAL: +(.+)")


def unavailable(exc: psycopg.Error) -> OutboxUnavailable:
    """Return what an error of PostgreSQL means and what helps. Every such error leaves the engine this way."""
    state = exc.sqlstate or ""
    remedy = next((text for start, text in _REMEDIES.items() if state.startswith(start)), "see the log")
    if not state:
        remedy = "; ".join([_UNREACHABLE, *_REFUSED.findall(str(exc))[-1:]])
    name = state or type(exc).__name__
    error = OutboxUnavailable(f"The outbox cannot be used now ({name}): {remedy}. Send the events again later.")
    error.__cause__ = exc
    return error


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
