"""Counts by step, kept in this process once their step is over: the store is asked for what is new only."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from app.outbox.storing import DAY_S
from app.types import Tally

#: So long after its end nothing is added to a step: clocks of several machines differ, and writing takes time.
SETTLED_S: Final = 120
#: Periods with the same steps begin by so much one before the other: what one needs is kept for the other.
_LONGER_S: Final = 2 * DAY_S


class CountsBySteps(Protocol):
    """The part of the store that counts."""

    async def tallies(self, *, since: float, step_s: int) -> list[tuple[float, Tally]]:
        """Return the counts since then by steps. May raise OutboxUnavailable."""


@dataclass(slots=True)
class _Steps:
    """Steps of one length that are over, without a gap."""

    since: int
    until: int
    counts: dict[int, list[Tally]] = field(default_factory=dict)


class StepCounts:
    """Reads counts by steps, and each step that is over once."""

    def __init__(self, store: CountsBySteps) -> None:
        self._store = store
        self._kept: dict[int, _Steps] = {}

    async def read(self, *, since: int, step_s: int, now: float) -> list[tuple[int, Tally]]:
        """Return the counts since the start of a step: (start of the step, tally). May raise OutboxUnavailable."""
        kept = self._kept.get(step_s)
        if kept is None or since < kept.since or now < kept.until:
            kept = _Steps(since, since)
        found = [(int(at), tally) for at, tally in await self._store.tallies(since=kept.until, step_s=step_s)]
        whole = [(at, tally) for at, tallies in kept.counts.items() if at >= since for tally in tallies]
        over = max(kept.until, int(now - SETTLED_S) // step_s * step_s)
        first = max(kept.since, since - _LONGER_S)
        counts = {at: tallies for at, tallies in kept.counts.items() if at >= first}
        for at, tally in found:
            if at < over:
                counts.setdefault(at, []).append(tally)
        self._kept[step_s] = _Steps(first, over, counts)
        return [*whole, *found]
