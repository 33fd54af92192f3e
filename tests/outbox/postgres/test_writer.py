"""Group commit: who waits together is committed together, and nobody suffers from a stranger."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.core.events import Outcome
from app.errors import OutboxUnavailable, RowRefused
from app.outbox.dedup import keys_of
from app.outbox.enqueue import prepare
from app.outbox.postgres import enqueue as enqueue_module
from app.outbox.postgres.database import Database
from app.outbox.postgres.retention import Days
from app.outbox.postgres.writer import MAX_BATCHES_IN_FLIGHT, Writer
from app.outbox.rows import LARGE_ROWS
from tests.outbox.build import DAY_S, NOW, At, new, rules


async def test_calls_that_wait_together_share_transactions(
    postgres_url: str, execute: Callable[..., list[Any]]
) -> None:
    calls = [await prepare([new()], [], [], now=NOW, held_from=NOW, rules=rules()) for _ in range(200)]
    database = Database(postgres_url, lambda _: None)
    writer = Writer(database, Days(database), rules())
    await asyncio.gather(*map(writer.do, calls))
    await writer.close()
    await database.close()
    ((deliveries, transactions),) = execute("SELECT count(*), count(DISTINCT xmin::text) FROM delivery")
    assert (deliveries, transactions < 20) == (200, True)


async def test_a_group_is_closed_when_it_is_large(
    at: At, execute: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.postgres.writer.MAX_ROWS", 10)
    await asyncio.gather(*(at.enqueue(new()) for _ in range(100)))
    ((transactions,),) = execute("SELECT count(DISTINCT xmin::text) FROM delivery")
    assert transactions >= 100 / 10


async def test_where_the_server_refuses_one_call_the_others_of_its_group_are_stored(at: At) -> None:
    answers = await asyncio.gather(
        *(at.enqueue(new()) for _ in range(5)), at.enqueue(new(event_time=2**63)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [list] * 5 + [RowRefused]


def key(event_id: str) -> str:
    (found,) = keys_of(new(event_id=event_id), rules())
    return found.digest


@pytest.mark.parametrize("committed", [True, False], ids=["it commits", "it fails"])
async def test_the_same_event_that_another_process_is_storing_is_waited_for(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]], *, committed: bool
) -> None:
    connection.autocommit = False
    connection.execute(
        "INSERT INTO dedup_key (digest, delivery_id, expires_at) VALUES (%s, 99, %s)", (key("e"), NOW + DAY_S)
    )
    waiting = asyncio.create_task(at.enqueue(new(event_id="e"), new(event_id="f")))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    (connection.commit if committed else connection.rollback)()
    first, second = await waiting
    assert first.outcome is (Outcome.DUPLICATE if committed else Outcome.ENQUEUED)
    assert second.outcome is Outcome.ENQUEUED
    assert "as delivery 99" in first.reason or not committed


async def test_two_processes_that_enqueue_the_same_events_agree(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    ids = [f"e{number}" for number in range(300)]
    answers = await asyncio.gather(
        *(side.enqueue(*(new(event_id=each) for each in ids[start : start + 10]))
          for start in range(0, 300, 10) for side in (at, other))
    )  # fmt: skip
    outcomes = [answer.outcome for call in answers for answer in call]
    assert outcomes.count(Outcome.ENQUEUED) == 300
    assert outcomes.count(Outcome.DUPLICATE) == 300


async def test_nobody_waits_for_ever_for_events_that_others_store_again_and_again(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr("app.outbox.postgres.enqueue._store", never)
    with pytest.raises(OutboxUnavailable, match="too busy"):
        await at.enqueue(new())


async def test_a_call_whose_sender_has_gone_is_stored_nevertheless(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    await at.outbox.check()
    connection.autocommit = False
    connection.execute(
        "INSERT INTO dedup_key (digest, delivery_id, expires_at) VALUES (%s, 99, %s)", (key("e"), NOW + DAY_S)
    )
    gone = asyncio.create_task(at.enqueue(new(event_id="e")))
    await asyncio.sleep(0.1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    connection.rollback()
    await at.outbox.close()
    assert execute("SELECT event_id FROM delivery") == [("e",)]


async def test_a_race_that_was_lost_after_the_check_is_checked_again(
    at: At, execute: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.enqueue(new(event_id="before"))
    dedup = enqueue_module._check_all

    async def slowly(*arguments: Any) -> Any:
        checked = await dedup(*arguments)
        execute(
            "INSERT INTO dedup_key (digest, delivery_id, expires_at) VALUES (%(digest)s, 99, 1) ON CONFLICT DO NOTHING",
            digest=key("e"),
        )
        execute("UPDATE dedup_key SET expires_at = %(until)s WHERE digest = %(digest)s", digest=key("e"), until=NOW + 1)
        return checked

    monkeypatch.setattr(enqueue_module, "_check_all", slowly)
    first, second = await at.enqueue(new(event_id="before"), new(event_id="e"))
    assert (first.outcome, second.outcome) == (Outcome.DUPLICATE, Outcome.DUPLICATE)


async def test_small_calls_do_not_wait_for_large_ones(at: At, connection: psycopg.Connection) -> None:
    connection.autocommit = False
    connection.execute(
        "INSERT INTO dedup_key (digest, delivery_id, expires_at) VALUES (%s, 99, %s)", (key("e"), NOW + DAY_S)
    )
    large = [
        asyncio.create_task(at.enqueue(new(event_id="e"), *(new() for _ in range(LARGE_ROWS))))
        for _ in range(MAX_BATCHES_IN_FLIGHT + 1)
    ]
    await asyncio.sleep(0)  # they come first
    (answer,) = await asyncio.wait_for(at.enqueue(new()), 5)
    assert answer.outcome is Outcome.ENQUEUED
    assert not any(task.done() for task in large)
    connection.rollback()
    assert [len(answers) for answers in await asyncio.gather(*large)] == [1 + LARGE_ROWS] * len(large)
