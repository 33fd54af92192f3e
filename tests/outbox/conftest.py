"""The engines that the suite of the Protocol runs against.

Every `test_*.py` of this folder holds for every engine. To add one: its name in ENGINES and its URL in `outbox_url`.
What only one engine promises is tested in a folder of its name.
"""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from app.outbox import Outbox, open_outbox
from tests.outbox.build import NOW, At, rules

ENGINES = ("sqlite",)


class Clock:
    """What `Outbox.wait` takes for the time; it stands still unless a test moves it."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=ENGINES)
def outbox_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each engine."""
    return {"sqlite": f"sqlite:///{tmp_path}/outbox.db"}[request.param]


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
