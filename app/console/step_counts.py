"""Counts by step, kept in this process once their step is over: the store is asked for what is new only."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from app.outbox.storing import HOUR_S, MINUTE_S
from app.types import Tally

#: So long after its end nothing is added to a step: clocks of several machines differ, and writing takes time.
SETTLED_S: Final = 120
#: So many steps are kept: more than the longest period has, with what it is compared with.
_KEPT: Final = 400


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
        """Return the counts since the start of a step: (start of the step, tally), also in parts.

        May raise OutboxUnavailable.
        """
        kept = self._kept.get(step_s)
        if kept is None or since < kept.since or now < kept.until:
            kept = _Steps(since, since)
        if step_s > MINUTE_S and kept.until > kept.since:  # of a long step that runs hours are kept, of an hour minutes
            finer_s = HOUR_S if step_s > HOUR_S else MINUTE_S
            finer = await self.read(since=kept.until, step_s=finer_s, now=now)
            found = [(at // step_s * step_s, tally) for at, tally in finer]
        else:
            found = [(int(at), tally) for at, tally in await self._store.tallies(since=kept.until, step_s=step_s)]
        whole = [(at, tally) for at, tallies in kept.counts.items() if at >= since for tally in tallies]
        over = max(kept.until, int(now - SETTLED_S) // step_s * step_s)
        first = max(kept.since, int(now) // step_s * step_s - _KEPT * step_s)
        counts = {at: tallies for at, tallies in kept.counts.items() if at >= first}
        for at, tally in found:
            if at < over:
                counts.setdefault(at, []).append(tally)
        self._kept[step_s] = _Steps(first, over, counts)
        return [*whole, *found]
