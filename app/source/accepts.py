"""What the doors for events ask of the pipeline: to keep events, and to say what became of them."""

from collections.abc import Iterable
from typing import Protocol

from app.errors import EventRefused
from app.types import Event, Receipt


class Accepts(Protocol):
    """Keeps events for good."""

    async def accept(self, events: Iterable[Event | EventRefused], *, now: float) -> Receipt:
        """Commit the events, which may be read only when their turn comes, then say what became of each, in order.

        Raises OutboxUnavailable where nothing was committed.
        """
        ...
