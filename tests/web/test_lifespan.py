"""What runs beside the requests; and that requests and calls leave nothing that only the garbage collector finds."""

import asyncio
import gc
import itertools
import os
import signal
import sys
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.config import load_settings
from app.destination import load_place_names
from app.main import create_app
from app.web import lifespan
from tests.outbox.new_store import new_store
from tests.waiting import until_async

ARRAYS, ARRAY = 10, 100


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """The whole application, sending to the sandbox inside it, and not waiting for a batch to fill."""
    load_place_names()  # else a thread does, with garbage of its own
    return create_app(load_settings(outbox_url=new_store(tmp_path, "outbox.db"), batch_max_wait_s=0))


class _Knot:
    """Holds itself."""

    def __init__(self) -> None:
        self.own = self


def array(number: int) -> list[dict[str, object]]:
    who = {"ip": "203.0.113.9", "userAgent": "x"}
    return [{"type": "page", "messageId": f"page-{number}-{place}", "context": who} for place in range(ARRAY)]


@pytest.mark.slow
@pytest.mark.usefixtures("tuned_back")
async def test_receiving_and_delivering_leave_no_garbage(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):

        async def answer(request: httpx.Request) -> httpx.Response:
            response = await client.send(request)
            response.stream = httpx.ByteStream(b"")  # the tests' own client must leave nothing either
            return response

        async def deliver(number: int) -> None:
            posted = await answer(client.build_request("POST", "/webhook", json=array(number)))
            assert posted.json()["counts"]["enqueued"] == ARRAY
            await until_async(delivered)

        async def delivered() -> bool:
            delivery = (await answer(client.build_request("GET", "/readyz"))).json()["delivery"]
            return bool(delivery["pending"] == delivery["claimed"] == 0)

        await deliver(0)  # what is made once
        gc.collect()
        gc.disable()
        try:
            for number in range(1, ARRAYS + 1):
                await deliver(number)
            unreachable = gc.collect()
        finally:
            gc.enable()

    assert unreachable < ARRAYS


@pytest.mark.usefixtures("tuned_back")
async def test_garbage_is_looked_for_by_time_and_what_lives_on_is_passed_over(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "COLLECT_S", 0.01)
    monkeypatch.setattr(lifespan, "MOST_FREEZES", 1)
    async with app.router.lifespan_context(app):
        gc.disable()
        try:
            many, frozen = 2 * lifespan.MANY_BLOCKS, [gc.get_freeze_count()]
            kept: list[list[list[int]]] = []
            for _ in range(3):
                kept.append([[] for _ in range(many)])
                for _ in range(2):  # of the first look nobody knows whether it was before
                    await until_async(partial(_is_gone, weakref.ref(_Knot())))
                frozen.append(gc.get_freeze_count())
            grown = [after - before > many // 2 for before, after in itertools.pairwise(frozen)]
            assert grown == [True, False, False]
        finally:
            gc.enable()


@pytest.mark.usefixtures("tuned_back")
async def test_a_collection_disturbs_no_tuple_that_a_thread_builds(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifespan, "COLLECT_S", 0.001)
    monkeypatch.setattr(lifespan, "MANY_BLOCKS", sys.maxsize)
    async with app.router.lifespan_context(app):
        many = [[number] for number in range(200_000)]
        built = await asyncio.to_thread(lambda: [len(tuple(each for each in range(300))) for _ in range(20_000)])
    assert len(many) == len(built) * 10


async def _is_gone(knot: Callable[[], object]) -> bool:
    return knot() is None


class _Fails:
    """A background task, other processes and files, of which each step but every third fails."""

    def __init__(self) -> None:
        self.steps = {"run": 0, "refresh": 0, "look": 0}
        self.coordination = self
        self.stopped = asyncio.Event()

    def step(self, name: str) -> None:
        self.steps[name] += 1
        if self.steps[name] % 3:
            raise ZeroDivisionError(name)

    async def announce(self) -> None:
        """Nobody is told."""

    async def refresh(self, *, now: float) -> None:
        if self.steps["look"]:  # not at the start
            self.step("refresh")

    def look(self) -> None:
        self.step("look")

    async def run(self) -> None:
        while not self.stopped.is_set():
            self.step("run")
            await asyncio.sleep(0)

    def stop(self) -> None:
        self.stopped.set()


@pytest.mark.usefixtures("tuned_back")
async def test_what_fails_in_the_background_is_told_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifespan, "REFRESH_S", 0.01)
    monkeypatch.setattr(lifespan, "FAILED_PAUSE_S", 0.01)
    fails = _Fails()
    changes: Any = fails
    running = lifespan.lifespan(
        changes,
        changes,
        [fails],
        begin=fails.announce,
        closing=(),
        look_at_files=fails.look,
        test_files=lambda: None,
        clock=lambda: 0.0,
    )

    async def has_begun_anew() -> bool:
        return min(fails.steps.values()) > 3

    with capture_logs() as logs:
        async with asyncio.timeout(10), running(FastAPI()):
            await until_async(has_begun_anew)

    assert {str(log["exc_info"]) for log in logs} == {"run", "refresh", "look"}


@pytest.mark.usefixtures("tuned_back")
async def test_the_tests_of_files_run_once_a_while_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifespan, "TESTED_AFTER_S", 0.01)
    changes: Any = _Fails()
    ran: list[str] = []
    running = lifespan.lifespan(
        changes,
        changes,
        (),
        begin=changes.announce,
        closing=(),
        look_at_files=changes.look,
        test_files=lambda: ran.append("tests"),
        clock=lambda: 0.0,
    )

    async def have_run() -> bool:
        return bool(ran)

    async with asyncio.timeout(10), running(FastAPI()):
        await until_async(have_run)
    assert ran == ["tests"]


class _Closes:
    """Something to be closed, whose end may fail."""

    def __init__(self, *, fails: bool) -> None:
        self.is_closed = False
        self._fails = fails

    async def close(self) -> None:
        self.is_closed = True
        if self._fails:
            raise ZeroDivisionError("close")


@pytest.mark.usefixtures("tuned_back")
async def test_what_is_closed_behind_one_that_fails_is_closed_all_the_same() -> None:
    changes: Any = _Fails()
    closing = [_Closes(fails=True), _Closes(fails=False)]
    running = lifespan.lifespan(
        changes,
        changes,
        (),
        begin=changes.announce,
        closing=closing,
        look_at_files=changes.look,
        test_files=lambda: None,
        clock=lambda: 0.0,
    )
    with capture_logs() as logs:
        async with running(FastAPI()):
            pass
    assert [each.is_closed for each in closing] == [True, True]
    assert [str(log["exc_info"]) for log in logs] == ["close"]


@pytest.mark.usefixtures("tuned_back")
async def test_a_reload_by_signal_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: Any = _Fails()
    asked = asyncio.Event()

    async def reload(person: Any) -> bool:
        asked.set()
        raise ZeroDivisionError(person.name)

    changes.reload = reload
    running = lifespan.lifespan(
        changes,
        changes,
        (),
        begin=changes.announce,
        closing=(),
        look_at_files=changes.look,
        test_files=lambda: None,
        clock=lambda: 0.0,
    )
    with capture_logs() as logs:
        async with running(FastAPI()):
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.wait_for(asked.wait(), 10)
    assert [str(log["exc_info"]) for log in logs] == ["SIGHUP"]
