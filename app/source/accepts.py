"""What the doors for events ask of the pipeline: to keep events, and to say what became of them."""

from collections.abc import Iterable
from typing import Protocol

from app.errors import EventRefused
from app.types import DEFAULT_SOURCE, Event, Receipt


class Accepts(Protocol):
    """Keeps events for good."""

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
    """Keeps events of several requests, which can be tried again one by one."""

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

        Where some of several ad accounts have no room, what is for them is withheld and the rest is committed; with
        `whole` OutboxUnavailable is raised then, and nothing committed.
        """
        ...
