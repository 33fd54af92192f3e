"""What a preset holds leaves when its hold is over, whatever clocks are set to while it waits.

The tables play by three clocks: the time that really passes, by which holds are judged; the clock of the machine, which
is set, and counts as that of PostgreSQL's server too; the steady one, which only goes on.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TypeAlias

import pytest

from app.core.deliveries import Withdrawal
from app.core.shared_values import CLOCK_JUMPS, ClockJump
from app.outbox import Outbox, hold_clock
from app.outbox.hold_clock import BEAT_S, UNSURE_S
from app.outbox.sqlite import SqliteOutbox
from app.sender.clocks import Clocks, ClockWatch
from app.sender.leases import Leases
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, new, rules
from tests.sender.claims import a_policy

HOLD_S = 700.0
#: How late a hold may end.
LATE_S = 60.0
STEPS_S = [sign * step for step, sign in product((3.0, 60.0, HOUR_S, DAY_S), (1, -1))]
#: Between two claims of the tables.
PACE_S = 20.0


@dataclass
class World:
    """The clocks, and what is seen."""

    #: Seconds that really passed.
    passed_s: float = 0.0
    #: By how much the clock is ahead of what it should show.
    set_by_s: float = 0.0
    #: When the machine booted, by the time that really passed.
    booted_s: float = -9_000.0
    boot: str = "first"
    jumps: list[ClockJump] = field(default_factory=list)

    def wall(self) -> float:
        return NOW + self.passed_s + self.set_by_s

    def steady(self) -> float:
        return self.passed_s - self.booted_s

    def reboot(self) -> None:
        self.booted_s, self.boot = self.passed_s, f"after {self.passed_s}"


@dataclass
class Process:
    """A process that receives and sends."""

    world: World
    outbox: Outbox
    watch: ClockWatch
    clocks: Clocks

    @property
    def at(self) -> At:
        return At(self.outbox, self.world.wall())

    async def claim(self) -> list[str]:
        """Do what a worker does before it sends; return the messages that it would send now."""
        await self.watch.look()
        claimed = await self.outbox.claim(
            ACCOUNT, limit=9, max_bytes=10**6, max_wait_s=0, lease_s=60, now=self.clocks.now()
        )
        await self.at.deliver(*claimed)
        return [each.message_id for each in claimed]

    async def cancel(self, message_id: str) -> int:
        """Return how many deliveries a cancellation withdraws."""
        asked = Withdrawal(ad_account_id=ACCOUNT, preset="checkout", message_id="c", order_id=message_id)
        (count,) = await self.outbox.withdraw([asked], now=self.world.wall())
        return count


Start: TypeAlias = Callable[[World], AbstractAsyncContextManager[Process]]


@pytest.fixture
def start(outbox_url: str) -> Start:
    """`async with start(world) as process:` begins one that shares the store with the others."""

    @asynccontextmanager
    async def begin(world: World) -> AsyncIterator[Process]:
        outbox = _opened(outbox_url, world)
        clocks = Clocks(world.wall, world.steady)
        policy = a_policy()
        leases = Leases(
            outbox.renew, lease_s=policy.lease_s, clock=clocks.now, monotonic=clocks.monotonic, on_error=lambda _: None
        )
        watch = ClockWatch(outbox, clocks, leases, policy, ad_account_id=ACCOUNT, on_jump=world.jumps.append)
        try:
            yield Process(world, outbox, watch, clocks)
        finally:
            await outbox.close()

    return begin


def _opened(url: str, world: World) -> Outbox:
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return SqliteOutbox(path, rules(), clock=world.wall, steady=world.steady, boot=world.boot)
    from app.outbox.postgres import PostgresOutbox  # noqa: PLC0415 - `make quick` needs none

    return PostgresOutbox(url, rules(), clock=world.wall, steady=world.steady, boot=world.boot)


async def enqueue(process: Process, *names: str) -> None:
    await process.at.enqueue(*(new(message_id=name, event_id=name, order_id=name, hold_s=HOLD_S) for name in names))


async def until_sent(process: Process, name: str, *, within_s: float) -> float:
    """Return after how many seconds something was sent; nothing else may be."""
    end_s = process.world.passed_s + within_s
    while process.world.passed_s < end_s:
        if sent := await process.claim():
            assert sent == [name]
            return process.world.passed_s
        process.world.passed_s += PACE_S
    raise AssertionError(f"{name} was not sent within {within_s} s")


@pytest.mark.slow
@pytest.mark.parametrize("step_s", STEPS_S)
@pytest.mark.parametrize("when", ["running", "restart"])
async def test_a_clock_that_is_set_ends_no_hold_early_and_none_late(start: Start, step_s: float, when: str) -> None:
    world = World()
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(start(world))
        assert await process.claim() == []
        await enqueue(process, "kept", "cancelled")
        for _ in range(5):
            assert await process.claim() == []
            world.passed_s += PACE_S
        if when == "restart":
            await stack.aclose()
            world.passed_s += 30
        world.set_by_s += step_s
        if when == "restart":
            process = await stack.enter_async_context(start(world))
        assert await process.claim() == []
        told = (await process.at.only_delivery("kept")).due_at or 0
        assert abs(told - world.wall() - (HOLD_S - world.passed_s)) < LATE_S
        await enqueue(process, "after")
        begun_s = world.passed_s
        while world.passed_s < HOLD_S - PACE_S:
            assert await process.claim() == []
            world.passed_s += PACE_S
        assert await process.cancel("cancelled") == 1
        assert HOLD_S <= await until_sent(process, "kept", within_s=LATE_S + PACE_S) < HOLD_S + LATE_S
        assert HOLD_S <= await until_sent(process, "after", within_s=HOLD_S) - begun_s < HOLD_S + LATE_S
        assert [round(jump.after - jump.before) for jump in world.jumps] == [step_s]
        known = await CLOCK_JUMPS.read(process.outbox)
        assert known is not None
        assert len(known.jumps) == 1


def another_machine(world: World) -> World:
    """Return what another machine has of the same time."""
    return World(passed_s=world.passed_s, booted_s=world.passed_s - 50, boot="another")


async def pass_together(worlds: list[World], processes: list[Process], seconds: float, *, pace_s: float) -> list[str]:
    """Let time pass for several processes that claim; return what they sent."""
    sent: list[str] = []
    until_s = worlds[0].passed_s + seconds
    while worlds[0].passed_s < until_s:
        for process in processes:
            sent += await process.claim()
        for world in worlds:
            world.passed_s += pace_s
    return sent


@pytest.mark.parametrize("away_s", [5.0, 600.0])
@pytest.mark.parametrize("step_s", [0, 3.0, -3.0, HOUR_S, -HOUR_S])
async def test_across_a_boot_a_hold_ends_as_far_as_anybody_can_know(start: Start, away_s: float, step_s: float) -> None:
    """A clock that was set forward meanwhile looks like time that passed: then holds end early, but not at once.

    Where it was set back by more than nobody ran, holds are late by that time.
    """
    world = World()
    async with start(world) as process:
        await enqueue(process, "kept")
        for _ in range(5):
            assert await process.claim() == []
            world.passed_s += PACE_S
    world.passed_s += away_s
    world.reboot()
    world.set_by_s += step_s
    begun_s = world.passed_s
    async with start(world) as process:
        sent_s = await until_sent(process, "kept", within_s=HOLD_S + HOUR_S)
        if step_s > 0:
            assert max(begun_s + UNSURE_S, HOLD_S - step_s) <= sent_s < HOLD_S + LATE_S
        else:
            assert HOLD_S <= sent_s < HOLD_S + LATE_S + min(-step_s, away_s)
        is_known = step_s < -away_s - PACE_S
        assert [round(jump.after - jump.before) for jump in world.jumps] == (
            [round(step_s + away_s + PACE_S)] if is_known else []
        )


@pytest.mark.slow
@pytest.mark.parametrize("step_s", [HOUR_S, -60.0])
async def test_a_machine_that_joins_others_goes_by_their_time(start: Start, step_s: float) -> None:
    """Also where the clock of the store is set just when it begins."""
    world = World()
    async with start(world) as first:
        await enqueue(first, "before")
        await pass_together([world], [first], 100, pace_s=5)
        world.set_by_s += step_s
        other = another_machine(world)
        other.set_by_s = step_s
        async with start(other) as second:
            worlds, both = [world, other], [first, second]
            await enqueue(second, "unsure")
            assert await pass_together(worlds, both, 2 * BEAT_S + UNSURE_S, pace_s=1) == []
            await enqueue(second, "sure")
            begun_s = world.passed_s
            assert await pass_together(worlds, both, HOLD_S - 20 - world.passed_s, pace_s=20) == []
            assert await pass_together(worlds, both, 20 + LATE_S, pace_s=20) == ["before"]
            await pass_together(worlds, both, begun_s + HOLD_S - 20 - world.passed_s, pace_s=20)
            assert "sure" in await pass_together(worlds, both, 20 + LATE_S, pace_s=20)


@pytest.mark.slow
async def test_a_machine_that_slept_goes_by_the_time_of_the_others(start: Start) -> None:
    world, other = World(), World(boot="another")
    async with start(world) as first, start(other) as second:
        assert [await each.claim() for each in (first, second)] == [[], []]
        await pass_together([world, other], [first, second], 100, pace_s=20)
        await pass_together([world], [first], HOUR_S, pace_s=30)
        other.set_by_s = HOUR_S  # its own clocks stood still, and a time service set one of them
        await enqueue(second, "after")
        assert await pass_together([world, other], [first, second], HOLD_S - 20, pace_s=20) == []
        assert await pass_together([world, other], [first, second], 20 + LATE_S, pace_s=20) == ["after"]


@pytest.mark.slow
async def test_where_nobody_ran_all_that_begin_believe_the_clock_of_the_store(start: Start) -> None:
    world = World()
    async with start(world) as process:
        await enqueue(process, "kept")
        await process.claim()
    world.passed_s = HOUR_S
    world.reboot()
    other = another_machine(world)
    async with start(world) as first, start(other) as second:
        assert await pass_together([world, other], [first, second], UNSURE_S - 1, pace_s=1) == []
        assert await pass_together([world, other], [first, second], LATE_S - UNSURE_S, pace_s=1) == ["kept"]


def test_a_system_that_tells_no_boot_is_another_machine_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert hold_clock.boot_id() == hold_clock.boot_id()
    monkeypatch.setattr(hold_clock, "_BOOT_ID", tmp_path / "none")
    assert hold_clock.boot_id() != hold_clock.boot_id()


def test_the_steady_clock_only_goes_on() -> None:
    first = hold_clock.steady_clock()
    assert first <= hold_clock.steady_clock() < first + HOUR_S
