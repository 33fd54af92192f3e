"""The counts of a process reach the store: every few seconds, at its end, and never at the cost of a request."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.events import Measure
from app.errors import OutboxUnavailable
from app.insights.inventory.counting import InventoryKeeper, NameCounted, NameCounts, Sampler
from app.outbox import Outbox, open_outbox
from app.sender import shutdown
from tests.assembled import shipped_catalog
from tests.outbox.build import rules
from tests.outbox.new_store import new_store
from tests.waiting import until_async

NOW = 1_772_640_800.0


def meet(names: NameCounts) -> None:
    met: list[NameCounted] = []
    list(map(names.observer("shop", met), [{"type": "track", "event": "A", "messageId": "m"}]))
    met[0].count(())


@pytest.fixture
async def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outbox]:
    """An empty store, which a keeper writes to again and again."""
    monkeypatch.setattr(shutdown, "WRITTEN_EVERY_S", 0.01)
    opened = open_outbox(new_store(tmp_path, "o.db"), rules())
    yield opened
    await opened.close()


@pytest.fixture
def names() -> NameCounts:
    return NameCounts(Sampler(shipped_catalog), random.Random(1), max_names=9)


async def received(outbox: Outbox) -> list[int]:
    rows = await outbox.inventory.read(since=0, by_hour=False, counted=[Measure.RECEIVED])
    return [count.number for _, count in rows]


async def test_what_is_counted_during_a_write_is_written_though_the_end_was_asked_for_meanwhile(
    outbox: Outbox, names: NameCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = asyncio.Event(), asyncio.Event()
    write = outbox.inventory.add

    async def add_slowly(counts: Any, **given: Any) -> None:
        begun.set()
        await may_go_on.wait()
        await write(counts, **given)

    monkeypatch.setattr(outbox.inventory, "add", add_slowly)
    keeper = InventoryKeeper(names, outbox.inventory, on_counts=lambda _: None, clock=lambda: NOW, on_error=print)
    meet(names)
    running = asyncio.create_task(keeper.run())
    await begun.wait()
    meet(names)
    keeper.stop()
    may_go_on.set()
    await running
    assert await received(outbox) == [2]


async def test_counts_are_written_while_it_runs_and_the_last_ones_at_its_end(
    outbox: Outbox, names: NameCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = []
    seen: list[Any] = []
    keeper = InventoryKeeper(names, outbox.inventory, on_counts=seen.append, clock=lambda: NOW, on_error=errors.append)
    meet(names)
    running = asyncio.create_task(keeper.run())

    async def is_there() -> bool:
        return await received(outbox) == [1]

    await until_async(is_there)
    monkeypatch.setattr(shutdown, "WRITTEN_EVERY_S", 60)
    meet(names)
    keeper.stop()
    await running
    assert await received(outbox) == [2]
    await outbox.close()
    meet(names)
    await keeper.run()
    assert [type(error) for error in errors] == [OutboxUnavailable]
    assert names.take() == []
    assert sum(count.number for counts in seen for count in counts if count.counted is Measure.RECEIVED) == 3
