"""What the doors for events ask of the pipeline: to keep events, and to say what became of them."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from typing import Protocol, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

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
    #: Who made the events is known by a secret that no page shows: see app/core/trust.py.
    is_proven: bool = False
    #: A relay that proved itself by a secret hands on events which anyone may have made.
    is_relayed: bool = False
    #: They were kept in the quarantine: their orders do not wait again.
    is_replayed: bool = False
    #: Where an ad account has no room, nothing is committed. Otherwise the rest is, and its events are withheld.
    whole: bool = False

    @property
    def is_known(self) -> bool:
        """Whether who sends is known by a secret: then it may have somebody erased, and learn what memory has."""
        return self.is_proven or self.is_relayed

    @property
    def public_key(self) -> str | None:
        """The name of the public key that they came by; None where they are proven."""
        return None if self.is_proven else self.source


async def accept_signed(accepts: "AcceptsIntake", intake: Intake, *, only_first: bool) -> Receipt:
    """Commit the events; where a signature covers `only_first` of them, the others are of nobody who is known.

    Raises OutboxUnavailable.
    """
    if not only_first:
        return await accepts.accept(intake)
    left = iter(intake.events)
    first, second = list(islice(left, 1)), list(islice(left, 1))
    if not second:
        return await accepts.accept(replace(intake, events=first))
    others = replace(intake, events=chain(second, left), is_proven=False, is_relayed=False)
    if not (intake.is_proven or is_delete(first[0])):
        return await accepts.accept(replace(others, events=chain(first, second, left)))
    signed = await accepts.accept(replace(intake, events=first))
    unsigned = await accepts.accept(others)
    counts = Counter(signed.counts) + Counter(unsigned.counts)
    return Receipt(events=(*signed.events, *unsigned.events), counts={**signed.counts, **counts})


def is_delete(event: Event | EventRefused) -> TypeGuard[Event]:
    """Return whether an event asks to erase somebody."""
    return not isinstance(event, EventRefused) and event["type"] == "delete"


class AcceptsIntake(Protocol):
    """Commits the events of a door to the outbox."""

    async def accept(self, intake: Intake) -> Receipt:
        """Commit the events, then say what became of each, in order.

        Raises OutboxUnavailable where nothing was committed.
        """
        ...
