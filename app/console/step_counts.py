"""Counts by step, kept in this process once their step is over: the store is asked for what is new only."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.console.periods import Period
from app.core.events import Exit, Tally
from app.core.values.times import HOUR_S, MINUTE_S

#: So long after its end nothing is added to a step: clocks of several machines differ, and writing takes time.
SETTLED_S: Final = 120
#: So many steps are kept: more than the longest period has, with what it is compared with.
_KEPT: Final = 400


class CountsBySteps(Protocol):
    """The part of the store that counts."""

    async def tallies(
        self, *, since: float, step_s: int, until: float | None, names: Collection[str] | None
    ) -> list[tuple[float, Tally]]:
        """Do `Outbox.tallies`. May raise OutboxUnavailable."""


@dataclass(slots=True)
class _Steps:
    """Steps of one length that are over, without a gap."""

    since: int
    until: int
    counts: dict[int, list[Tally]] = field(default_factory=dict)


class StepCounts:
    """Reads counts by steps, of some names or of all (None), and each step that is over once."""

    def __init__(self, store: CountsBySteps, names: Collection[str] | None = None) -> None:
        self._store = store
        self._names = names
        self._kept: dict[int, _Steps] = {}

    async def read(self, *, since: int, step_s: int, now: float, until: int | None = None) -> list[tuple[int, Tally]]:
        """Return the counts since the start of a step: (start of the step, tally), also in parts.

        `until` is the end of a step. May raise OutboxUnavailable.
        """
        kept = self._kept.get(step_s)
        if kept is None or since < kept.since or now < kept.until:
            kept = _Steps(since, since)
        # Of a long step that runs hours are kept, of an hour minutes.
        if until is None and step_s > MINUTE_S and kept.until > kept.since:
            finer_s = HOUR_S if step_s > HOUR_S else MINUTE_S
            finer = await self.read(since=kept.until, step_s=finer_s, now=now)
            found = [(at // step_s * step_s, tally) for at, tally in finer]
        else:
            new = await self._store.tallies(since=kept.until, step_s=step_s, until=until, names=self._names)
            found = [(int(at), tally) for at, tally in new]
        whole = [(at, tally) for at, tallies in kept.counts.items() if at >= since for tally in tallies]
        settled = now - SETTLED_S if until is None else min(now - SETTLED_S, until)
        over = max(kept.until, int(settled) // step_s * step_s)
        first = max(kept.since, int(now) // step_s * step_s - _KEPT * step_s)
        counts = {at: tallies for at, tallies in kept.counts.items() if at >= first}
        for at, tally in found:
            if at < over:
                counts.setdefault(at, []).append(tally)
        self._kept[step_s] = _Steps(first, over, counts)
        return [*whole, *found]


class PeriodCounts:
    """Reads what is counted in a period, in what it is compared with, and of Pinterest's answers."""

    def __init__(self, store: CountsBySteps) -> None:
        self._counts = StepCounts(store)
        self._calls = StepCounts(store, names=("calls",))
        #: By how many seconds they lie back: of what is compared, exits alone.
        self._earlier: defaultdict[int, StepCounts] = defaultdict(lambda: StepCounts(store, names=tuple(Exit)))

    async def read(self, period: Period, shifts: Iterable[int], *, now: float) -> list[tuple[int, Tally]]:
        """Return the counts of a period, and the exits of what lies so many seconds back.

        May raise OutboxUnavailable.
        """
        since = period.starts(now)[0]
        counts = await self._counts.read(since=since, step_s=period.step_s, now=now)
        for shift in set(shifts):
            until = since + period.length_s - shift
            earlier = self._earlier[shift]
            counts += await earlier.read(since=since - shift, step_s=period.step_s, now=now, until=until)
        return counts

    async def calls(self, *, since: int, now: float) -> list[tuple[int, Tally]]:
        """Return the calls to Pinterest by minute since the start of one. May raise OutboxUnavailable."""
        return await self._calls.read(since=since, step_s=MINUTE_S, now=now)
