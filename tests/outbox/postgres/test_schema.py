"""The schema: made once, refused where it is newer, and it forbids what docs/outbox.md does not draw."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.errors import OutboxVersionError
from app.outbox.postgres import PostgresOutbox, database
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import SCHEMA_VERSION
from tests.outbox.build import NOW, At, new, rules
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
            assert connection.execute("SELECT version FROM store_version").fetchall() == [(SCHEMA_VERSION,)]


async def test_whoever_found_no_tables_sees_what_another_made_meanwhile(postgres_server: PostgresServer) -> None:
    """Of two that start together the second said that a table is there already, and did not start."""
    with postgres_server.database() as url:
        async with await Connection.connect(url, autocommit=True) as connection, connection.transaction():
            assert await database._version(connection) == 0
            with psycopg.connect(url) as other:  # of many tables at once a session would hear by itself
                other.execute("CREATE TABLE store_version (identity integer, version integer)")
                other.execute("INSERT INTO store_version VALUES (%s, %s)", (database.IDENTITY, SCHEMA_VERSION))
            assert await database._version(connection) == SCHEMA_VERSION


async def test_a_newer_schema_is_refused_and_left_alone(postgres_url: str, execute: Callable[..., list[Any]]) -> None:
    execute(f"UPDATE store_version SET version = {SCHEMA_VERSION + 1}")
    outbox = PostgresOutbox(postgres_url, rules(), clock=lambda: NOW)
    with pytest.raises(OutboxVersionError, match=f"version {SCHEMA_VERSION + 1}"):
        await outbox.check()
    await outbox.close()
    assert execute("SELECT version FROM store_version") == [(SCHEMA_VERSION + 1,)]


@pytest.mark.usefixtures("at", "impatient")
async def test_a_migration_takes_its_time_and_whoever_opens_the_outbox_waits_for_it(
    postgres_url: str,
    connection: psycopg.Connection,
    execute: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It looks at all that is kept, and waits for those who write: longer than anything else may take."""
    name = postgres_url.rpartition("/")[2]
    execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '200ms'")
    monkeypatch.setattr(database, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(database, "schema", lambda _: b"ALTER TABLE queue ADD COLUMN planted integer")
    outbox = PostgresOutbox(postgres_url, rules(), clock=lambda: NOW)
    with connection.transaction():
        connection.execute("LOCK TABLE queue IN ROW EXCLUSIVE MODE")
        enqueued = asyncio.create_task(At(outbox).enqueue(new()))
        await asyncio.wait([enqueued], timeout=2)
        assert not enqueued.done()
    await enqueued
    await outbox.close()
    assert execute("SELECT version FROM store_version") == [(SCHEMA_VERSION + 1,)]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE schema_version (version integer); CREATE TABLE delivery (x text)",
        "CREATE TABLE delivery (x text)",
        "CREATE TABLE store_version (identity integer, version integer); INSERT INTO store_version VALUES (1, 1)",
    ],
)
async def test_a_database_without_the_identity_is_refused_and_left_as_it_is(
    postgres_server: PostgresServer, script: str
) -> None:
    with postgres_server.database() as url:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script.encode())
            before = connection.execute(tables).fetchall()
            outbox = PostgresOutbox(url, rules(), clock=lambda: NOW)
            with pytest.raises(OutboxVersionError, match=r"`pinrelay outbox-move`.*`pinrelay outbox-salvage`") as told:
                await outbox.check()
            await outbox.close()
            assert "again later" not in str(told.value)
            assert connection.execute(tables).fetchall() == before


async def test_tables_of_other_programs_may_lie_beside(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (x text)")
        outbox = PostgresOutbox(url, rules(), clock=lambda: NOW)
        await outbox.check()
        await outbox.close()


PENDING = {"id": 1, "ad_account_id": "1", "preset": "p", "payload_bytes": 1, "enqueued_at": 1.0, "due_at": 1.0}
CLAIMED = PENDING | {"state": "claimed", "claim": "c", "attempts": 1}


def insert(connection: psycopg.Connection, row: dict[str, Any]) -> None:
    places = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO queue ({', '.join(row)}) VALUES ({places})".encode(), row)


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
