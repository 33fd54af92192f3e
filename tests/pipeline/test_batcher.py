"""Small requests go together, and nobody notices: over a real pipeline and a real outbox."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from app.catalog import Catalog
from app.core.events import Outcome
from app.core.pages import Query
from app.core.receipts import Receipt
from app.errors import BacklogFull, EventRefused
from app.outbox import Outbox, open_outbox
from app.pipeline.batcher import MAX_BATCH, MAX_BATCHES_IN_FLIGHT, MIN_BATCH, RequestBatcher
from app.pipeline.pipeline import Pipeline
from app.pipeline.receipts import BACKLOG_FULL
from app.pipeline.router import AdAccount, Router
from app.source import Intake
from tests.assembled import shipped_catalog
from tests.outbox.build import rules as outbox_rules
from tests.outbox.new_store import new_store

NOW = 1_772_640_800.0
MAX_BACKLOG = 2 * MAX_BATCH


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return shipped_catalog()


@pytest.fixture
async def outbox(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Outbox]:
    """Return an outbox with room for MAX_BACKLOG deliveries of events with ids of twelve characters."""
    ((_, payload),) = Pipeline(catalog, Router()).map_event(orjson.dumps(event("twelve chars")), NOW)
    rules = outbox_rules(outbox_max_backlog_bytes=MAX_BACKLOG * len(payload))
    store = open_outbox(new_store(tmp_path, "o.db"), rules, clock=lambda: NOW)
    yield store
    await store.close()


class Watched:
    """A pipeline, and how many events each of its calls brought; a fault of ours on an event named "fault"."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.calls: list[int] = []
        self.may_begin = asyncio.Event()
        self.may_begin.set()

    async def accept(self, intake: Intake) -> Receipt:
        given = list(intake.events)
        self.calls.append(len(given))
        await self.may_begin.wait()
        if any(isinstance(each, dict) and each.get("name") == "fault" for each in given):
            raise KeyError("a fault of ours")
        return await self._pipeline.accept(replace(intake, events=given))


@pytest.fixture
def watched(catalog: Catalog, outbox: Outbox) -> Watched:
    return Watched(Pipeline(catalog, Router([AdAccount(ad_account_id="1")]), outbox=outbox))


@pytest.fixture
def turns(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> RequestBatcher:
    """The order in which requests get room is theirs, as long as none gives way to the next for want of time."""
    monkeypatch.setattr("app.pipeline.pipeline._TURN_S", math.inf)
    return RequestBatcher(watched)


def event(message_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "page",
        "messageId": message_id,
        "timestamp": "2026-03-04T16:12:52.244Z",
        "context": {"ip": "203.0.113.9", "userAgent": "x"},
        **changes,
    }


def outcomes(receipt: Receipt) -> list[tuple[str | None, list[Outcome]]]:
    return [(each.message_id, [line.outcome for line in each.deliveries]) for each in receipt.events]


async def test_each_request_gets_the_receipt_of_its_own_events(turns: RequestBatcher, watched: Watched) -> None:
    requests: list[list[Any]] = [
        [event("a")],
        [event("b", type="screen"), event("c")],
        [],
        [EventRefused("no object")],
        [event("a")],
    ]
    receipts = await asyncio.gather(*[turns.accept(Intake(request, now=NOW)) for request in requests])
    assert [outcomes(receipt) for receipt in receipts] == [
        [("a", [Outcome.ENQUEUED])],
        [("b", [Outcome.UNMATCHED]), ("c", [Outcome.ENQUEUED])],
        [],
        [(None, [Outcome.REFUSED])],
        [("a", [Outcome.DUPLICATE])],
    ]
    assert receipts[1].counts == {Outcome.ACCEPTED: 2, Outcome.UNMATCHED: 1, Outcome.ENQUEUED: 1}
    assert receipts[3].counts == {Outcome.ACCEPTED: 0, Outcome.REFUSED: 1}
    assert watched.calls == [5]


async def test_so_many_go_together_and_the_rest_after_them(turns: RequestBatcher, watched: Watched) -> None:
    count = MAX_BATCH + 5
    receipts = await asyncio.gather(*[turns.accept(Intake([event(f"g-{number}")], now=NOW)) for number in range(count)])
    assert [receipt.events[0].message_id for receipt in receipts] == [f"g-{number}" for number in range(count)]
    assert watched.calls == [MAX_BATCH, 5]


async def test_a_group_has_one_source(turns: RequestBatcher, watched: Watched, outbox: Outbox) -> None:
    sources = {"a": "shop", "b": "app", "c": "shop"}
    receipts = await asyncio.gather(
        *[turns.accept(Intake([event(id_)], now=NOW, source=name)) for id_, name in sources.items()]
    )
    assert [receipt.events[0].message_id for receipt in receipts] == list(sources)
    assert sorted(watched.calls) == [1, 2]
    kept = (await outbox.search(Query(), limit=10)).deliveries
    assert {delivery.message_id: delivery.source for delivery in kept} == sources


@pytest.mark.parametrize(
    ("turn_sizes", "calls"),
    [
        ([1, 1, 1], [1, 2]),
        ([1, MIN_BATCH - 1, 1], [1, MIN_BATCH]),
        ([1, MIN_BATCH, 1, 1], [1, MIN_BATCH, 2]),
        ([1, *[MIN_BATCH] * (MAX_BATCHES_IN_FLIGHT + 1)], [1, MIN_BATCH, *[MAX_BATCH] * (MAX_BATCHES_IN_FLIGHT // 2)]),
        ([1, 0, 0], [1, 0]),
    ],
    ids=["few wait", "together they are enough", "enough go beside", "two are the most", "none are a request"],
)
async def test_what_arrives_while_groups_are_under_way_is_gathered(
    turns: RequestBatcher, watched: Watched, turn_sizes: list[int], calls: list[int]
) -> None:
    watched.may_begin.clear()
    waiting = []
    for turn, size in enumerate(turn_sizes):
        events = [[event(f"g-{turn}-{number}")] for number in range(size)] or [[]]
        waiting += [asyncio.create_task(turns.accept(Intake(each, now=NOW))) for each in events]
        for _ in range(3):
            await asyncio.sleep(0)
    watched.may_begin.set()
    receipts = await asyncio.gather(*waiting)
    assert all(outcome == [Outcome.ENQUEUED] for receipt in receipts for _, outcome in outcomes(receipt))
    assert watched.calls == calls


async def test_a_group_that_is_full_waits_for_none_that_is_under_way(turns: RequestBatcher, watched: Watched) -> None:
    watched.may_begin.clear()
    waiting = []
    for number in range(1 + MAX_BATCH):
        waiting.append(asyncio.create_task(turns.accept(Intake([event(f"g-{number}")], now=NOW))))
        for _ in range(3):
            await asyncio.sleep(0)
    assert watched.calls == [1, MAX_BATCH]
    watched.may_begin.set()
    await asyncio.gather(*waiting)


async def test_a_large_request_goes_alone(turns: RequestBatcher, watched: Watched) -> None:
    large = [event(f"large-{number}") for number in range(MAX_BATCH + 1)]
    one, many = await asyncio.gather(
        turns.accept(Intake([event("small")], now=NOW)), turns.accept(Intake(iter(large), now=NOW))
    )
    assert (len(one.events), len(many.events)) == (1, len(large))
    assert sorted(watched.calls) == [1, len(large)]


async def test_the_next_turn_is_another_group(turns: RequestBatcher, watched: Watched) -> None:
    for message_id in ("a", "b"):
        await turns.accept(Intake([event(message_id)], now=NOW))
    assert watched.calls == [1, 1]


async def test_a_full_outbox_turns_away_only_what_needs_room(turns: RequestBatcher) -> None:
    backlog = [event(f"backlog-{number:04}") for number in range(MAX_BACKLOG - 1)]
    await turns.accept(Intake(backlog, now=NOW))
    requests: list[Any] = [
        event("request-000a"),
        event("backlog-0000"),
        event("c", type="screen"),
        EventRefused("none"),
        event("request-000e"),
    ]
    answers = await asyncio.gather(
        *[turns.accept(Intake([each], now=NOW)) for each in requests], return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Receipt, Receipt, Receipt, Receipt, BacklogFull]


async def test_of_requests_that_go_together_only_what_goes_nowhere_else_is_turned_away(
    catalog: Catalog, outbox: Outbox
) -> None:
    accounts = [
        AdAccount(ad_account_id=which, name=which, sources=sources)
        for which, sources in (("us", frozenset({"shop", "till"})), ("fr", frozenset({"till", "app"})))
    ]
    turns = RequestBatcher(Pipeline(catalog, Router(accounts), outbox=outbox))
    for start in range(0, MAX_BACKLOG, MAX_BATCH):
        filling = [event(f"full-{start:03}-{number:03}") for number in range(MAX_BATCH)]
        await turns.accept(Intake(filling, now=NOW, source="shop"))
    requests = [("shop", "a"), ("till", "b"), ("till", "c"), ("app", "d"), ("shop", "e")]
    shop, till, _, app, _ = answers = await asyncio.gather(
        *[turns.accept(Intake([event(f"request-000{id_}")], now=NOW, source=source)) for source, id_ in requests],
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [BacklogFull, Receipt, Receipt, Receipt, BacklogFull]
    assert isinstance(till, Receipt)
    assert isinstance(app, Receipt)
    assert isinstance(shop, BacklogFull)
    assert list(shop.full) == ["us"]
    outcomes = [[(line.destination, line.outcome) for line in each.events[0].deliveries] for each in (till, app)]
    assert outcomes == [[("us", Outcome.WITHHELD), ("fr", Outcome.ENQUEUED)], [("fr", Outcome.ENQUEUED)]]
    ((_, note),) = (await outbox.message("request-000b")).dropped_events
    assert (note.ad_account_id, note.outcome, note.reason, note.source) == (
        "us",
        Outcome.WITHHELD,
        BACKLOG_FULL,
        "till",
    )
    counted: Counter[tuple[str, str]] = Counter()
    for _, each in await outbox.counters(since=NOW - 60, step_s=0):
        counted[each.name, each.ad_account_id] += each.count
    assert (counted["withheld", "us"], counted["enqueued", "fr"]) == (2, 3)
    assert (await outbox.message("request-000a")).dropped_events == ()


async def test_no_group_is_larger_than_what_goes_together(turns: RequestBatcher, watched: Watched) -> None:
    sizes = [1, MAX_BATCH - 2, MAX_BATCH - 1, 1, MAX_BATCH]
    requests = [[event(f"{place}-{number}") for number in range(size)] for place, size in enumerate(sizes)]
    receipts = await asyncio.gather(
        *[turns.accept(Intake(request, now=NOW)) for request in requests], return_exceptions=True
    )
    assert [type(receipt) for receipt in receipts[:2]] == [Receipt, Receipt]
    assert max(watched.calls) <= MAX_BATCH


@pytest.mark.parametrize("steps", [0, 1, 2], ids=["before it begins", "while it maps", "while it commits"])
async def test_whoever_waits_for_a_group_that_is_cut_off_does_not_wait_for_ever(
    turns: RequestBatcher, steps: int
) -> None:
    waiting = asyncio.create_task(turns.accept(Intake([event("a")], now=NOW)))
    for _ in range(10):
        await asyncio.sleep(0)
        if turns._under_way:
            break
    for _ in range(steps):
        await asyncio.sleep(0)
    for task in turns._under_way:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_fault_of_ours_costs_its_own_request_only(turns: RequestBatcher) -> None:
    answers = await asyncio.gather(
        *[turns.accept(Intake([each], now=NOW)) for each in (event("a"), event("b", name="fault"), event("c"))],
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Receipt, KeyError, Receipt]


async def test_a_client_that_has_gone_leaves_the_others_their_answer(turns: RequestBatcher, outbox: Outbox) -> None:
    gone, stays = (asyncio.create_task(turns.accept(Intake([event(message_id)], now=NOW))) for message_id in ("a", "b"))
    await asyncio.sleep(0)
    gone.cancel()
    assert outcomes(await stays) == [("b", [Outcome.ENQUEUED])]
    assert len((await outbox.message("a")).deliveries) == 1


async def test_clients_that_have_gone_are_told_nothing(turns: RequestBatcher, watched: Watched) -> None:
    tasks = [asyncio.create_task(turns.accept(Intake([event("a", name="fault")], now=NOW))) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns.accept(Intake([event("b")], now=NOW))
    assert sorted(watched.calls) == [1, 1, 1, 2]
