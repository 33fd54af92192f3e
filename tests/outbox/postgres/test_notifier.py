"""Waiting: word from other processes arrives by NOTIFY, and what arrives by no word is found by asking."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.outbox.notifier import POLL_S
from app.outbox.postgres.connections import SQL
from tests.outbox.build import ACCOUNT, At, new
from tests.waiting import until_async

LONG_S = 30


async def seconds_of_wait(at: At) -> float:
    started = time.monotonic()
    await at.outbox.wait(ACCOUNT, LONG_S)
    return time.monotonic() - started


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hears what others tell."""

    async def deaf(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.outbox.postgres.notifier.ServerNotifier._listen", deaf)


@pytest.mark.usefixtures("silent")
async def test_without_notify_what_others_enqueue_is_found_soon(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    await at.be_idle()
    waiting = asyncio.create_task(seconds_of_wait(at))
    await asyncio.sleep(0)
    await other.enqueue(new())
    assert await waiting < LONG_S / 2


async def test_by_notify_it_is_heard_at_once(
    at: At, open_at: Callable[..., At], execute: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.notifier.POLL_S", LONG_S)
    other = open_at()
    await at.be_idle()
    waiting = asyncio.create_task(seconds_of_wait(at))
    await until_async(lambda: listeners(execute))
    await other.enqueue(new())
    assert await waiting < LONG_S / 2


async def listeners(execute: Callable[..., list[Any]]) -> list[Any]:
    return execute(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%%LISTEN%%' AND datname = current_database()"
        " AND application_name = 'pinrelay'",
        x=1,
    )


async def test_a_listener_that_was_cut_off_listens_again(
    at: At, execute: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.postgres.notifier._DEAF_S", 0.01)
    await at.be_idle()
    ((first,),) = await until_async(lambda: listeners(execute))
    execute("SELECT pg_terminate_backend(%(pid)s)", pid=first)

    async def another() -> bool:
        return [pid for (pid,) in await listeners(execute) if pid != first] != []

    await until_async(another)


async def test_where_listening_fails_asking_goes_on(
    at: At, open_at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SQL, "listen", b"LISTEN to what")
    await test_without_notify_what_others_enqueue_is_found_soon(at, open_at)


async def test_a_pause_is_not_longer_than_until_something_is_due(at: At) -> None:
    assert POLL_S < 1
    await at.be_idle()
    await asyncio.wait_for(at.outbox.wait(ACCOUNT, 0.1), 10)
