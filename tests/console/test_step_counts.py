"""Counts of steps that are over are read once, and are those of the store."""

from app.console.step_counts import SETTLED_S, StepCounts
from app.outbox.storing import DAY_S, HOUR_S
from app.types import Tally
from tests.console.world import NOW, World

HOUR = int(NOW) // HOUR_S * HOUR_S


class Watched:
    """The store, with what it was asked for."""

    def __init__(self, world: World) -> None:
        self.asked: list[float] = []
        self._outbox = world.outbox

    async def tallies(self, *, since: float, step_s: int) -> list[tuple[float, Tally]]:
        self.asked.append(since)
        return await self._outbox.tallies(since=since, step_s=step_s)


async def test_only_what_is_new_is_asked_for_and_all_is_told(world: World) -> None:
    store = Watched(world)
    steps = StepCounts(store)
    reads = [  # how long ago it begins, and when it is read
        (2 * DAY_S, 0.0),
        (2 * DAY_S, 60.0),
        (DAY_S, HOUR_S),
        (2 * DAY_S, HOUR_S + 10.0),
        (9 * DAY_S, HOUR_S + 20.0),
        (9 * DAY_S, -HOUR_S),
    ]
    for ago_s, later_s in reads:
        world.now = NOW + later_s
        await world.enqueue(tallies=[Tally(name="accepted", count=1), Tally(name="refused", count=2)])
        since = HOUR - ago_s
        found = await steps.read(since=since, step_s=HOUR_S, now=world.now)
        told = await world.outbox.tallies(since=since, step_s=HOUR_S)
        assert sorted(found, key=repr) == sorted([(int(at), tally) for at, tally in told], key=repr)
    assert store.asked == [
        HOUR - 2 * DAY_S,
        HOUR,
        HOUR,
        HOUR + HOUR_S,
        HOUR - 9 * DAY_S,
        HOUR - 9 * DAY_S,  # the clock was set back
    ]


async def test_a_step_is_over_when_nothing_more_is_added_to_it(world: World) -> None:
    store = Watched(world)
    steps = StepCounts(store)
    for later_s in (SETTLED_S - 1, SETTLED_S, SETTLED_S):
        await steps.read(since=HOUR - HOUR_S, step_s=HOUR_S, now=HOUR + later_s)
    assert store.asked == [HOUR - HOUR_S, HOUR - HOUR_S, HOUR]
