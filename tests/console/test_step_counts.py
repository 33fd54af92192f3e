"""Counts of steps that are over are read once, and are those of the store."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from app.console.counts import SETTLED_S, StepCounts
from app.core.events import CounterRow
from app.core.values.times import DAY_S, HOUR_S, MINUTE_S
from tests.console.world import NOW, World

HOUR = int(NOW) // HOUR_S * HOUR_S


class Watched:
    """The store, with what it was asked for."""

    def __init__(self, world: World) -> None:
        self.asked: list[float] = []
        self._outbox = world.outbox

    async def counters(
        self, *, since: float, step_s: int, until: float | None, names: Collection[str] | None
    ) -> list[tuple[float, CounterRow]]:
        self.asked.append(since)
        return await self._outbox.counters(since=since, step_s=step_s, until=until, names=names)


def sums(found: Iterable[tuple[float, CounterRow]]) -> Counter[tuple[float, str]]:
    counts: Counter[tuple[float, str]] = Counter()
    for at, counter in found:
        counts[at, counter.name] += counter.count
    return counts


def settled(now: float) -> int:
    """Return until when nothing is asked for again once it was read then."""
    return int(now - SETTLED_S) // MINUTE_S * MINUTE_S


@pytest.mark.parametrize("step_s", [MINUTE_S, 300, HOUR_S, DAY_S])
async def test_only_what_is_new_is_asked_for_and_all_is_told(world: World, step_s: int) -> None:
    store: Any = Watched(world)
    steps = StepCounts(store)
    read_before = 0.0
    for later_s in (0, 60, 600, 3_000, HOUR_S, 2 * HOUR_S):
        world.now = NOW + later_s
        await world.enqueue(counters=[CounterRow(name="accepted"), CounterRow(name="refused", count=2)])
        since = HOUR // step_s * step_s - 2 * step_s
        found = await steps.read(since=since, step_s=step_s, now=world.now)
        assert sums(found) == sums(await world.outbox.counters(since=since, step_s=step_s))
        (asked,) = store.asked
        assert asked == since or asked >= min(settled(read_before), HOUR // step_s * step_s)
        assert later_s < 3_000 or asked >= settled(read_before)
        store.asked.clear()
        read_before = world.now


async def test_what_lies_further_back_is_read_anew_and_so_is_all_where_the_clock_is_set_back(world: World) -> None:
    store: Any = Watched(world)
    steps = StepCounts(store)
    for ago_s, later_s in ((DAY_S, 0), (9 * DAY_S, 10), (DAY_S, 20), (9 * DAY_S, -2 * HOUR_S)):
        await steps.read(since=HOUR - ago_s, step_s=HOUR_S, now=NOW + later_s)
    assert store.asked == [HOUR - DAY_S, HOUR - 9 * DAY_S, HOUR, HOUR - 9 * DAY_S]


async def test_a_step_is_over_when_nothing_more_is_added_to_it(world: World) -> None:
    store: Any = Watched(world)
    steps = StepCounts(store)
    for later_s in (SETTLED_S - 1, SETTLED_S, SETTLED_S):
        await steps.read(since=HOUR - MINUTE_S, step_s=MINUTE_S, now=HOUR + later_s)
    assert store.asked == [HOUR - MINUTE_S, HOUR - MINUTE_S, HOUR]


async def test_what_others_read_further_is_not_told_of_a_span_that_ended_before(world: World) -> None:
    """A page of yesterday told twice what came, once one of today had been compared with it."""
    await world.enqueue(counters=[CounterRow(name="accepted")])
    steps = StepCounts(world.outbox)
    since, until = HOUR - 2 * HOUR_S, HOUR
    for end in (until, HOUR + HOUR_S, until):
        found = await steps.read(since=since, step_s=HOUR_S, now=NOW + HOUR_S, until=end)
        assert sums(found) == sums(await world.outbox.counters(since=since, step_s=HOUR_S, until=end))
