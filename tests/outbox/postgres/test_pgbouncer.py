"""Through pgbouncer, whichever way it lends its sessions, everything is as without it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from app.core.deliveries import State
from app.core.pages import Query
from app.errors import OutboxUnavailable
from app.outbox import open_outbox
from app.outbox.postgres.connections import check_isolation
from app.outbox.postgres.transfer import PostgresStore
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, delivered, new, rules
from tests.outbox.pgbouncer import Pgbouncer
from tests.outbox.postgres_server import PostgresServer

#: Its pool_mode, and how many statements it knows by name: 0 is what it had until 1.21, 200 what it has since 1.24.
WAYS = [("transaction", 0), ("transaction", 200), ("session", 0)]


@pytest.fixture(params=WAYS, ids=[f"{mode}, {prepared} prepared" for mode, prepared in WAYS])
def pooled_url(request: pytest.FixtureRequest, postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """The URL of a database, by way of a pgbouncer."""
    mode, prepared = request.param
    with Pgbouncer(postgres_server.port, mode=mode, prepared=prepared) as pooler:
        yield pooler.url(postgres_url)


async def test_many_calls_at_once_of_several_processes_all_succeed(
    pooled_url: str, execute: Callable[..., list[Any]]
) -> None:
    """Of 676 posts 219 were answered 503: a prepared statement was of another session."""
    outboxes = [open_outbox(pooled_url, rules(), clock=lambda: NOW) for _ in range(3)]
    try:
        sides = [At(each) for each in outboxes]
        for _ in range(8):  # a statement is prepared from its fifth time on
            await asyncio.gather(*(side.enqueue(*(new() for _ in range(5))) for side in sides for _ in range(4)))
            batches = await asyncio.gather(*(side.claim(20) for side in sides))
            for side, batch in zip(sides, batches, strict=True):
                await side.settle(*map(delivered, batch))
            await asyncio.gather(*(side.outbox.backlog(ACCOUNT, now=NOW) for side in sides))
        while batch := await sides[0].claim(50):
            await sides[1].settle(*map(delivered, batch))
        found = Counter(each.state for each in (await sides[2].outbox.search(Query(), limit=1_000)).deliveries)
        assert found == {State.DELIVERED: 8 * 60}
        backlog = await sides[0].outbox.backlog(ACCOUNT, now=NOW)
        assert (backlog.pending, backlog.claimed) == (0, 0)
        while await sides[0].later(40 * DAY_S).outbox.retain(now=NOW + 40 * DAY_S, limit=500):
            pass
        assert execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    finally:
        for each in outboxes:
            await each.close()


async def test_what_one_process_writes_another_finds_without_being_told(pooled_url: str) -> None:
    writer, reader = (open_outbox(pooled_url, rules()) for _ in range(2))
    try:
        await At(reader).be_idle()
        waiting = asyncio.create_task(reader.wait(ACCOUNT, 30))
        await asyncio.sleep(0.1)
        await At(writer).enqueue(new())
        await asyncio.wait_for(waiting, 5)
    finally:
        await writer.close()
        await reader.close()


async def test_a_session_of_the_server_is_left_as_it_was(pooled_url: str, execute: Callable[..., list[Any]]) -> None:
    outbox = open_outbox(pooled_url, rules(), clock=lambda: NOW)
    try:
        at = At(outbox)
        await asyncio.gather(*(at.enqueue(new()) for _ in range(20)))
        async with asyncio.timeout(10):
            shown = await _through(pooled_url, "SHOW enable_seqscan")
        assert shown == {"on"}
        assert execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") == [(0,)]
    finally:
        await outbox.close()


async def _through(url: str, statement: str) -> set[str]:
    """What the sessions of a pooler say."""
    connections = [
        await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None) for _ in range(3)
    ]
    try:
        return {row[0] for each in connections for row in await (await each.execute(statement.encode())).fetchall()}
    finally:
        for each in connections:
            await each.close()


async def test_who_moves_is_told_of_others_and_not_let_through_a_pooler(pooled_url: str, postgres_url: str) -> None:
    outbox = open_outbox(pooled_url, rules())
    direct, pooled = PostgresStore(postgres_url), PostgresStore(pooled_url)
    try:
        await At(outbox).enqueue(new())
        assert await direct.is_used_by_others()
        with pytest.raises(OutboxUnavailable, match="pooler"):
            await pooled.is_used_by_others()
    finally:
        for each in (outbox, direct, pooled):
            await each.close()


def test_a_user_whose_transactions_begin_otherwise_is_refused() -> None:
    check_isolation("read committed")
    with pytest.raises(OutboxUnavailable, match="ALTER ROLE"):
        check_isolation("serializable")
