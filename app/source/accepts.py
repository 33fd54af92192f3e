"""The one thing the front door asks of the rest."""

from collections.abc import Sequence
from typing import Protocol

from app.errors import EventRefused
from app.types import Event, Receipt


class Accepts(Protocol):
    """Keeps events for good."""

    async def accept(self, events: Sequence[Event | EventRefused], *, now: float) -> Receipt:
        """Commit the events, then say what became of each, in their order.

        Raises OutboxUnavailable where nothing was committed.
        """
        ...
