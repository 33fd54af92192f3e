"""A part that fails for another reason than its rows fails the whole call."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.outbox.sqlite.database import Connection, at_once, connect
from app.outbox.sqlite.set_aside import FileRows


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    connection = connect(tmp_path / "o.db", timeout_s=0)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (1)")
    yield connection
    connection.close()


def test_what_is_no_fault_of_a_row_is_raised_and_what_came_before_stands(connection: Connection) -> None:
    async def fill() -> None:
        connection.execute("INSERT INTO t VALUES (2)")
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorname = "SQLITE_FULL"
        raise full

    with pytest.raises(sqlite3.OperationalError, match="full"):
        at_once(FileRows(connection).attempt(fill))
    assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_what_ends_the_transaction_is_raised(connection: Connection) -> None:
    connection.execute("CREATE TRIGGER ends BEFORE INSERT ON t WHEN new.x = 3 BEGIN SELECT RAISE(ROLLBACK, 'no'); END")

    async def insert() -> None:
        connection.execute("INSERT INTO t VALUES (3)")

    with pytest.raises(sqlite3.IntegrityError, match="no"):
        at_once(FileRows(connection).attempt(insert))
    assert not connection.in_transaction
