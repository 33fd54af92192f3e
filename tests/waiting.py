"""Waiting for something that another process or task does: by polling, never longer than a deadline.

A deadline is meant for a machine that does nothing else; another one gets as many times longer as its cores have tasks.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.02


def slowdown() -> float:
    """Return how many times longer than usual this machine takes now: how many tasks each core has, 1 at least."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(condition: Callable[[], T], deadline_s: float = 10, what: str = "") -> T:
    """Ask until the answer is true, and return it.

    Fails with `what`, and the last answer, where that took longer than `deadline_s`.
    """
    began = time.monotonic()
    while not (answer := condition()):
        _check(began, deadline_s, what, answer)
        time.sleep(PAUSE_S)
    return answer


async def until_async(condition: Callable[[], Awaitable[T]], deadline_s: float = 10, what: str = "") -> T:
    """Do as `until`, for a condition that is awaited."""
    began = time.monotonic()
    while not (answer := await condition()):
        _check(began, deadline_s, what, answer)
        await asyncio.sleep(PAUSE_S)
    return answer


def _check(began: float, deadline_s: float, what: str, answer: object) -> None:
    took_s = time.monotonic() - began
    assert took_s < deadline_s * slowdown(), f"not within {took_s:g} s: {what or 'the condition'}; last: {answer!r}"
