"""Back from the quarantine: what mended presets and mappings now make of the events that are kept there."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, TypeAlias

from app.catalog import Catalog
from app.core.events import Event, Outcome
from app.core.pages import Quarantined, QuarantineFilter, QuarantineGroup
from app.core.receipts import EventReceipt, PresetResult
from app.errors import EventRefused
from app.outbox.sealed_events import SealedEvents, Sealer
from app.pipeline.explain import Explainer
from app.pipeline.pipeline import Pipeline
from app.pipeline.quarantine import is_too_dear
from app.pipeline.receipts import BACKLOG_FULL
from app.source import Intake

#: Returns an event of the source of this name, or EventHeldBack where the source may not send it on now.
HeldBack: TypeAlias = Callable[[Event, str], Event | EventRefused]
_Opened: TypeAlias = tuple[Quarantined, Event | EventRefused]

#: So many events are opened, judged and accepted at once.
_AT_ONCE: Final = 500
#: What still makes nothing of an event: it stays where it is, whatever else is made of it.
_UNMENDED: Final = frozenset({Outcome.INVALID, Outcome.UNMATCHED})
#: What is done for an event at once, also for one that stays. Done again, it changes nothing.
_DONE_AT_ONCE: Final = frozenset({Outcome.ENQUEUED, Outcome.MATCHED})


@dataclass(slots=True, kw_only=True)
class Replay:
    """What became, or would become, of the events that a filter means."""

    #: How many there are, and how many of them leave the quarantine: none of their deliveries is still to come.
    events: int = 0
    leaving: int = 0
    #: Sealed by another key than that of now: they cannot be read, and stay until their time is over.
    unreadable: int = 0
    #: Of deliveries, by outcome; and by preset, outcome and reason.
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[tuple[str, Outcome, str]] = field(default_factory=Counter)

    def add(self, receipt: EventReceipt) -> None:
        """Count what becomes of one event."""
        for line in receipt.deliveries:
            self.outcomes[line.outcome] += 1
            self.reasons[line.preset or "", line.outcome, line.reason] += 1


class Replaying:
    """Judges what is kept by the catalog of now, and accepts it as it was received: same ids, same times."""

    def __init__(
        self,
        sealed_events: SealedEvents,
        sealer: Sealer,
        explainer: Explainer,
        pipeline: Pipeline,
        *,
        catalog: Callable[[], Catalog],
        held_back: HeldBack,
        clock: Callable[[], float],
    ) -> None:
        """Take where events are kept, who opens them, who judges and accepts them, and by which catalog now.

        `pipeline` keeps nothing in quarantine itself: what is not mended stays there. `held_back` is asked of each
        event anew, as its door asked when it came.
        """
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._explainer = explainer
        self._pipeline = pipeline
        self._catalog = catalog
        self._held_back = held_back
        self._clock = clock

    async def groups(self, *, limit: int = 200) -> list[QuarantineGroup]:
        """Return how many events of each kind are kept, the most first. Raises OutboxUnavailable."""
        return await self._sealed_events.groups(now=self._clock(), limit=limit)

    async def preview(self, wanted: QuarantineFilter) -> Replay:
        """Return what would become of the events that a filter means; nothing changes. Raises OutboxUnavailable."""
        replay, catalog = Replay(), self._catalog()
        async for some in self._batches(wanted, replay):
            for _, _, receipt in await self._judged(some, catalog):
                replay.add(receipt)
                replay.leaving += _leaves(receipt)
        return replay

    async def replay(self, wanted: QuarantineFilter) -> Replay:
        """Accept what makes a delivery now, and erase it here. Raises OutboxUnavailable.

        What still makes none for one of its presets stays, and so does what an ad account has no room for: what the
        others made of it is a duplicate the next time.
        Sources, consent, opt-outs and memory's suppressions are asked again: what they withhold now is erased too.
        Interrupted, it may be begun again: what was accepted and not yet erased is a duplicate then.
        """
        replay, catalog = Replay(), self._catalog()
        self._pipeline.use(catalog)
        async for some in self._batches(wanted, replay):
            judged = await self._judged(some, catalog)
            wanting = [(one, event) for one, event, receipt in judged if _is_to_accept(receipt)]
            for _, _, receipt in judged:
                if not _is_to_accept(receipt):
                    replay.add(receipt)
            for (source, is_trusted), group in groupby(wanting, key=lambda each: (each[0].source, each[0].is_trusted)):
                members = list(group)
                events = [event for _, event in members]
                accepted = await self._pipeline.accept(
                    Intake(
                        events, self._clock(), source=source, is_trusted=is_trusted, is_relayed=True, is_replayed=True
                    )
                )
                ids = [one.id for (one, _), told in zip(members, accepted.events, strict=True) if _leaves(told)]
                await self._sealed_events.release(ids)
                replay.leaving += len(ids)
                for told in accepted.events:
                    replay.add(told)
        return replay

    async def discard(self, wanted: QuarantineFilter, *, dry_run: bool = False) -> int:
        """Erase the events that match a filter; return how many. A dry run only counts. Raises OutboxUnavailable."""
        count = 0
        async for some in self._kept(wanted):
            if not dry_run:
                await self._sealed_events.release([one.id for one in some])
            count += len(some)
        return count

    async def _batches(self, wanted: QuarantineFilter, replay: Replay) -> AsyncIterator[Sequence[_Opened]]:
        """Yield the events that a filter means, opened, and count them; what its source holds back now stands so."""
        async for some in self._kept(wanted):
            opened = [(one, self._sealer.open(one.sealed)) for one in some]
            readable = [(one, self._held_back(event, one.source)) for one, event in opened if event is not None]
            replay.events += len(some)
            replay.unreadable += len(some) - len(readable)
            yield readable

    async def _kept(self, wanted: QuarantineFilter) -> AsyncIterator[list[Quarantined]]:
        after = 0
        while some := await self._sealed_events.find(wanted, now=self._clock(), after=after, limit=_AT_ONCE):
            yield some
            after = some[-1].id

    async def _judged(
        self, some: Sequence[_Opened], catalog: Catalog
    ) -> list[tuple[Quarantined, Event | EventRefused, EventReceipt]]:
        """Return what would become of each event, judged as one of its source."""
        judged = []
        for (source, is_trusted), group in groupby(some, key=lambda each: (each[0].source, each[0].is_trusted)):
            members = list(group)
            events = [event for _, event in members]
            receipt = await self._explainer.receipt(
                Intake(events, self._clock(), source=source, is_trusted=is_trusted, is_relayed=True, is_replayed=True),
                catalog,
            )
            judged += [(*member, told) for member, told in zip(members, receipt.events, strict=True)]
        return judged


def _leaves(receipt: EventReceipt) -> bool:
    return not any(_waits(line) for line in receipt.deliveries)


def _waits(line: PresetResult) -> bool:
    """Return whether a delivery may still be made another time: by a mended mapping, with more room, or by a person."""
    is_full = line.outcome is Outcome.WITHHELD and line.reason == BACKLOG_FULL
    return line.outcome in _UNMENDED or is_full or is_too_dear(line)


def _is_to_accept(receipt: EventReceipt) -> bool:
    """Return whether an event is to be accepted now: what only stays where it is would be noted and counted twice."""
    return _leaves(receipt) or any(line.outcome in _DONE_AT_ONCE for line in receipt.deliveries)
