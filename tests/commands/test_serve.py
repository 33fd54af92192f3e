"""Worker processes, asked whether they live; and the banner."""

import asyncio
from collections.abc import Iterator

import psutil
import pytest
import uvicorn
from uvicorn.supervisors.multiprocess import Process

from app.commands.serve import print_banner, start_worker
from app.main import Role
from tests import assembled

#: Far longer than any of this takes.
LONG_S = 60

#: A public address with a source that has a secret.
PUBLIC = {"write_keys": "page:0123456789abcdef", "pinterest_api_url": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ({"host": "::1"}, ["POST http://[::1]:7/webhook", "POST http://[::1]:7/v1/batch", "http://[::1]:7/console"]),
        (PUBLIC | {"host": "203.0.113.9"}, ["POST http://203.0.113.9:7/v1/batch"]),
        (
            PUBLIC | {"host": "203.0.113.9", "console_password": "0123456789abcdef"},
            ["POST http://203.0.113.9:7/v1/batch", "http://203.0.113.9:7/console"],
        ),
    ],
)
def test_the_banner_lists_what_is_open(
    given: dict[str, str], listed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_banner(assembled.settings(**given), Role.ALL, 7)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.startswith(("  events", "  console"))] == listed


@pytest.fixture
def worker() -> Iterator[Process]:
    """A worker that answers nothing: it is stopped while it begins."""
    worker = start_worker(uvicorn.Config("app.main:nothing", workers=2), [])
    psutil.Process(worker.pid).suspend()
    yield worker
    worker.kill()
    worker.join()


@pytest.mark.whole
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


@pytest.mark.whole
def test_one_that_hangs_is_given_up(worker: Process) -> None:
    assert not worker.is_alive(timeout=0.01)
