"""What several processes do to the same deliveries at one moment: nobody waits for each other in a circle.

Each test holds one row back until both have begun, so that what was a matter of luck happens each time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from app.core.deliveries import Claimed, Settlement, Withdrawal
from app.core.events import CounterRow
from app.core.pages import Query, Redrive
from app.core.people import Ownership, PeopleChanges, PersonChange, SuppressionChange
from app.errors import MemoryChanged
from app.outbox import Outbox, redrive
from tests.outbox.build import ACCOUNT, NOW, At, dead, delivered, new
from tests.outbox.postgres_server import PostgresServer
from tests.waiting import until_async

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def rows_of(execute: Callable[..., list[Any]], statement: str) -> list[Any]:
    return execute(statement)


class HeldBack:
    """Calls that wait for a row of the queue."""

    def __init__(self, execute: Callable[..., list[Any]]) -> None:
        self._execute = execute
        self.tasks: list[asyncio.Task[Any]] = []

    async def begin(self, call: Awaitable[Any]) -> None:
        """Begin a call, and return once it waits."""
        self.tasks.append(asyncio.ensure_future(call))

        async def all_wait() -> bool:
            return len(self._execute(WAITING)) == len(self.tasks)

        await until_async(all_wait)


@pytest.fixture
def held_back(postgres_url: str, execute: Callable[..., list[Any]]) -> Any:
    """`async with held_back(id) as calls:` keeps a row locked until the calls have begun; it is one of the queue."""

    @asynccontextmanager
    async def hold(row: str, statement: str = "SELECT FROM queue WHERE id = %s FOR UPDATE") -> AsyncIterator[HeldBack]:
        calls = HeldBack(execute)
        with psycopg.connect(postgres_url) as other:
            other.execute(statement.encode(), [row])
            yield calls
            other.rollback()
        await asyncio.gather(*calls.tasks)

    return hold


async def claimed_of_one_person(at: At) -> Sequence[Claimed]:
    """Claim two deliveries of one message of somebody."""
    people = PeopleChanges(
        people=[], suppressions=[], owners=[Ownership(message_id="m", user="a" * 16, anonymous=None)]
    )
    both = [new(message_id="m", preset=preset) for preset in ("one", "two")]
    await at.outbox.enqueue(both, [], [], now=NOW, people=people)
    return await at.claim()


@pytest.mark.parametrize("settled", [delivered, dead])
async def test_who_is_erased_while_it_is_settled_is_erased(
    open_at: Callable[..., At], execute: Callable[..., list[Any]], held_back: Any, settled: Callable[..., Settlement]
) -> None:
    at = open_at(payload_s=3_600)
    first, second = await claimed_of_one_person(at)
    async with held_back(second.delivery_id) as calls:
        await calls.begin(at.settle(settled(first), settled(second)))
        await calls.begin(at.outbox.forget(["a" * 16]))
    assert execute("SELECT body FROM kept_payload") == []
    assert execute("SELECT id FROM delivery UNION ALL SELECT id FROM queue UNION ALL SELECT id FROM dead") == []
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.claimed, backlog.dead) == (0, 0, 0)


async def test_leases_are_renewed_while_some_of_them_are_settled(
    at: At, execute: Callable[..., list[Any]], held_back: Any
) -> None:
    await at.enqueue(new(), new(), new())
    claimed = await at.claim()
    execute(
        "INSERT INTO queue (id, ad_account_id, preset, payload_bytes, enqueued_at, due_at) "
        "SELECT -n, '1', 'p', 1, 0, 0 FROM generate_series(1, 50000) AS n"
    )
    execute("ANALYZE queue")  # where much waits, rows would be found in the order in which they are asked for
    async with held_back(claimed[1].delivery_id) as calls:
        await calls.begin(at.outbox.renew(claimed[::-1], lease_s=60, now=NOW))
        await calls.begin(at.deliver(*claimed))
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).claimed == 0


async def test_the_same_orders_are_withdrawn_in_any_order(at: At, held_back: Any) -> None:
    names = ("SO-1", "SO-2", "SO-3")
    await at.enqueue(*(new(order_id=name, hold_s=60) for name in names))
    asked = [
        Withdrawal(ad_account_id=ACCOUNT, preset="checkout", order_id=name, message_id=f"cancels {name}")
        for name in names
    ]
    held = (await at.outbox.search(Query(order_id="SO-2"), limit=1)).deliveries[0].delivery_id
    async with held_back(held) as calls:
        await calls.begin(at.outbox.withdraw(asked, now=NOW))
        await calls.begin(at.outbox.withdraw(asked[::-1], now=NOW))
    assert [call.result() for call in calls.tasks] == [[1, 1, 1], [0, 0, 0]]


async def test_an_event_that_comes_again_while_it_is_redriven_is_sent_once(
    open_at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    at, elsewhere = open_at(), open_at()
    await at.dead_letter(new(event_id="e", order_id="SO-1"))
    dedup = redrive.plan_of

    async def planned_then_replayed(*arguments: Any) -> Any:
        result = await dedup(*arguments)
        await elsewhere.enqueue(new(event_id="e", order_id="SO-1"))  # the second time it is a duplicate
        return result

    monkeypatch.setattr(redrive, "plan_of", planned_then_replayed)
    assert await at.outbox.dead_letters.redrive(Query(), now=NOW) == Redrive(redriven=0, overtaken=0, waiting=1)
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.dead) == (1, 1)


@pytest.mark.usefixtures("impatient")
async def test_what_is_sent_is_counted_once_though_its_dead_letter_is_held_and_cannot_be_dismissed(
    at: At, connection: psycopg.Connection
) -> None:
    await at.dead_letter(new(event_id="e"))
    await at.enqueue(new(event_id="e"))
    claimed = await at.claim()
    with connection.transaction():
        connection.execute("SELECT FROM dead FOR UPDATE")
        await at.settle(*map(delivered, claimed), counters=(CounterRow(name="delivered"),))
    counted = await at.outbox.counters(since=0, step_s=0, names=["delivered"])
    assert [counter.count for _, counter in counted] == [1]
    assert await at.outbox.dead_letters.redrive(Query(), now=NOW) == Redrive(redriven=0, overtaken=1, waiting=0)


def seen(names: str, revision: int) -> PeopleChanges:
    """Change what is remembered of some people."""
    people = [PersonChange(key=name, revision=revision, seen_at=NOW, stale_at=NOW + 9, record="{}") for name in names]
    return PeopleChanges(
        people=people, suppressions=[SuppressionChange(key=name, was=None, now=None) for name in names]
    )


async def test_the_same_people_are_remembered_in_any_order(
    open_at: Callable[..., At], postgres_server: PostgresServer, held_back: Any
) -> None:
    one, other = (
        open_at(remember_max_people=9, remember_s=99).outbox,
        open_at(remember_max_people=9, remember_s=99).outbox,
    )
    await one.enqueue([], [], [], now=NOW, people=seen("abc", 0))
    before = postgres_server.log.count("deadlock detected")

    async def fails(outbox: Outbox, names: str) -> bool:
        try:
            await outbox.enqueue([new()], [], [], now=NOW, people=seen(names, 1))
        except MemoryChanged:
            return True
        return False

    async with held_back("b", "SELECT FROM person WHERE key = %s FOR UPDATE") as calls:
        await calls.begin(fails(one, "abc"))
        await calls.begin(fails(other, "cba"))
    assert [call.result() for call in calls.tasks] == [False, True]
    assert postgres_server.log.count("deadlock detected") == before


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_another_standard_of_isolation_makes_no_call_fail(
    at: At, postgres_url: str, connection: psycopg.Connection, execute: Callable[..., list[Any]], isolation: str
) -> None:
    execute(f"ALTER DATABASE \"{postgres_url.rpartition('/')[2]}\" SET default_transaction_isolation = '{isolation}'")
    await at.outbox.put_shared("k", 1)
    with connection.transaction():
        connection.execute("UPDATE shared SET value = '2'")
        waiting = asyncio.create_task(at.outbox.put_shared("k", 3))
        await until_async(lambda: rows_of(execute, WAITING))
    await waiting
