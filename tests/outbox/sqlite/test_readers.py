"""Connections that read: none is waited for once they are closed."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import Connection, open_writable
from app.outbox.sqlite.guard import Guard
from app.outbox.sqlite.notifier import FileNotifier
from app.outbox.sqlite.readers import Readers
from tests.outbox.build import ACCOUNT, NOW

#: Far longer than any of this takes.
LONG_S = 30


@pytest.fixture
def readers(path: Path) -> Iterator[Readers]:
    open_writable(path).close()
    readers = Readers(path, Guard(path), count=1)
    yield readers
    readers.close()


def _one(connection: Connection) -> int:
    ((one,),) = connection.execute("SELECT 1")
    return int(one)


async def test_a_read_that_begins_after_the_close_fails_whenever_it_was_asked_for(readers: Readers) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    goes_on = threading.Event()
    busy = asyncio.create_task(asyncio.to_thread(goes_on.wait, LONG_S))
    before = asyncio.create_task(readers.read(_one))
    await asyncio.sleep(0)
    readers.close()
    goes_on.set()
    for reading in (before, readers.read(_one)):
        with pytest.raises(OutboxUnavailable, match="closed"):
            await asyncio.wait_for(reading, LONG_S)
    assert await busy


async def test_whoever_waits_returns_at_a_close_and_is_told_of_all_other_trouble(readers: Readers) -> None:
    notifier = FileNotifier(readers, lambda: NOW)
    await notifier.wait(ACCOUNT, 0)
    readers.close()
    with pytest.raises(OutboxUnavailable):
        await notifier.wait(ACCOUNT, LONG_S)
    notifier._closed = True
    assert await notifier._look(ACCOUNT, notifier._seen[ACCOUNT]) == 0
