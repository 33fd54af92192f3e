"""Several processes receive and send the two sides of orders, and are killed at random moments."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.core.events import Outcome
from app.core.pages import Query
from tests.forked import Forked, bare_environment
from tests.outbox.build import At
from tests.outbox.pairing_process import taken_events
from tests.rounds import Kind

PROCESSES = 2


def _start(url: str, folder: Path, place: int, orders: int) -> Forked:
    arguments = [url, str(folder), str(place), str(PROCESSES), str(orders)]
    output = folder / f"output-{place}"
    environment = bare_environment()
    return Forked("tests.outbox.pairing_process:main", arguments, folder=folder, environment=environment, output=output)


@pytest.mark.prove
@pytest.mark.slow
async def test_each_order_of_two_sides_is_sent_as_one_whatever_is_killed(
    outbox_url: str,
    tmp_path: Path,
    open_at: Callable[..., At],
    rounds: Callable[[Kind], int],
    record_figure: Callable[[str, object], None],
) -> None:
    kills = 4 * rounds("kills")
    orders = 40 if rounds("kills") == 1 else 10_000
    chance = Random(orders)
    running = {place: _start(outbox_url, tmp_path, place, orders) for place in range(PROCESSES)}
    deadline = time.monotonic() + (120 if orders < 100 else 3_000)
    while running:
        assert time.monotonic() < deadline, "the orders were not all sent"
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        for place, process in list(running.items()):
            code = process.poll()
            if code is not None:
                assert code in {0, -9}, _printed(tmp_path, place)
                del running[place]
                if code:
                    running[place] = _start(outbox_url, tmp_path, place, orders)
        if kills and running:
            running[chance.choice(list(running))].kill()
            kills -= 1
    _check(taken_events(tmp_path), orders)
    merged = await _check_counts(open_at, orders)
    record_figure(f"pairs of orders, {outbox_url.partition(':')[0]}", f"{orders} orders, {merged} merged, 0 lost")


def _printed(folder: Path, place: int) -> str:
    output = folder / f"output-{place}"
    return output.read_text() if output.exists() else ""


def _check(taken: list[dict[str, Any]], orders: int) -> None:
    ids = defaultdict(set)
    for event in taken:
        order = event["custom_data"]["order_id"]
        ids[order].add(event["event_id"])
        number = order.removeprefix("SO-")
        assert event["custom_data"]["value"] == f"{number}.99"
        assert event["user_data"]["click_id"]
        assert event["user_data"]["em"]
    assert ids == {f"SO-{number}": {f"tag-{number}"} for number in range(1, orders + 1)}


async def _check_counts(open_at: Callable[..., At], orders: int) -> int:
    counts: Counter[str] = Counter()
    for _, row in await open_at().outbox.counters(since=0, step_s=0):
        counts[row.name] += row.count
    assert (counts["enqueued"], counts["withdrawn"]) == (orders, 0)
    messages: Counter[str] = Counter()
    page = await open_at().outbox.search_dropped(Query(outcome=Outcome.MERGED), limit=50_000)
    messages.update(event.message_id for _, event in page.events)
    assert set(messages.values()) == {1}, "an event was merged twice"
    assert {int(message.rpartition("-")[2]) for message in messages} == set(range(1, orders + 1))
    assert counts["merged"] + counts["duplicate"] >= orders + orders // 7
    return counts["merged"]
