"""The live tail: the events of the last minutes, as received, only in the memory of this process.

It is on for some minutes at the request of an operator. It never contains refused or withheld events, nor events with
an opt-out.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Final

import orjson

from app.catalog import Catalog
from app.core.events import Event, Outcome
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.core.trust import public_share
from app.errors import EventRefused
from app.outbox import Outbox
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.quarantine import shown_name
from app.source import Intake

#: The maximum duration, and the maximum content: above it the oldest events are removed.
MAX_TAIL_S: Final = 900
MAX_TAILED: Final = 200
MAX_TAILED_BYTES: Final = 2_000_000
_HIDDEN: Final = frozenset({Outcome.REFUSED, Outcome.WITHHELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class TailedEvent:
    """An event that arrived while the tail was on."""

    #: Of this process, from 1.
    number: int
    at: float
    source: str
    #: Without personal data, for display in a list.
    name: str
    #: The results, one for each preset.
    lines: tuple[PresetResult, ...]
    #: The event as received, as JSON. Personal data: it is shown to an operator who opens it.
    text: bytes

    def __repr__(self) -> str:
        """Return a text without the event: a log or a traceback must not contain it."""
        return f"TailedEvent(number={self.number})"


class Tail:
    """Stores the latest events while it is on."""

    def __init__(
        self,
        reader: IdentityEventReader,
        catalog: Callable[[], Catalog],
        memory: Outbox | None = None,
        *,
        on_erased: Callable[[float], Awaitable[None]],
    ) -> None:
        """Use the reader of opt-outs, the catalog, and identity memory, or `None`.

        `on_erased` is called with the time of an erasure by a sender, so that the tails of other processes are emptied
        too.
        """
        self.is_on = False
        #: The end, Unix seconds.
        self.until = 0.0
        #: The number of hidden events since it was switched on.
        self.hidden = 0
        self._reader = reader
        self._catalog = catalog
        self._memory = memory
        self._on_erased = on_erased
        self._emptied = self._times_cleared = 0
        #: Trusted and public events separately, so that public ones never displace trusted ones.
        self._events: dict[bool, deque[TailedEvent]] = {True: deque(), False: deque()}
        self._bytes = {True: 0, False: 0}
        self._number = 0

    def follow(self, until: float, *, now: float) -> None:
        """Turn on until then, at most for MAX_TAIL_S; with a past or too distant time, turn off and empty the tail."""
        self.is_on, self.until = now < until <= now + MAX_TAIL_S, until
        if not self.is_on:
            self.hidden = 0
            self.clear()

    def obey(self, emptied: int) -> None:
        """Empty the tail if this number has changed, because a process erased a person."""
        if emptied != self._emptied:
            self._emptied = emptied
            self.clear()

    def clear(self) -> None:
        """Remove all events, including those that are about to be added."""
        self._times_cleared += 1
        for events in self._events.values():
            events.clear()
        self._bytes = {True: 0, False: 0}

    def events(self, *, now: float) -> list[TailedEvent]:
        """Return the stored events, the newest first."""
        self.follow(self.until, now=now)
        return sorted(chain.from_iterable(self._events.values()), key=attrgetter("number"), reverse=True)

    def listen(self, intake: Intake) -> "_Watching":
        """Return the listener that adds the events of a request after the commit: see `Listener`."""
        return _Watching(self, intake)

    async def take(self, arrived: Iterable[tuple[Event | EventRefused, EventReceipt]], intake: Intake) -> None:
        """Add the permitted events of a request. Raises OutboxUnavailable; then none are added.

        A `delete` of an authenticated sender empties the tails of all processes, because they do not know the links
        between ids.
        """
        self.follow(self.until, now=intake.now)
        if not self.is_on:
            return
        shown: list[tuple[Event, EventReceipt]] = []
        is_erasure = False
        for event, told in arrived:
            if isinstance(event, EventRefused) or any(line.outcome in _HIDDEN for line in told.deliveries):
                self.hidden += 1
            elif event["type"] == "delete":
                if intake.is_known:
                    is_erasure = True
                    shown.clear()
                    self.clear()
            elif self._reader.has_opt_out(event, self._catalog()):
                self.hidden += 1
            else:
                shown.append((event, told))
        before = self._times_cleared
        if is_erasure:
            await self._on_erased(intake.now)
        closed = await self._closed({key for event, _ in shown for key in self._reader.keys(event)})
        for event, told in shown:
            if self._times_cleared == before and closed.isdisjoint(self._reader.keys(event)):
                self._hold(event, told, intake)
            else:
                self.hidden += 1

    async def _closed(self, keys: set[str]) -> set[str]:
        """Return the ids among these with an earlier opt-out, or linked to a user with one."""
        if self._memory is None or not keys:
            return set()
        found = await self._memory.people(sorted(keys))
        return {
            *found.suppressions,
            *(each.key for each in found.people if each.record.link and each.record.link.to in found.suppressions),
        }

    def _hold(self, event: Event, told: EventReceipt, intake: Intake) -> None:
        given = {name: value for name, value in event.items() if name != "idIsMade"}
        try:
            text = orjson.dumps(given, option=orjson.OPT_INDENT_2)
        except orjson.JSONEncodeError:  # nested too deep
            self.hidden += 1
            return
        self._number += 1
        one = TailedEvent(
            number=self._number,
            at=intake.now,
            source=intake.source,
            name=shown_name(event),
            lines=told.deliveries,
            text=text,
        )
        self._events[intake.is_trusted].append(one)
        self._bytes[intake.is_trusted] += len(text)
        self._let_go(most=MAX_TAILED, most_bytes=MAX_TAILED_BYTES, is_trusted=True)
        most = public_share(MAX_TAILED, trusted=len(self._events[True]))
        most_bytes = public_share(MAX_TAILED_BYTES, trusted=self._bytes[True])
        self._let_go(most=most, most_bytes=most_bytes, is_trusted=False)

    def _let_go(self, *, most: int, most_bytes: int, is_trusted: bool) -> None:
        """Remove the oldest events above the limits."""
        events = self._events[is_trusted]
        while len(events) > most or self._bytes[is_trusted] > most_bytes:
            self._bytes[is_trusted] -= len(events.popleft().text)


class _Watching:
    """Collects the events of a request, and adds them to the tail after the commit."""

    def __init__(self, tail: Tail, intake: Intake) -> None:
        self._tail = tail
        self._intake = intake
        self._seen: list[Event | EventRefused] = []

    def observe(self, event: Event | EventRefused) -> Event | EventRefused:
        self._seen.append(event)
        return event

    async def committed(self, receipt: Receipt) -> None:
        await self._tail.take(zip(self._seen, receipt.events, strict=True), self._intake)
