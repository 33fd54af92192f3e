"""What goes wrong while sending."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sending import recording, worker
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
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks twenty times a second whether it may go on, and asks the outbox again as often.

    It is not for tests of the end: the last words are recorded within one rest.
    """
    monkeypatch.setattr(worker, "REST_S", 0.05)
    monkeypatch.setattr(recording, "RECORD_AGAIN_S", 0.05)


@pytest.fixture
def clock(stage: Stage, short_rests: None) -> Time:
    """Time that passes when it is told to."""
    moved = Time()
    stage.clock = lambda: time.time() + moved.moved_s
    stage.monotonic = lambda: time.monotonic() + moved.moved_s
    return moved
