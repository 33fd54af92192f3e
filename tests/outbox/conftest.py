"""The engines that the suite of the Protocol runs against.

Every `test_*.py` of this folder holds for every engine. To add one: its name in ENGINES and its URL in `outbox_url`.
What only one engine promises is tested in a folder of its name.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import NOW, At, rules
from tests.outbox.new_store import new_store
from tests.outbox.postgres_server import PostgresServer

ENGINES = ("sqlite", "postgres")


class Clock:
    """What `Outbox.wait` takes for the time; it stands still unless a test moves it."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", *(pytest.param(engine, marks=pytest.mark.whole) for engine in ENGINES[1:])])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def outbox_url(empty_store: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of an empty store of each engine."""
    with empty_store() as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> str:
    """The name of a database with the schema, of which every test gets a copy: made in a tenth of a second."""

    async def make() -> None:
        outbox = open_outbox(postgres_server.create("template"), rules())
        await outbox.check()
        await outbox.close()

    asyncio.run(make())
    return "template"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, template: str) -> Iterator[str]:
    """The URL of a database of this test's own, with the schema and nothing in it."""
    with postgres_server.database(template) as url:
        yield url


@pytest.fixture
def empty_store(
    request: pytest.FixtureRequest, engine: str, tmp_path: Path
) -> Callable[[], AbstractContextManager[str]]:
    """`with empty_store() as url:` gives a test one store after the other."""
    if engine == "postgres":
        server, template = (request.getfixturevalue(name) for name in ("postgres_server", "template"))
        return lambda: server.store(template)
    names = itertools.count()
    return lambda: nullcontext(new_store(tmp_path, f"{next(names)}.db"))


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
