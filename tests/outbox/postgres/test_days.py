"""The tables of days: there when they are needed, made ahead, and dropped whole without making anybody wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.shared_values import SET_ASIDE
from app.errors import OutboxUnavailable
from app.outbox.postgres.connections import SQL
from app.outbox.postgres.retention import PARENTS, day_of, table_of
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, new
from tests.waiting import until_async

TODAY = day_of(NOW)
NOTE = DroppedEvent(message_id="noted", preset=None, outcome=Outcome.REFUSED, reason="r")
TABLES = "SELECT relname FROM pg_class JOIN pg_inherits ON pg_class.oid = inhrelid WHERE relkind = 'r'"


def tables(execute: Callable[..., list[Any]]) -> set[str]:
    return {name for (name,) in execute(TABLES)}


def of(*days: int) -> set[str]:
    return {table_of(parent, day) for day in days for parent in PARENTS}


def test_a_table_is_named_after_its_day() -> None:
    assert table_of("dropped_event", day_of(1_800_000_000)) == "dropped_event_20270115"
    assert table_of("dropped_event", day_of(1_800_000_000 - 8 * 3_600 - 1)) == "dropped_event_20270114"


async def test_they_are_made_when_something_is_written_for_them(at: At, execute: Callable[..., list[Any]]) -> None:
    await at.enqueue(new())
    await at.later(5 * DAY_S).deliver(*await at.claim())
    assert tables(execute) == of(TODAY, TODAY + 5)


async def test_retention_makes_them_ahead(at: At, execute: Callable[..., list[Any]]) -> None:
    assert await at.outbox.retain(now=NOW, limit=10) == 0
    assert tables(execute) == of(TODAY, TODAY + 1, TODAY + 2)


async def test_what_is_over_is_dropped_whole(at: At, execute: Callable[..., list[Any]]) -> None:
    await at.enqueue(new(), dropped=(NOTE,), counters=(CounterRow(name="accepted"),))
    later = at.later(40 * DAY_S)
    assert (
        await later.outbox.retain(now=later.now, limit=100) == len(PARENTS) + 2
    )  # the key of the delivery, and the sum of its day
    assert tables(execute) == of(TODAY + 40, TODAY + 41, TODAY + 42)


async def test_a_table_that_is_read_stays_until_the_next_time(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    await at.enqueue(dropped=(NOTE,))
    later = at.later(40 * DAY_S)
    with connection.transaction():
        connection.execute("SELECT * FROM dropped_event")
        await later.outbox.retain(now=later.now, limit=100)
        assert table_of("dropped_event", TODAY) in tables(execute)
    await later.outbox.retain(now=later.now, limit=100)
    assert not tables(execute) & of(TODAY)


@pytest.mark.parametrize("act", ["enqueue", "settle"])
async def test_a_day_whose_tables_were_dropped_is_made_again(at: At, act: str) -> None:
    """As where one process is a month behind the others."""
    await at.enqueue(new())
    (claimed,) = await at.claim()
    later = at.later(40 * DAY_S)
    await later.outbox.retain(now=later.now, limit=100)

    async def write() -> None:
        await (at.enqueue(dropped=(NOTE,)) if act == "enqueue" else at.deliver(claimed))

    if act == "enqueue":  # settle makes it anew before it takes the delivery for a row that is refused
        with pytest.raises(OutboxUnavailable):
            await write()
    await write()
    assert await SET_ASIDE.read_all(at.outbox) == {}


async def test_counts_of_minutes_that_outlive_the_ledger_go_without_being_summed(
    open_at: Callable[..., At], execute: Callable[..., list[Any]]
) -> None:
    at = open_at(ledger_delivered_s=DAY_S / 2, ledger_s=DAY_S / 2)
    await at.enqueue(counters=(CounterRow(name="accepted"),))
    later = at.later(2 * DAY_S)
    await later.outbox.retain(now=later.now, limit=100)
    assert await at.outbox.counters(since=0, step_s=0) == []


async def test_steps_that_are_over_are_summed_by_one_process_at_a_time(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    await at.enqueue(counters=(CounterRow(name="accepted"),))
    later = at.later(2 * HOUR_S)
    with connection.transaction():
        assert connection.execute(SQL["only_one_sums"]).fetchall() == [(True,)]
        await later.outbox.retain(now=later.now, limit=100)
        assert execute("SELECT * FROM counter_sum") == []
    await later.outbox.retain(now=later.now, limit=100)
    assert execute("SELECT span_s, start_at, name, count FROM counter_sum") == [(3_600, int(NOW), "accepted", 1)]


async def retain_while(connection: psycopg.Connection, later: At, *statements: str) -> None:
    """Retain, which has to wait for somebody who writes."""

    async def waits() -> bool:
        return bool(connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall())

    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())
        retaining = asyncio.create_task(later.outbox.retain(now=later.now, limit=100))
        await until_async(waits)
    await retaining


async def test_what_is_counted_late_while_its_step_is_summed_is_in_the_sum(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    await at.enqueue(counters=(CounterRow(name="accepted"),))
    late = "DELETE FROM counter_sum", "UPDATE counter_minute SET count = count + 1"
    await retain_while(connection, at.later(2 * HOUR_S), *late)
    assert execute("SELECT start_at, name, count FROM counter_sum") == [(int(NOW), "accepted", 2)]


async def test_what_is_forgotten_of_a_day_while_it_is_dropped_is_counted_as_gone_once(
    at: At, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    await at.enqueue(new(), new())
    await at.deliver(*await at.claim())
    forget = SQL["drop_delivered"].replace(b"%(rows)s", b"'[[1, SETTLED]]'").replace(b"%(slot)s", b"0").decode()
    ((settled,),) = execute("SELECT settled_at FROM delivered WHERE id = 1")
    await retain_while(connection, at.later(40 * DAY_S), forget.replace("SETTLED", str(settled)))
    assert execute("SELECT sum(count)::bigint FROM name_count") == [(0,)]


async def test_what_was_delivered_on_a_day_that_is_dropped_is_counted_no_longer(at: At) -> None:
    await at.enqueue(new(), new())
    first, second = await at.claim()
    await at.deliver(first)
    later = at.later(20 * DAY_S)
    await later.deliver(second)  # its claim held

    async def counted() -> dict[str, int]:
        days = {"first_day": TODAY - 1, "last_day": TODAY + 1}
        rows = await at.outbox.inventory.name_counts([("Order Completed", "default")], **days)
        return {row.state: row.number for row in rows}

    assert await counted() == {"delivered": 2}
    for days, left in ((31, {"delivered": 1}), (51, {})):
        await at.outbox.retain(now=at.later(days * DAY_S + HOUR_S * 12).now, limit=100)
        assert await counted() == left
