"""What goes wrong while sending."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sending import worker
from tests.delivery.stage import Stage, a_stage
from tests.sending.passing_time import Time


@pytest.fixture
def errors() -> list[Exception]:
    """What was reported: its `append` is an `on_error`."""
    return []


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time that passes when it is told to; the worker looks for it twenty times a second."""
    monkeypatch.setattr(worker, "REST_S", 0.05)
    moved = Time()
    stage.clock = lambda: time.time() + moved.moved_s
    stage.monotonic = lambda: time.monotonic() + moved.moved_s
    return moved
