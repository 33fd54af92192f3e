"""What the doors for events ask of the pipeline: to keep events, and to say what became of them."""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from app.core.events import DEFAULT_SOURCE, Event
from app.core.receipts import Receipt
from app.errors import EventRefused


class Intake(Struct, frozen=True):
    """The events of one request, or of several that somebody gathered: one record from the door to the commit."""

    #: They may be read only when their turn comes.
    events: Iterable[Event | EventRefused]
    #: When they arrived, Unix seconds.
    now: float
    #: The name of who sent them all.
    source: str = DEFAULT_SOURCE
    #: The sender is known by a secret, not by a public write key.
    is_proven: bool = False
    #: Where an ad account has no room, nothing is committed. Otherwise the rest is, and its events are withheld.
    whole: bool = False


class Accepts(Protocol):
    """Commits the events of a door to the outbox."""

    async def accept(self, intake: Intake) -> Receipt:
        """Commit the events, then say what became of each, in order.

        Raises OutboxUnavailable where nothing was committed.
        """
        ...
