"""Sources with a name: who may send by each, how much, and how what it sends is read."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.core.events import Event
from app.errors import EventHeldBack, EventRefused
from app.source.body import Limits
from app.source.consent import ConsentRules, withheld
from app.source.quotas import Quota, Quotas
from app.source.sender_proofs import Anyone, SenderProof

_OFF: Final = "the source is switched off (`enabled: false` in its file)"


class Reshape(Protocol):
    """Makes Segment events of a record of app/source/raw_records.py."""

    def __call__(self, record: dict[str, Any]) -> Iterable[Any | EventRefused]:
        """Yield the events, as JSON that is not read yet, or why there is none."""
        ...


def events_of(records: Iterable[dict[str, Any] | EventRefused], reshape: Reshape) -> Iterator[Any | EventRefused]:
    """Yield what `reshape` makes of each record when its turn comes; one that is refused stands in its place."""
    for record in records:
        yield from [record] if isinstance(record, EventRefused) else reshape(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """One source: who may send by it, how much, and how what it sends is read."""

    name: str
    #: All must hold.
    proofs: tuple[SenderProof, ...]
    limits: Limits
    #: None where Segment's events come as they are.
    reshape: Reshape | None
    #: What must be granted beside what the settings ask for; None asks for nothing.
    consent: ConsentRules | None
    #: A GET is an event too, and answered by a pixel.
    takes_pixels: bool
    #: How a small body begins that proves nothing, tries the address, and is answered 200; None where none is.
    ping: bytes | None
    #: None bounds nothing.
    quota: Quota | None
    #: None of its events is sent on.
    is_off: bool

    @property
    def is_proven(self) -> bool:
        """Whether a secret says who sends: not where anyone may."""
        return any(not isinstance(proof, Anyone) for proof in self.proofs)

    @property
    def hidden_headers(self) -> frozenset[str]:
        """The headers that hold what it asks for: no mapping gets to see them."""
        return frozenset(proof.header for proof in self.proofs)


def permitted(events: Iterator[Event | EventRefused], source: NamedSource) -> Iterator[Event | EventRefused]:
    """Yield the events; what the source may not send on stands as EventHeldBack in its place."""
    if source.consent is None and not source.is_off:
        return events
    return (held_back(event, source) for event in events)


def held_back(event: Event | EventRefused, source: NamedSource) -> Event | EventRefused:
    """Return the event, or EventHeldBack where the source may not send it on."""
    if isinstance(event, EventRefused):
        return event
    reason = _OFF if source.is_off else withheld(event, source.consent) if source.consent else None
    return event if reason is None else EventHeldBack(reason, event)


class NamedSources:
    """The sources that there are now, by name."""

    def __init__(self, sources: Mapping[str, NamedSource]) -> None:
        self.take(sources)

    def take(self, sources: Mapping[str, NamedSource]) -> None:
        """Hold these from now on; what was left of quotas is forgotten."""
        self.by_name = dict(sources)
        limited = {name: each.quota for name, each in sources.items() if each.quota is not None}
        self.quotas = Quotas(limited, time.monotonic)
