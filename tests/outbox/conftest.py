"""The engines that the suite of the Protocol runs against.

Every `test_*.py` of this folder holds for every engine. To add one: its name in ENGINES and its URL in `outbox_url`.
What only one engine promises is tested in a folder of its name.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import NOW, At, rules
from tests.outbox.nats_server import empty_outbox
from tests.tools import need_nats

ENGINES = ("sqlite", "nats")


class Clock:
    """What `Outbox.wait` takes for the time; it stands still unless a test moves it."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "nats":
        need_nats()
    return name


@pytest.fixture
def outbox_url(engine: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of each engine."""
    with empty_outbox(tmp_path, engine) as url:
        yield url


@pytest.fixture
def by_our_clock(engine: str) -> None:
    """For what a test can see only if the store takes `now` for the time."""
    if engine == "nats":
        pytest.skip("leases, pauses and ages run by the servers' clock: tests/outbox/jetstream has them in real time")


@pytest.fixture
def exact_turns(engine: str) -> None:
    """For shares of a claim that need a look at all that is due."""
    if engine == "nats":
        pytest.skip("JetStream hands retries out first; turns are taken among what is at hand (docs/cluster.md)")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_at(outbox_url: str, clock: Clock) -> AsyncIterator[Callable[..., At]]:
    """`open_at(**changes of the rules)` opens the store, once more each time, as several processes do."""
    opened: list[Outbox] = []

    def open_it(**changes: Any) -> At:
        opened.append(open_outbox(outbox_url, rules(**changes), clock=clock))
        return At(opened[-1])

    yield open_it
    for outbox in opened:
        await outbox.close()


@pytest.fixture
def at(open_at: Callable[..., At]) -> At:
    """An empty outbox with the default rules at NOW."""
    return open_at()
