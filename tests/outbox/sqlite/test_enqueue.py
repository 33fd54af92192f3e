"""Storing by one statement: it is one, it proves that all is new, and where it cannot, nothing is lost by it."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.events import CounterRow, Outcome
from app.core.pages import Query
from app.outbox.sqlite import SqliteOutbox
from tests.outbox.build import NOW, At, new, rules


@pytest.fixture
def statements(outbox: SqliteOutbox) -> list[str]:
    """What calls ask of the connection that writes from now on; SQLite tells of a statement at each of its triggers."""
    seen: list[str] = []

    def note(text: str) -> None:
        first = next(line for line in text.splitlines() if line and not line.startswith("--"))
        name = first.partition("(")[0].strip()
        if seen[-1:] != [name] and name != "PRAGMA data_version":  # between calls it looks for other processes
            seen.append(name)

    outbox._writer._connection.set_trace_callback(note)
    return seen


async def test_a_call_whose_deliveries_are_all_new_is_one_statement(at: At, statements: list[str]) -> None:
    await at.enqueue(new(), new(order_id="SO-1"))
    assert statements == ["INSERT INTO storing"]


async def test_a_call_that_repeats_something_is_checked_in_a_transaction(at: At, statements: list[str]) -> None:
    twice = new()
    await at.enqueue(twice)
    statements.clear()
    first, second = await at.enqueue(new(), twice)
    assert (first.outcome, second.outcome) == (Outcome.ENQUEUED, Outcome.DUPLICATE)
    assert statements == [
        "INSERT INTO storing",
        "BEGIN IMMEDIATE",
        "SELECT json_array",
        "INSERT INTO storing",
        "COMMIT",
    ]


@pytest.mark.parametrize("place", [0, 1])
async def test_a_key_is_found_at_whichever_place_it_is_left(at: At, execute: Callable[..., Any], place: int) -> None:
    """The holder of the first place may be forgotten before the others."""
    twice = new()
    await at.enqueue(twice)
    await execute(f"UPDATE dedup_key SET place = {place}")
    (answer,) = await at.enqueue(twice)
    assert answer.outcome is Outcome.DUPLICATE


async def test_an_event_may_come_again_when_its_window_is_over(at: At) -> None:
    again = new()
    await at.enqueue(again)
    (answer,) = await at.later(rules().dedup_window_s + 1).enqueue(again)
    assert answer.outcome is Outcome.ENQUEUED


async def test_two_alike_within_one_call_are_told_apart_by_their_id(at: At) -> None:
    await at.enqueue(new(), new())
    alike = new()
    first, second = await at.enqueue(alike, alike)
    assert (first.outcome, second.outcome) == (Outcome.ENQUEUED, Outcome.DUPLICATE)
    (kept,) = (await at.outbox.search(Query(message_id=alike.message_id), limit=10)).deliveries
    assert second.reason.endswith(f"as delivery {kept.delivery_id}")


async def test_what_is_checked_twice_is_counted_once(at: At) -> None:
    once = new(preset="Checkout")
    await at.enqueue(once)
    await at.enqueue(new(preset="Checkout"), once, counters=(CounterRow(name="matched", preset="Checkout", count=2),))
    counts = {counter.name: counter.count for _, counter in await at.outbox.counters(since=NOW - 60, step_s=0)}
    assert counts == {"enqueued": 2, "duplicate": 1, "matched": 2}


async def test_each_payload_stays_with_its_delivery(at: At, execute: Callable[..., Any]) -> None:
    await at.enqueue(new(payload=b'{"n":"gone"}'))
    await execute("DELETE FROM delivery")  # as retention does: its id is never given again
    await asyncio.gather(*[at.enqueue(new(message_id=f"m-{n}", payload=b'{"n":%d}' % n)) for n in range(20)])
    claimed = await at.claim()
    assert {each.message_id: each.payload for each in claimed} == {f"m-{n}": b'{"n":%d}' % n for n in range(20)}
    assert min(int(each.delivery_id) for each in claimed) == 2


@pytest.mark.slow
async def test_another_process_that_writes_is_waited_for(at: At, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.1, other.execute, "COMMIT")
    (answer,) = await at.enqueue(new())
    assert answer.outcome is Outcome.ENQUEUED
    other.close()
