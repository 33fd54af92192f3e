"""Retention goes in small steps, faster while it is behind, and tells where it stays behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from app.core.shared_values import RETENTION_BEHIND
from app.errors import OutboxUnavailable
from app.outbox import Outbox, open_outbox
from app.sender.clocks import Clocks
from app.sender.retention import MOST_STEP_ROWS, STEP_ROWS, Retention
from tests.outbox.build import rules
from tests.sender.claims import NOW
from tests.waiting import until_async

#: In place of a number of rows: as many as the step may touch.
FULL = -1


class Rows:
    """An outbox with so many rows to forget, step by step; a None is a failure. Each step takes a time of its own."""

    def __init__(self, store: Outbox, *steps: int | None, step_s: float = 0.001) -> None:
        self.steps = list(steps)
        self.step_s = step_s
        self.limits: list[tuple[float, int]] = []
        self.passed_s = 0.0
        self.get_shared, self.put_shared, self.list_shared = store.get_shared, store.put_shared, store.list_shared

    async def retain(self, *, now: float, limit: int) -> int:
        self.limits.append((now, limit))
        touched = self.steps.pop(0)
        self.passed_s += self.step_s
        if touched is None:
            raise OutboxUnavailable
        return limit if touched == FULL else touched


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Outbox]:
    outbox = open_outbox(f"sqlite:///{tmp_path}/o.db", rules())
    yield outbox
    await outbox.close()


async def run_until_done(rows: Rows, errors: list[Exception]) -> None:
    clocks = Clocks(lambda: NOW + rows.passed_s, lambda: rows.passed_s)
    retention = Retention(cast("Outbox", rows), clocks=clocks, on_error=errors.append)
    running = asyncio.create_task(retention.run())

    async def done() -> bool:
        return not rows.steps

    await until_async(done)
    retention.stop()
    await running


async def test_step_follows_step_until_nothing_is_left(store: Outbox, errors: list[Exception]) -> None:
    rows = Rows(store, 499, 499, 3, 0, step_s=0)

    await run_until_done(rows, errors)

    assert rows.limits == [(NOW, STEP_ROWS)] * 4
    assert errors == []


async def test_an_unavailable_outbox_is_reported_and_asked_again_later(store: Outbox, errors: list[Exception]) -> None:
    await run_until_done(Rows(store, 500, None), errors)

    assert [type(error) for error in errors] == [OutboxUnavailable]


@pytest.mark.parametrize(
    ("step_s", "limits"),
    [
        (0.001, [500, 1_000, 2_000, 4_000, 8_000, MOST_STEP_ROWS, MOST_STEP_ROWS]),  # quick: twice as many each time
        (0.03, [500] * 7),  # as long as a step should take
        (0.2, [500] * 7),  # slow: never fewer than a first step's
    ],
)
async def test_steps_that_use_up_their_rows_grow_as_long_as_they_are_quick(
    store: Outbox, errors: list[Exception], step_s: float, limits: list[int]
) -> None:
    rows = Rows(store, *[FULL] * (len(limits) - 1), 0, step_s=step_s)
    await run_until_done(rows, errors)
    assert [limit for _, limit in rows.limits] == limits


async def test_steps_that_have_become_slow_shrink_again(store: Outbox, errors: list[Exception]) -> None:
    rows = Rows(store, *[FULL] * 5, 0)
    quick = rows.retain

    async def retain(*, now: float, limit: int) -> int:
        rows.step_s = 0.06 if limit >= 2_000 else 0.001
        return await quick(now=now, limit=limit)

    rows.retain = retain  # type: ignore[method-assign] # the time of a step follows its rows
    await run_until_done(rows, errors)
    assert [limit for _, limit in rows.limits] == [500, 1_000, 2_000, 1_000, 2_000, 1_000]


@pytest.mark.parametrize(
    ("steps", "behind_since"),
    [
        ([FULL, FULL], None),  # 50 s
        ([FULL, FULL, FULL], 0),
        ([FULL, 3, FULL, FULL], None),
        ([3, FULL, FULL, FULL], 25),
        ([FULL, FULL, FULL, FULL, 3], None),
        ([FULL, FULL, FULL, 3, FULL, FULL, FULL], 100),
    ],
)
async def test_it_tells_since_when_it_is_behind_after_a_minute(
    store: Outbox, errors: list[Exception], steps: list[int], behind_since: float | None
) -> None:
    """Each step takes 25 s. What another process told before is taken back by the first step that leaves rows over."""
    await RETENTION_BEHIND.write(store, None)
    await run_until_done(Rows(store, *steps, step_s=25), errors)
    behind = await RETENTION_BEHIND.read(store)
    assert (behind - NOW if behind else None) == behind_since
    await run_until_done(Rows(store, 0), errors)
    assert await RETENTION_BEHIND.read(store) is None
    assert errors == []
