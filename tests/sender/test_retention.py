"""Retention goes in small steps."""

import asyncio

from app.errors import OutboxUnavailable
from app.sender.retention import STEP_ROWS, Retention
from tests.sender.claims import NOW
from tests.waiting import until_async


class Rows:
    """An outbox with so many rows to forget; a None is a failure."""

    def __init__(self, *steps: int | None) -> None:
        self.steps = list(steps)
        self.limits: list[tuple[float, int]] = []

    async def retain(self, *, now: float, limit: int) -> int:
        self.limits.append((now, limit))
        touched = self.steps.pop(0)
        if touched is None:
            raise OutboxUnavailable
        return touched


async def run_until_done(rows: Rows, errors: list[Exception]) -> None:
    retention = Retention(rows, clock=lambda: NOW, on_error=errors.append)
    running = asyncio.create_task(retention.run())

    async def done() -> bool:
        return not rows.steps

    await until_async(done)
    retention.stop()
    await running


async def test_step_follows_step_until_nothing_is_left(errors: list[Exception]) -> None:
    rows = Rows(500, 500, 3, 0)

    await run_until_done(rows, errors)

    assert rows.limits == [(NOW, STEP_ROWS)] * 4
    assert errors == []


async def test_an_unavailable_outbox_is_reported_and_asked_again_later(errors: list[Exception]) -> None:
    await run_until_done(Rows(500, None), errors)

    assert [type(error) for error in errors] == [OutboxUnavailable]
