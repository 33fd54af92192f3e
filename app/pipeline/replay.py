"""Replay quarantined events with the current presets and mappings."""

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

#: Returns an event of the source, or an EventHeldBack if the source must not send it now.
HeldBack: TypeAlias = Callable[[Event, str], Event | EventRefused]
_Opened: TypeAlias = tuple[Quarantined, Event | EventRefused]

#: The number of events that are decrypted, judged and accepted at once.
_AT_ONCE: Final = 500
#: Outcomes that keep an event in quarantine, regardless of other results.
_UNMENDED: Final = frozenset({Outcome.INVALID, Outcome.UNMATCHED})
#: Outcomes that take effect immediately, also for an event that stays. A repetition has no effect.
_DONE_AT_ONCE: Final = frozenset({Outcome.ENQUEUED, Outcome.MATCHED})


@dataclass(slots=True, kw_only=True)
class Replay:
    """The results, or expected results, of replayed events."""

    #: The number of events, and of those that leave the quarantine because no delivery is pending.
    events: int = 0
    leaving: int = 0
    #: Events encrypted with another key: they are unreadable, and stay until they expire.
    unreadable: int = 0
    #: Of deliveries: by outcome; and by preset, outcome and reason.
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    reasons: Counter[tuple[str, Outcome, str]] = field(default_factory=Counter)

    def add(self, receipt: EventReceipt) -> None:
        """Count the results of an event."""
        for line in receipt.deliveries:
            self.outcomes[line.outcome] += 1
            self.reasons[line.preset or "", line.outcome, line.reason] += 1


class Replaying:
    """Judges stored events with the current catalog, and accepts them as received: same ids, same times."""

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
        """Use the store, the encryption, the explainer, the pipeline, and the current catalog.

        `pipeline` must not quarantine: failed events stay where they are. `held_back` checks each event again, as its
        endpoint did at receipt.
        """
        self._sealed_events = sealed_events
        self._sealer = sealer
        self._explainer = explainer
        self._pipeline = pipeline
        self._catalog = catalog
        self._held_back = held_back
        self._clock = clock

    async def groups(self, *, limit: int = 200) -> list[QuarantineGroup]:
        """Return the number of stored events of each kind, the most frequent first. Raises OutboxUnavailable."""
        return await self._sealed_events.groups(now=self._clock(), limit=limit)

    async def preview(self, wanted: QuarantineFilter) -> Replay:
        """Return the expected results of the events that match a filter, without changes. Raises OutboxUnavailable."""
        replay, catalog = Replay(), self._catalog()
        async for some in self._batches(wanted, replay):
            for _, _, receipt in await self._judged(some, catalog):
                replay.add(receipt)
                replay.leaving += _leaves(receipt)
        return replay

    async def replay(self, wanted: QuarantineFilter) -> Replay:
        """Accept the events that make a delivery now, and delete them here. Raises OutboxUnavailable.

        Events that still fail for any of their presets stay, and so do those for an ad account without room: their
        other deliveries are duplicates the next time. Sources, consent, opt-outs and suppressions are checked again:
        events that they withhold now are deleted too. An interrupted replay may be repeated: accepted but not deleted
        events are then duplicates.
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
        """Yield the events that match a filter, decrypted, and count them; held back events are replaced."""
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
        """Return the expected result of each event, judged as an event of its source."""
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
    """Return whether a delivery may still be made later: by a fixed mapping, with more room, or by an operator."""
    is_full = line.outcome is Outcome.WITHHELD and line.reason == BACKLOG_FULL
    return line.outcome in _UNMENDED or is_full or is_too_dear(line)


def _is_to_accept(receipt: EventReceipt) -> bool:
    """Return whether to accept an event now: an event that stays unchanged would be noted and counted twice."""
    return _leaves(receipt) or any(line.outcome in _DONE_AT_ONCE for line in receipt.deliveries)
