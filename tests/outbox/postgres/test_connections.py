"""Connections: found anew after every kind of loss, never waited for without end, and silent about the password."""

import asyncio
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from app.errors import OutboxUnavailable
from app.outbox.postgres import PostgresOutbox
from app.outbox.postgres.connections import SQL, Connections, check_server, connection_text
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.postgres_server import PostgresServer
from tests.process import free_port
from tests.rows import every_row
from tests.waiting import until_async

OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pinrelay' AND datname = current_database()"


def cut_all(execute: Callable[..., Any]) -> None:
    """Have the server end every connection of the outbox."""
    execute(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours")


def test_psycopg_takes_each_statement_apart_once() -> None:
    """It has no public setting for the longest statement that it keeps so: the name of its bound is its own."""

    def taken_apart(statement: bytes) -> bytes:
        query = PostgresQuery(Transformer())
        query.convert(statement, dict.fromkeys(re.findall(r"%\((\w+)\)[stb]", statement.decode())))
        return query.query

    again = [name for name, statement in SQL.items() if taken_apart(statement) is not taken_apart(statement)]
    assert again == [], "psycopg's bound has another name now: raise that one in app/outbox/postgres/connections.py"


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Stop processes for a while."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def waiting_for_a_lock(execute: Callable[..., list[Any]]) -> list[Any]:
    return execute(f"{OURS} AND wait_event_type = 'Lock'")


async def test_connections_that_were_cut_while_idle_are_not_used_again(at: At, execute: Callable[..., Any]) -> None:
    for _ in range(3):
        await at.enqueue(new())
        cut_all(execute)
        await asyncio.sleep(0.05)  # the end has to arrive


async def test_they_are_few_and_kept(at: At, execute: Callable[..., Any]) -> None:
    await at.enqueue(new())
    first = execute(OURS)
    for _ in range(20):
        await at.enqueue(new())
        await at.outbox.message("m")
    last = execute(OURS)
    assert len(last) <= 3
    assert set(first) <= set(last)


async def test_a_connection_that_is_cut_at_work_fails_that_call_only(
    at: At, connection: psycopg.Connection, execute: Callable[..., Any]
) -> None:
    await at.outbox.put_shared("k", 1)
    with connection.transaction():
        connection.execute("UPDATE shared SET value = '2'")
        waiting = asyncio.create_task(at.outbox.put_shared("k", 3))
        await until_async(lambda: waiting_for_a_lock(execute))
        cut_all(execute)
        with pytest.raises(OutboxUnavailable, match="stopping or starting"):
            await waiting
    await at.outbox.put_shared("k", 4)


@pytest.mark.usefixtures("impatient")
async def test_what_takes_too_long_is_cancelled_and_its_connection_goes_on(
    at: At, connection: psycopg.Connection, execute: Callable[..., Any]
) -> None:
    await at.outbox.put_shared("k", 1)
    before = execute(OURS)
    with connection.transaction():
        connection.execute("UPDATE shared SET value = '2'")
        with pytest.raises(OutboxUnavailable, match="took too long"):
            await at.outbox.put_shared("k", 3)
    await at.outbox.put_shared("k", 4)
    assert execute(OURS) == before


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_stands_still_is_left_and_found_again(at: At, execute: Callable[..., Any]) -> None:
    await at.enqueue(new())
    with (
        frozen([pid for (pid,) in execute(OURS)]),
        pytest.raises(OutboxUnavailable, match="cannot reach the PostgreSQL server"),
    ):
        await at.enqueue(new())
    await at.enqueue(new())


@pytest.mark.usefixtures("impatient")
async def test_whoever_finds_no_free_connection_in_time_is_told(
    at: At, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.postgres.connections.MAX_CONNECTIONS", 1)
    outbox = PostgresOutbox(connection.info.dsn, rules(), clock=lambda: NOW)
    await outbox.put_shared("k", 1)
    monkeypatch.setattr("app.outbox.postgres.connections.LIMIT_S", 5)
    with connection.transaction():
        connection.execute("UPDATE shared SET value = '2'")
        waiting = asyncio.create_task(outbox.put_shared("k", 3))
        await asyncio.sleep(0)
        with pytest.raises(OutboxUnavailable, match="too busy"):
            await outbox.get_shared("k")
    await waiting
    await outbox.close()


async def test_what_runs_is_finished_though_whoever_asked_has_gone(
    at: At, connection: psycopg.Connection, execute: Callable[..., Any]
) -> None:
    await at.outbox.put_shared("k", 1)
    with connection.transaction():
        connection.execute("UPDATE shared SET value = '2'")
        waiting = asyncio.create_task(at.outbox.put_shared("k", 3))
        await until_async(lambda: waiting_for_a_lock(execute))
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await at.outbox.close()
    assert execute("SELECT value FROM shared") == [("3",)]


async def test_of_several_servers_the_one_that_answers_is_used(postgres_server: PostgresServer, template: str) -> None:
    with postgres_server.database(template) as url:
        several = url.replace("127.0.0.1:", f"127.0.0.1:{free_port()},127.0.0.1:")
        outbox = PostgresOutbox(several, rules(), clock=lambda: NOW)
        await At(outbox).enqueue(new())
        await outbox.close()


def test_the_server_that_takes_writes_is_asked_for_unless_the_url_says_otherwise() -> None:
    assert "target_session_attrs=read-write" in connection_text("postgresql://one,two/pinrelay")
    given = connection_text("postgresql://one,two/pinrelay?target_session_attrs=any&application_name=x")
    assert "target_session_attrs=any" in given
    assert "application_name=x" in given


async def test_the_password_stands_in_no_message(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    for address in (f"127.0.0.1:{free_port()}", f"127.0.0.1:{postgres_server.port}"):
        outbox = PostgresOutbox(f"postgresql://nobody:s3cret-w0rd@{address}/nowhere", rules(), clock=None)
        with pytest.raises(OutboxUnavailable) as caught:
            await outbox.check()
        shown = "".join(traceback.format_exception(caught.value)) + repr(outbox) + repr(outbox.__dict__) + caplog.text
        assert "s3cret-w0rd" not in shown
        await outbox.close()


@every_row(
    ("setting", "told"),
    [
        ({"fsync": "off"}, "fsync=off"),
        ({"synchronous_commit": "off"}, "synchronous_commit=off"),
        ({"synchronous_commit": "local", "standbys": "*"}, "synchronous_commit=local"),
        ({"synchronous_commit": "remote_write", "standbys": "*"}, "synchronous_commit=remote_write"),
        ({"version": 140_011}, "PostgreSQL 14 is too old"),
    ],
    ids=str,
)
def test_a_server_that_answers_too_early_is_refused(setting: dict[str, Any], told: str) -> None:
    good: dict[str, Any] = {"fsync": "on", "synchronous_commit": "on", "standbys": "", "version": 150_000}
    with pytest.raises(OutboxUnavailable, match=told):
        check_server(**(good | setting))


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"synchronous_commit": "local"},
        {"synchronous_commit": "remote_apply", "standbys": "*"},
        {"version": 170_002},
    ],
    ids=str,
)
def test_any_other_server_is_taken(setting: dict[str, Any]) -> None:
    good: dict[str, Any] = {"fsync": "on", "synchronous_commit": "on", "standbys": "", "version": 150_000}
    check_server(**(good | setting))


async def test_each_connection_is_looked_at(
    postgres_server: PostgresServer, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres_server.database(template) as url:
        outbox = PostgresOutbox(url, rules(), clock=lambda: NOW)
        await outbox.check()
        name = url.rpartition("/")[2]
        postgres_server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        await outbox.check()
        postgres_server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pinrelay'"
        )
        assert "synchronous_commit=off" in await until_async(lambda: refusal(outbox))
        await outbox.close()


async def refusal(outbox: PostgresOutbox) -> str:
    """Return why the outbox keeps nothing, once that is not the end of an old connection."""
    with pytest.raises(OutboxUnavailable) as caught:
        await outbox.check()
    return "" if "57P01" in str(caught.value) else str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER DATABASE {name} CONNECTION LIMIT 0", 'too many connections for database "failing"'),
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", "cannot reach the PostgreSQL server"),
        ("ALTER DATABASE {name} RENAME TO gone", 'database "failing" does not exist'),
        ("REVOKE ALL ON SCHEMA public FROM public", "lacks rights: let it create and use tables"),
    ],
)
async def test_what_is_wrong_is_told_with_a_remedy(postgres_server: PostgresServer, change: str, told: str) -> None:
    url = postgres_server.create("failing")
    user = "CREATE ROLE somebody LOGIN"
    postgres_server.execute(user)
    try:
        postgres_server.execute(change.format(name="failing"))
        outbox = PostgresOutbox(url.replace("postgres@", "somebody@"), rules(), clock=None)
        with pytest.raises(OutboxUnavailable, match=told):
            await outbox.check()
        await outbox.close()
    finally:
        name = "gone" if "RENAME" in change else "failing"
        postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        postgres_server.execute("DROP ROLE somebody")


async def test_no_two_connections_count_in_one_slot_and_one_that_is_free_is_taken_again(postgres_url: str) -> None:
    """Whoever counts waits for nobody, in whatever order it does."""
    connections = Connections(connection_text(postgres_url), lambda _: None)
    opened = [await connections.connect() for _ in range(70)]
    try:
        slots = {each.slot for each in opened}
        assert len(slots) == len(opened)
        await opened[3].close()
        async with asyncio.timeout(20):  # until the server has noticed that the connection is closed
            while (again := await connections.connect()).slot not in slots:
                await again.close()
        opened[3] = again
    finally:
        for each in opened:
            await each.close()


async def test_why_the_server_lets_nobody_in_is_told(postgres_server: PostgresServer) -> None:
    postgres_server.ask_password("locked", "s3cret")
    at = f"127.0.0.1:{postgres_server.port}"
    answers = {
        f"locked:wr0ng@{at}/postgres": 'password authentication failed for user "locked": check the password',
        f"locked@{at}/postgres": "no password supplied: check the password in OUTBOX_URL",
        f"nobody@{at}/postgres": 'role "nobody" does not exist: create the user, or correct it in OUTBOX_URL',
        f"postgres@{at}/nowhere": 'database "nowhere" does not exist: create the database, or correct its name',
        f"postgres@{at}/postgres?sslmode=require": "SSL was required: check sslmode and sslrootcert in OUTBOX_URL",
        f"postgres@/postgres?host=/tmp/{'a' * 120}": "the path of PostgreSQL's socket is over 107 bytes: name",
        f"postgres@127.0.0.1:{free_port()}/postgres": "cannot reach the PostgreSQL server: check that it runs",
    }
    for rest, words in answers.items():
        outbox = PostgresOutbox(f"postgresql://{rest}", rules(), clock=lambda: NOW)
        with pytest.raises(OutboxUnavailable) as told:
            await outbox.check()
        await outbox.close()
        assert words in str(told.value)
        assert not any(text in str(told.value) for text in ("again later", "wr0ng", "s3cret"))
        assert told.value.why == "unreachable"
