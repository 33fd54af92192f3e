"""Samples: a few events of each name, encrypted like the quarantine and stored for a day, to try drafts on."""

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

#: Maximum number of sampled names for each level of trust, because strangers can invent names.
_MAX_NAMES: Final = 250
#: Larger events, as base64, are not stored.
_MAX_SEALED: Final = 100_000
_MAX_NAME: Final = 200
#: The trim scans all samples.
_TRIMMED_EVERY_S: Final = 1.0
#: During a live run of a draft: the interval, and the maximum share of a core.
_HURRIED_EVERY_S: Final = 0.1
_SHARE: Final = 0.01
_NEVER: Final = frozenset({Outcome.REFUSED, Outcome.WITHHELD})


@dataclass(slots=True)
class _Pace:
    """The number of stored events of a name in this process, and the time of the next sample."""

    kept: int = 0
    next_at: float = 0.0


class Samples:
    """Stores received events: the first of each name, then a few each day. Never those with an opt-out."""

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
        """Use the store, the encryption, the reader of ids and opt-outs, and the catalog.

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
        #: Until this time events of all names are stored, some each second, for the live run of a draft.
        self.hurried_until = 0.0

    def listen(self, intake: Intake) -> "_Sampling":
        """Return the listener that stores some events of a request after the commit: see `Listener`."""
        return _Sampling(self, intake)

    def wants(self, event: Event, *, now: float, is_trusted: bool) -> bool:
        """Return whether to store an event, and count it."""
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
        """Commit the permitted events. Raises OutboxUnavailable.

        A live run then pauses to stay below its share. CPU time of other requests counts too, so a busy process samples
        less.
        """
        began = self._cpu_clock()
        try:
            await self._commit(events, intake)
        finally:
            self._rests_until = max(self._rests_until, intake.now) + (self._cpu_clock() - began) / _SHARE

    async def _commit(self, events: Iterable[tuple[Event, EventReceipt]], intake: Intake) -> None:
        kept = []
        for event, told in events:
            if any(line.outcome in _NEVER for line in told.deliveries) or self._reader.has_opt_out(
                event, self._catalog()
            ):
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
    """Collects the wanted events of a request."""

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
        if self._wanted and not self._erases:  # the people that a request erases are unknown here
            events = [(event, receipt.events[number]) for number, event in self._wanted.items()]
            await self._samples.keep(events, self._intake)
