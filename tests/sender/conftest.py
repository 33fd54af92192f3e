"""A real outbox, and what goes wrong."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.outbox import Outbox, open_outbox
from app.sender import settlements, worker
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store
from tests.sender.passing_time import Time
from tests.sender.stage import Stage, a_stage

RULES = outbox_rules()


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    """An empty SQLite outbox."""
    opened = open_outbox(new_store(tmp_path), RULES)
    yield opened
    await opened.close()


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
    monkeypatch.setattr(settlements, "RECORD_AGAIN_S", 0.05)


@pytest.fixture
def clock(stage: Stage, short_rests: None) -> Time:
    """Time that passes when it is told to."""
    moved = Time()
    stage.clock = lambda: time.time() + moved.moved_s
    stage.monotonic = lambda: time.monotonic() + moved.moved_s
    return moved
