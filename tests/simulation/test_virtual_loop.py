"""Time passes only where nobody can do anything, and a loop that is killed or frozen does nothing."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from tests.simulation.virtual_loop import Universe


def test_a_sleep_of_a_day_takes_a_day_of_its_own_time_only() -> None:
    universe = Universe(Random(1))
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(universe.now)

    for seconds in (86_400, 5, 5):
        universe.loop().create_task(sleep(seconds))
    _exhaust(universe)

    assert woken == [5, 5, 86_400]


def test_which_of_two_processes_goes_on_is_drawn_and_one_of_them_keeps_its_order() -> None:
    def order(seed: int) -> list[str]:
        universe = Universe(Random(seed))
        done: list[str] = []

        async def work(name: str) -> None:
            for number in range(5):
                done.append(f"{name}{number}")
                await asyncio.sleep(0)

        for name in "ab":
            universe.loop().create_task(work(name))
        _exhaust(universe)
        return done

    orders = {tuple(order(seed)) for seed in range(20)}
    assert len(orders) > 10
    assert order(3) == order(3)
    for each in orders:
        assert [name for name in each if name[0] == "a"] == ["a0", "a1", "a2", "a3", "a4"]


def test_a_process_dies_after_as_many_callbacks_as_it_was_told_and_is_unwound_quietly() -> None:
    universe = Universe(Random(1))
    loop = universe.loop()
    done: list[int] = []

    async def work() -> None:
        for number in range(100):
            done.append(number)
            await asyncio.sleep(0)

    loop.create_task(work())
    loop.after_steps(7, loop.end)
    _exhaust(universe)
    assert done == list(range(7))
    loop.unwind()
    assert loop.failures == []


def test_a_frozen_process_goes_on_later_and_what_waited_for_time_was_not_early() -> None:
    universe = Universe(Random(1))
    loop = universe.loop()
    woken: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(2)
        woken.append(universe.now)

    loop.create_task(sleep())
    universe.step()
    loop.freeze(30)
    _exhaust(universe)
    assert woken == [30]


def test_work_of_another_thread_is_done_in_turn_and_its_error_is_handed_on() -> None:
    universe = Universe(Random(1))
    results: list[object] = []

    async def work() -> None:
        results.append(await asyncio.to_thread(lambda: 1 + 1))
        results.extend(await asyncio.gather(asyncio.to_thread(_fail), return_exceptions=True))

    universe.loop().create_task(work())
    _exhaust(universe)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)


def test_what_nobody_awaits_is_noted() -> None:
    universe = Universe(Random(1))
    loop = universe.loop()
    loop.call_soon(_fail)
    _exhaust(universe)
    assert [type(failure["exception"]) for failure in loop.failures] == [ValueError]


def test_timeouts_and_races_go_by_the_time_of_the_universe() -> None:
    universe = Universe(Random(1))
    told: list[object] = []

    async def run(work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(10):
                await work
        except TimeoutError:
            told.append(universe.now)

    universe.loop().create_task(run(asyncio.sleep(3_600)))
    _exhaust(universe)
    assert told == [10]


def _exhaust(universe: Universe) -> None:
    for _ in range(10_000):
        if not universe.step():
            return
    raise AssertionError


def _fail() -> None:
    raise ValueError
