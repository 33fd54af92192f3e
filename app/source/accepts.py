"""What the doors for events ask of the pipeline: to keep events, and to say what became of them."""

from collections.abc import Iterable
from typing import Protocol

from app.core.events import DEFAULT_SOURCE, Event
from app.core.receipts import Receipt
from app.errors import EventRefused


class Accepts(Protocol):
    """Whoever the doors hand their events to: it commits them to the outbox."""

    async def accept(
        self,
        events: Iterable[Event | EventRefused],
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        is_proven: bool = False,
    ) -> Receipt:
        """Commit the events, which may be read only when their turn comes, then say what became of each, in order.

        `source` names who sent them all; `is_proven` says that it is known by a secret, not by a public write key.
        Raises OutboxUnavailable where nothing was committed.
        """
        ...


class AcceptsWhole(Accepts, Protocol):
    """Commits the events of one request, or of several that somebody gathered: all of them or none, if asked."""

    async def accept(
        self,
        events: Iterable[Event | EventRefused],
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        is_proven: bool = False,
        whole: bool = False,
    ) -> Receipt:
        """Do `Accepts.accept`.

        Where some of several ad accounts have no room, what is for them is withheld and the rest is committed. With
        `whole` nothing is committed then and OutboxUnavailable is raised, so that the requests can be tried one by one.
        """
        ...
