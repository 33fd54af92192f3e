"""Samples: a few events of each name, sealed like the quarantine and kept for a day, to try drafts on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from app.catalog import Catalog
from app.core.events import Event, Outcome
from app.core.receipts import EventReceipt, Receipt
from app.core.values.times import DAY_S
from app.errors import EventRefused
from app.outbox.sealed_events import SealedEvents, Sealer
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.quarantine import name_of, quarantined
from app.source import Intake

#: Of each trust so many names are sampled: strangers can make up names.
_MAX_NAMES: Final = 250
#: Longer ones are not kept, as base64.
_MAX_SEALED: Final = 100_000
_MAX_NAME: Final = 200
#: It looks through all samples.
_TRIMMED_EVERY_S: Final = 1.0
#: While a draft runs beside what arrives: how often, and the share of a core that it may take.
_HURRIED_EVERY_S: Final = 0.1
_SHARE: Final = 0.01
_NEVER: Final = frozenset({Outcome.REFUSED, Outcome.WITHHELD})


@dataclass(slots=True)
class _Pace:
    """How many events of a name this process has kept, and when the next may be."""

    kept: int = 0
    next_at: float = 0.0


class Samples:
    """Keeps events as received, of each name the first, then some each day. It never keeps whose person says no."""

    is_on = True

    def __init__(
        self,
        sealed_events: SealedEvents,
        sealer: Sealer,
        reader: IdentityEventReader,
        catalog: Callable[[], Catalog],
        *,
        per_name: int,
        cpu_clock: Callable[[], float],
    ) -> None:
        """Take where samples are kept, who encrypts them, who knows ids and what persons say, and by which catalog.

        `cpu_clock` returns the CPU time of this process in seconds.
        """
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._reader = reader
        self._catalog = catalog
        self._per_name = per_name
        self._cpu_clock = cpu_clock
        self._paces: dict[bool, dict[str, _Pace]] = {True: {}, False: {}}
        self._trim_at = self._next_hurried_at = self._rests_until = 0.0
        #: Until then events of any name are kept, some each second: a draft runs beside what arrives.
        self.hurried_until = 0.0

    def listen(self, intake: Intake) -> "_Sampling":
        """Return what keeps some events of a request once they are committed: see `Listener`."""
        return _Sampling(self, intake)

    def wants(self, event: Event, *, now: float, is_trusted: bool) -> bool:
        """Return whether an event is to be kept, and count it."""
        paces, most = self._paces[is_trusted], self._per_name if is_trusted else self._per_name // 2
        name = name_of(event)[:_MAX_NAME]
        pace = paces.get(name)
        if pace is None:
            if not most or len(paces) >= _MAX_NAMES:
                return False
            pace = paces[name] = _Pace()
        if now < self.hurried_until and now >= self._next_hurried_at and now >= self._rests_until:
            self._next_hurried_at = now + _HURRIED_EVERY_S
        elif pace.kept >= most and now < pace.next_at:
            return False
        pace.kept += 1
        pace.next_at = now + DAY_S / most
        return True

    async def keep(self, events: Iterable[tuple[Event, EventReceipt]], intake: Intake) -> None:
        """Commit those that may be kept. Raises OutboxUnavailable.

        A live run rests after it for as long as keeps it below its share. What the process does meanwhile for other
        requests counts as well, so a busy process samples less.
        """
        began = self._cpu_clock()
        try:
            await self._commit(events, intake)
        finally:
            self._rests_until = max(self._rests_until, intake.now) + (self._cpu_clock() - began) / _SHARE

    async def _commit(self, events: Iterable[tuple[Event, EventReceipt]], intake: Intake) -> None:
        kept = []
        for event, told in events:
            if any(line.outcome in _NEVER for line in told.deliveries) or self._reader.says_no(event, self._catalog()):
                continue
            sealed = self._sealer.seal(event)
            if sealed is not None and len(sealed) <= _MAX_SEALED:
                keys = self._reader.all_keys(event, self._catalog(), told.deliveries)
                kept.append(quarantined(event, sealed, intake, keys=keys, lasts_s=DAY_S, outcome=Outcome.ACCEPTED))
        if kept:
            await self._sealed_events.keep(kept)
            if intake.now >= self._trim_at:
                self._trim_at = intake.now + _TRIMMED_EVERY_S
                await self._sealed_events.trim_samples(self._per_name)


class _Sampling:
    """Notes the events of one request that are wanted."""

    def __init__(self, samples: Samples, intake: Intake) -> None:
        self._samples = samples
        self._intake = intake
        self._count = 0
        self._wanted: dict[int, Event] = {}
        self._erases = False

    def observe(self, event: Event | EventRefused) -> Event | EventRefused:
        if isinstance(event, dict):
            if event["type"] == "delete":
                self._erases = True
            elif self._samples.wants(event, now=self._intake.now, is_trusted=self._intake.is_trusted):
                self._wanted[self._count] = event
        self._count += 1
        return event

    async def committed(self, receipt: Receipt) -> None:
        if self._wanted and not self._erases:  # whom a request erases, nobody knows here
            events = [(event, receipt.events[number]) for number, event in self._wanted.items()]
            await self._samples.keep(events, self._intake)
