"""A server for each test, and outboxes on it: what the suite of the Protocol cannot see runs in real time here."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.outbox.jetstream import JetStreamOutbox
from app.types import Claimed
from tests.outbox.build import At, rules
from tests.outbox.nats_server import NatsServer
from tests.tools import need_nats

DEADLINE_S = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    need_nats()
    with NatsServer(tmp_path) as started:
        yield started


@pytest.fixture
async def open_outbox_at() -> AsyncIterator[Callable[..., JetStreamOutbox]]:
    """`open_outbox_at(server, ..., **changes of the rules)` opens an outbox on these servers."""
    opened: list[JetStreamOutbox] = []

    def open_it(*servers: NatsServer, **changes: Any) -> JetStreamOutbox:
        opened.append(JetStreamOutbox([each.url for each in servers], rules(**changes), clock=time.time))
        return opened[-1]

    yield open_it
    for outbox in opened:
        await outbox.close()


@pytest.fixture
def outbox(server: NatsServer, open_outbox_at: Callable[..., JetStreamOutbox]) -> JetStreamOutbox:
    return open_outbox_at(server)


@pytest.fixture
def other(server: NatsServer, open_outbox_at: Callable[..., JetStreamOutbox]) -> JetStreamOutbox:
    """The same store as another process has it."""
    return open_outbox_at(server)


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """Look until there is something, or fail."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(0.01)  # a poll, not a wait for time to pass
    raise TimeoutError


def now(outbox: JetStreamOutbox) -> At:
    """The outbox at this moment of the real clock."""
    return At(outbox, time.time())


async def claim_one(outbox: JetStreamOutbox, **changes: Any) -> Claimed:
    """Claim until there is one."""
    (claimed,) = await until(lambda: now(outbox).claim(**changes))
    return claimed  # type: ignore[no-any-return] # `until` answers what it was given
