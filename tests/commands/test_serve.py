"""Worker processes, asked whether they live."""

import asyncio
from collections.abc import Iterator

import psutil
import pytest
import uvicorn
from uvicorn.supervisors.multiprocess import Process

from app.commands.serve import start_worker

#: Far longer than any of this takes.
LONG_S = 60

pytestmark = pytest.mark.whole


@pytest.fixture
def worker() -> Iterator[Process]:
    """A worker that answers nothing: it is stopped while it begins."""
    worker = start_worker(uvicorn.Config("app.main:nothing", workers=2), [])
    psutil.Process(worker.pid).suspend()
    yield worker
    worker.kill()
    worker.join()


async def test_one_that_is_killed_while_it_is_asked_keeps_nobody_waiting(
    worker: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, poll, asked = asyncio.get_running_loop(), worker.parent_conn.poll, asyncio.Event()

    def noted(timeout: float) -> bool:
        loop.call_soon_threadsafe(asked.set)
        return poll(timeout)

    monkeypatch.setattr(worker.parent_conn, "poll", noted)
    lives = asyncio.create_task(asyncio.to_thread(worker.is_alive, LONG_S))
    await asyncio.wait_for(asked.wait(), LONG_S / 2)
    psutil.Process(worker.pid).kill()
    assert not await asyncio.wait_for(lives, LONG_S / 2)


def test_one_that_hangs_is_given_up(worker: Process) -> None:
    assert not worker.is_alive(timeout=0.01)
