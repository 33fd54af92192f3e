"""The schema: made once, refused where it is newer, and it forbids what docs/outbox.md does not draw."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.errors import OutboxVersionError
from app.outbox.postgres import PostgresOutbox
from app.outbox.postgres.database import SCHEMA_VERSION
from app.types import Query
from tests.outbox.build import HOUR_S, NOW, At, new, rules
from tests.outbox.postgres_server import PostgresServer
from tests.process import ROOT

OPEN = """
import asyncio, sys
from app.outbox import open_outbox
from tests.outbox.build import rules

async def main():
    outbox = open_outbox(sys.argv[1], rules())
    await outbox.check()
    await outbox.close()

asyncio.run(main())
"""


def test_processes_that_start_together_on_an_empty_database_agree(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        command = [sys.executable, "-c", OPEN, url]
        processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
        errors = [process.communicate()[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT version FROM schema_version").fetchall() == [(SCHEMA_VERSION,)]


async def test_a_newer_schema_is_refused_and_left_alone(postgres_url: str, execute: Callable[..., list[Any]]) -> None:
    execute(f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}")
    outbox = PostgresOutbox(postgres_url, rules(), clock=lambda: NOW)
    with pytest.raises(OutboxVersionError, match=f"version {SCHEMA_VERSION + 1}"):
        await outbox.check()
    await outbox.close()
    assert execute("SELECT version FROM schema_version") == [(SCHEMA_VERSION + 1,)]


async def test_what_version_3_did_not_sum_or_time_is_summed_and_timed_by_the_migrations(
    at: At, postgres_url: str, execute: Callable[..., list[Any]]
) -> None:
    await at.enqueue(*(new(order_id=f"o-{n}", amount=str(n), currency="EUR") for n in range(3)))
    await at.deliver(*await at.claim(limit=2))
    await at.enqueue(new(order_id="o-1"))
    before = await at.outbox.revenue(first_day=0, last_day=10**6)
    names = [("Order Completed", "default")]
    named = sorted(await at.outbox.inventory.name_counts(names, first_day=0, last_day=10**6))
    assert {each.state: each.number for each in named} == {"delivered": 2, "waiting": 1}
    execute("DROP FUNCTION time_parts CASCADE; DROP TABLE revenue, name_count, tally_sum, part")
    execute("UPDATE schema_version SET version = 3")
    outbox = PostgresOutbox(postgres_url, rules(), clock=lambda: NOW)
    assert {row.became for row in before} == {"delivered", "waiting", "duplicate"}
    assert await outbox.revenue(first_day=0, last_day=10**6) == before
    assert sorted(await outbox.inventory.name_counts(names, first_day=0, last_day=10**6)) == named
    assert len((await outbox.search(Query(since=NOW), limit=9)).deliveries) == 3
    await outbox.close()


@pytest.mark.usefixtures("at", "impatient")
async def test_a_migration_takes_its_time_and_whoever_opens_the_outbox_waits_for_it(
    postgres_url: str, connection: psycopg.Connection, execute: Callable[..., list[Any]]
) -> None:
    """It looks at all that is kept, and waits for those who write: longer than anything else may take."""
    name = postgres_url.rpartition("/")[2]
    execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '200ms'")
    execute("DROP FUNCTION time_parts CASCADE; DROP TABLE part")
    execute("UPDATE schema_version SET version = 5")
    outbox = PostgresOutbox(postgres_url, rules(), clock=lambda: NOW)
    with connection.transaction():
        connection.execute("LOCK TABLE line IN ROW EXCLUSIVE MODE")
        enqueued = asyncio.create_task(At(outbox).enqueue(new()))
        await asyncio.wait([enqueued], timeout=2)
        assert not enqueued.done()
    await enqueued
    await outbox.close()
    assert execute("SELECT version FROM schema_version") == [(SCHEMA_VERSION,)]


async def test_what_a_process_of_version_5_makes_pending_beside_a_newer_one_is_found_by_its_time(
    at: At, execute: Callable[..., list[Any]]
) -> None:
    """Where processes are replaced one after the other, it goes on until it is stopped."""
    id_ = await at.dead_letter(new())
    later = at.later(HOUR_S)
    execute(
        "WITH risen AS (DELETE FROM dead RETURNING id) INSERT INTO line (id, ad_account_id, preset, payload_bytes, "
        f"enqueued_at, due_at) SELECT id, ad_account_id, preset, length(payload), {later.now}, {later.now} "
        "FROM risen JOIN delivery USING (id)"
    )
    found = await at.outbox.search(Query(since=later.now), limit=9)
    assert [each.delivery_id for each in found.deliveries] == [id_]


async def test_payloads_of_a_newer_version_are_refused(at: At, execute: Callable[..., list[Any]]) -> None:
    await at.enqueue(new())
    execute("UPDATE delivery SET payload_version = 99")
    with pytest.raises(OutboxVersionError, match="payloads of version 99"):
        await at.claim()


PENDING = {"id": 1, "ad_account_id": "1", "preset": "p", "payload_bytes": 1, "enqueued_at": 1.0, "due_at": 1.0}
CLAIMED = PENDING | {"state": "claimed", "claim": "c", "attempts": 1}


def insert(connection: psycopg.Connection, row: dict[str, Any]) -> None:
    places = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO line ({', '.join(row)}) VALUES ({places})".encode(), row)


@pytest.mark.parametrize("row", [PENDING, PENDING | {"held": True}, CLAIMED], ids=str)
def test_every_state_that_is_drawn_can_be_stored(connection: psycopg.Connection, row: dict[str, Any]) -> None:
    insert(connection, row)


@pytest.mark.parametrize(
    "row",
    [
        PENDING | {"state": "lost"},
        PENDING | {"state": "delivered"},
        PENDING | {"due_at": None},
        PENDING | {"claim": "c"},
        PENDING | {"attempts": -1},
        CLAIMED | {"claim": None},
        CLAIMED | {"attempts": 0},
        CLAIMED | {"held": True},
    ],
    ids=lambda row: ", ".join(f"{name}={value}" for name, value in row.items()),
)
def test_no_other_state_can_be_stored(connection: psycopg.Connection, row: dict[str, Any]) -> None:
    with pytest.raises(psycopg.IntegrityError):
        insert(connection, row)
