"""The least rights that suffice, for each role; and what a managed service's time-outs do."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.core.pages import Query
from app.errors import OutboxUnavailable
from app.outbox import open_outbox
from app.outbox.postgres.connections import Connection, connection_text
from tests.examples.blocks import BLOCKS
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, delivered, new, rules
from tests.outbox.postgres_server import PostgresServer

(SHOWN,) = (block.text for block in BLOCKS if (block.page, block.title) == ("scaling", "rights"))
#: As the page has them, in a database that lets nobody else in.
OWNER, READER = SHOWN.replace("...", "x").split("-- who only looks\n")
CLOSED = "REVOKE ALL ON DATABASE shop FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC;"


@pytest.fixture
def url_of(postgres_server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """`url_of(role)` gives the URL of an empty database for a role, once its rights are granted."""
    with postgres_server.database() as url, psycopg.connect(url, autocommit=True) as admin:
        where = conninfo_to_dict(url)

        def granted(script: str) -> bytes:
            return script.replace("DATABASE shop", f"DATABASE {where['dbname']}").encode()

        admin.execute(granted(CLOSED + OWNER))

        def url_for(role: str) -> str:
            if role == "reader":
                admin.execute(granted(READER))
            return f"postgresql://{role}:x@{where['host']}:{where['port']}/{where['dbname']}"

        yield url_for
        admin.execute(b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('pinrelay', 'reader')")
        for (role,) in admin.execute("SELECT rolname FROM pg_roles WHERE rolname IN ('pinrelay', 'reader')").fetchall():
            admin.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


async def test_the_owner_of_a_schema_of_its_own_may_do_all_and_a_reader_only_look(
    url_of: Callable[[str], str],
) -> None:
    outbox = open_outbox(url_of("pinrelay"), rules(), clock=lambda: NOW)
    at = At(outbox)
    try:
        await outbox.check([ACCOUNT])
        await at.enqueue(*(new() for _ in range(5)))
        await at.settle(*map(delivered, await at.claim(3)))
        reading = open_outbox(url_of("reader"), rules(), clock=lambda: NOW)
        try:
            assert (await reading.backlog(ACCOUNT, now=NOW)).pending == 2
            assert len((await reading.search(Query(), limit=10)).deliveries) == 5
            with pytest.raises(OutboxUnavailable, match="lacks rights"):
                await At(reading).enqueue(new())
            later = at.later(40 * DAY_S)
            while await later.outbox.retain(now=NOW + 40 * DAY_S, limit=500):  # makes and drops tables of days
                pass
            await later.enqueue(new())
            assert (await reading.backlog(ACCOUNT, now=NOW)).pending >= 1
        finally:
            await reading.close()
    finally:
        await outbox.close()


async def test_limits_of_the_server_cost_no_event(url_of: Callable[[str], str]) -> None:
    """As managed services set them for a user: sessions end after a second of idleness, and transactions too."""
    url = url_of("pinrelay")
    with psycopg.connect(url, autocommit=True) as own:
        for limit in (
            "idle_session_timeout",
            "idle_in_transaction_session_timeout",
            "lock_timeout",
            "statement_timeout",
        ):
            own.execute(f"ALTER ROLE pinrelay SET {limit} = '1s'".encode())
    outbox = open_outbox(url, rules(), clock=lambda: NOW)
    at = At(outbox)
    try:
        for _ in range(2):
            waiting = asyncio.create_task(outbox.wait(ACCOUNT, 1.6))
            await asyncio.sleep(1.5)  # longer than any session may be idle
            await at.enqueue(new())
            await waiting
            await at.settle(*map(delivered, await at.claim(3)))
        assert (await outbox.backlog(ACCOUNT, now=NOW)).pending == 0
    finally:
        await outbox.close()


async def test_a_connection_that_somebody_forgot_is_found_by_tcp_within_two_minutes(postgres_url: str) -> None:
    """A balancer that forgets idle connections says nothing of it; Azure's forgets after four minutes."""
    options: dict[str, Any] = conninfo_to_dict(connection_text(postgres_url))
    connection = await Connection.connect(connection_text(postgres_url))
    try:
        with socket.socket(fileno=socket.dup(connection.pgconn.socket)) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            kept = [
                line.getsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{name}"))
                for name in ("IDLE", "INTVL", "CNT")
            ]
    finally:
        await connection.close()
    assert kept == [int(options[f"keepalives_{name}"]) for name in ("idle", "interval", "count")] == [60, 15, 4]
    own = conninfo_to_dict(connection_text(f"{postgres_url}?keepalives_idle=7"))
    assert own["keepalives_idle"] == "7"
