"""Waiting for something that another process or task does: by polling, never longer than a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_S = 0.02


def until(condition: Callable[[], T], deadline_s: float = 10, what: str = "") -> T:
    """Ask until the answer is true, and return it.

    Fails with `what`, and the last answer, where that took longer than `deadline_s`.
    """
    ends_at = time.monotonic() + deadline_s
    while not (answer := condition()):
        _check(ends_at, deadline_s, what, answer)
        time.sleep(PAUSE_S)
    return answer


async def until_async(condition: Callable[[], Awaitable[T]], deadline_s: float = 10, what: str = "") -> T:
    """Do as `until`, for a condition that is awaited."""
    ends_at = time.monotonic() + deadline_s
    while not (answer := await condition()):
        _check(ends_at, deadline_s, what, answer)
        await asyncio.sleep(PAUSE_S)
    return answer


def _check(ends_at: float, deadline_s: float, what: str, answer: object) -> None:
    assert time.monotonic() < ends_at, f"not within {deadline_s:g} s: {what or 'the condition'}; last: {answer!r}"
