"""What the pipeline accepts is counted by name, and what it could not commit is not."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.core.events import Event, EventKey, Measure, Outcome
from app.errors import EventRefused, OutboxUnavailable
from app.insights.inventory.counting import InventoryKeeper, NameCounts, Sampler
from app.outbox import Outbox, open_outbox
from app.pipeline.batcher import RequestBatcher
from app.pipeline.pipeline import Pipeline
from app.source import Intake
from tests.assembled import pipeline, shipped_catalog
from tests.outbox.build import rules
from tests.outbox.new_store import new_store

NOW = 1_772_640_800.0


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    store = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    yield store
    await store.close()


def names() -> NameCounts:
    return NameCounts(Sampler(shipped_catalog), random.Random(7), max_names=10)


def keeper(met: NameCounts, outbox: Outbox, errors: list[Exception]) -> InventoryKeeper:
    return InventoryKeeper(met, outbox.inventory, on_counts=lambda _: None, clock=lambda: NOW, on_error=errors.append)


def order(message_id: str, name: str = "Order Completed", **members: Any) -> dict[str, Any]:
    example = next(preset.example for preset in shipped_catalog().presets if preset.name == "Order Completed")
    made: dict[str, Any] = orjson.loads(orjson.dumps(example))
    made["properties"]["order_id"] = message_id
    return {**made, "event": name, "messageId": message_id, "timestamp": "2026-03-04T16:12:52.244Z", **members}


def counted(outbox: Outbox, met: NameCounts) -> Pipeline:
    made = pipeline(outbox=outbox)
    made.listeners = (met,)
    return made


@pytest.mark.slow
async def test_names_and_exits_arrive_in_the_store(outbox: Outbox) -> None:
    met, errors = names(), list[Exception]()
    accepts = RequestBatcher(counted(outbox, met))
    events: list[Event | EventRefused] = [
        order("1"),
        order("1"),
        order("2", "order completed"),
        EventRefused("no type"),
    ]
    receipt = await accepts.accept(Intake(events, now=NOW, source="shop"))
    assert receipt.counts[Outcome.DUPLICATE] == 1
    await keeper(met, outbox, errors).look()
    rows = await outbox.inventory.read(since=0, by_hour=True, counted=[Measure.RECEIVED, Measure.OUTCOME])
    found = {(count.key.name, count.counted, count.label): count.number for _, count in rows}
    assert found == {
        ("Order Completed", Measure.RECEIVED, ""): 2,
        ("Order Completed", Measure.OUTCOME, "enqueued"): 1,
        ("Order Completed", Measure.OUTCOME, "duplicate"): 1,
        ("order completed", Measure.RECEIVED, ""): 1,
        ("order completed", Measure.OUTCOME, "unmatched"): 1,
        ("", Measure.RECEIVED, ""): 1,
        ("", Measure.OUTCOME, "refused"): 1,
    }
    assert {count.key.source for _, count in rows} == {"shop"}
    key = EventKey("shop", "track", "Order Completed")
    sampled = await outbox.inventory.read(since=0, by_hour=False, counted=[Measure.SAMPLED], key=key)
    assert [count.number for _, count in sampled] == [2]
    assert errors == []


async def test_what_could_not_be_committed_is_not_counted(outbox: Outbox) -> None:
    met = names()
    accepts = counted(outbox, met)
    await outbox.close()
    with pytest.raises(OutboxUnavailable):
        await accepts.accept(Intake([order("one more")], now=NOW))
    assert [count for count in met.take() if count.counted in (Measure.RECEIVED, Measure.OUTCOME)] == []


async def test_many_events_keep_their_order(outbox: Outbox) -> None:
    met = names()
    accepts = counted(outbox, met)
    events = [order(str(n), "A" if n % 3 else "B") for n in range(200)]
    receipt = await accepts.accept(Intake(iter(events), now=NOW))
    assert [event.message_id for event in receipt.events] == [str(n) for n in range(200)]
    counts = {count.key.name: count.number for count in met.take() if count.counted is Measure.RECEIVED}
    assert counts == {"A": 133, "B": 67}
