"""Group commit: shared, answered after it, and failing only for those it concerns."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.errors import OutboxUnavailable
from app.outbox.sqlite.database import Connection
from app.outbox.sqlite.guard import Guard
from app.outbox.sqlite.writer import MAX_ROWS, Writer
from tests.waiting import until_async


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x INTEGER NOT NULL, y TEXT CHECK (y <> 'never')) STRICT")
    writer = Writer(connection, Guard(path), on_others=lambda: None)
    yield writer
    writer.close()


def _insert(connection: sqlite3.Connection, value: Any) -> int:
    connection.execute("INSERT INTO t (x) VALUES (?)", (value,))
    if value == 13:
        raise ValueError("13")
    return int(value)


def inserting(value: Any) -> Callable[[sqlite3.Connection], int]:
    return partial(_insert, value=value)


async def _closed(writer: Writer) -> bool:
    return writer._jobs._closed


def _stored(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    rows = [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]
    connection.close()
    return rows


class Gate:
    """Work that keeps the writer busy until it is opened, so that what comes meanwhile shares a commit."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, connection: sqlite3.Connection) -> None:
        self.entered.set()
        assert self.opened.wait(10)


async def _together(writer: Writer, *calls: Callable[[sqlite3.Connection], Any], rows: int = 1) -> list[Any]:
    """Do calls so that they are queued before the writer takes the first of them."""
    gate = Gate()
    blocker = asyncio.create_task(writer.do(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    tasks = [asyncio.create_task(writer.do(call, rows=rows)) for call in calls]
    await asyncio.sleep(0)
    gate.opened.set()
    await blocker
    return await asyncio.gather(*tasks, return_exceptions=True)


def noting(seen: list[tuple[int, int]], value: int) -> Callable[[sqlite3.Connection], int]:
    """Note the value, and how much was changed before by the transaction that it is done in."""

    def note(connection: sqlite3.Connection) -> int:
        assert connection.in_transaction
        seen.append((value, connection.execute("SELECT count(*) FROM t").fetchone()[0]))
        return value

    return note


async def test_calls_that_wait_together_share_a_transaction_in_their_order(writer: Writer, path: Path) -> None:
    seen: list[tuple[int, int]] = []
    stored: list[list[int]] = []

    def look(_connection: sqlite3.Connection) -> None:
        stored.append(_stored(path))

    answers = await _together(writer, noting(seen, 1), inserting(5), noting(seen, 2), look)
    assert answers == [1, 5, 2, None]
    assert (seen, stored) == ([(1, 0), (2, 1)], [[]])


async def test_a_group_is_closed_when_it_is_large(writer: Writer, path: Path) -> None:
    stored: list[list[int]] = []

    def insert_and_look(connection: sqlite3.Connection) -> None:
        stored.append(_stored(path))
        _insert(connection, 1)

    await _together(writer, *[insert_and_look] * 3, rows=MAX_ROWS // 2)
    assert stored == [[], [], [1, 1]]


async def test_a_call_that_fails_takes_back_its_own_rows_only(writer: Writer, path: Path) -> None:
    answers = await _together(writer, *map(inserting, (1, 13, "no number", 2)))
    assert [type(answer) for answer in answers] == [int, ValueError, OutboxUnavailable, int]
    assert _stored(path) == [1, 2]


async def test_an_answer_that_is_an_exception_fails_its_call(writer: Writer) -> None:
    one, two, three = await _together(writer, lambda _: 1, lambda _: ValueError("2"), lambda _: 3)
    assert (one, type(two), three) == (1, ValueError, 3)


async def test_a_failed_commit_fails_everyone_who_shared_it(writer: Writer, path: Path) -> None:
    first, second = await _together(writer, inserting(1), lambda connection: connection.execute("ROLLBACK"))
    assert isinstance(first, OutboxUnavailable)
    assert isinstance(second, OutboxUnavailable)
    assert first is not second
    assert _stored(path) == []
    assert await writer.do(inserting(3)) == 3


async def test_an_error_that_ended_the_transaction_fails_everyone_who_shared_it(writer: Writer, path: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    answers = await _together(writer, inserting(1), fail)
    assert [type(answer) for answer in answers] == [OutboxUnavailable, OutboxUnavailable]
    assert _stored(path) == []


async def test_a_fault_of_ours_that_ends_the_transaction_is_told_and_does_not_end_the_writer(
    writer: Writer, path: Path
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise ValueError("ours")

    first, second = await _together(writer, inserting(1), fail)
    assert (type(first), type(second)) == (ValueError, ValueError)
    assert _stored(path) == []
    assert await writer.do(inserting(3)) == 3


async def test_a_call_whose_caller_has_gone_is_done_all_the_same(writer: Writer, path: Path) -> None:
    gate = Gate()
    blocker = asyncio.create_task(writer.do(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    cancelled = asyncio.create_task(writer.do(inserting(1)))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.opened.set()
    await blocker
    assert await writer.do(inserting(2)) == 2
    assert _stored(path) == [1, 2]


def test_a_call_whose_loop_is_closed_does_not_end_the_writer(writer: Writer, path: Path) -> None:
    gate = Gate()

    async def leave() -> None:
        task = asyncio.create_task(writer.do(gate))
        await asyncio.to_thread(gate.entered.wait, 10)
        task.cancel()

    asyncio.run(leave())
    gate.opened.set()
    assert asyncio.run(writer.do(inserting(1))) == 1
    assert _stored(path) == [1]


def _insert_alone(connection: sqlite3.Connection, value: Any) -> int | None:
    """Refuse even numbers without a word, and do the others in a transaction of its own."""
    if value % 2 == 0:
        return None
    assert not connection.in_transaction
    return _insert(connection, value)


async def do_alone(writer: Writer, value: Any) -> int:
    return await writer.do(inserting(value), alone=partial(_insert_alone, value=value))


@pytest.mark.parametrize(
    ("value", "answered", "stored"),
    [
        pytest.param(1, 1, [1], id="done alone"),
        pytest.param(2, 2, [2], id="left to the work, in a transaction"),
        pytest.param(13, ValueError, [13], id="a fault of ours is told"),
        pytest.param(1.5, OutboxUnavailable, [], id="an error of SQLite is translated"),
    ],
)
async def test_a_call_that_shares_with_nobody_may_be_a_transaction_itself(
    writer: Writer, path: Path, value: Any, answered: Any, stored: list[int]
) -> None:
    (answer,) = await asyncio.gather(do_alone(writer, value), return_exceptions=True)
    assert answered in (answer, type(answer))
    assert _stored(path) == stored


async def test_calls_that_share_a_commit_are_not_done_alone(writer: Writer, path: Path) -> None:
    gate = Gate()
    blocker = asyncio.create_task(writer.do(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    tasks = [asyncio.create_task(do_alone(writer, value)) for value in (1, 3)]
    await asyncio.sleep(0)
    gate.opened.set()
    await blocker
    assert await asyncio.gather(*tasks) == [1, 3]
    assert _stored(path) == [1, 3]


async def test_what_is_queued_at_closing_is_committed(writer: Writer, path: Path) -> None:
    gate = Gate()
    blocker = asyncio.create_task(writer.do(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    tasks = [asyncio.create_task(writer.do(inserting(value))) for value in (1, 2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(writer.close))
    await until_async(lambda: _closed(writer))
    gate.opened.set()
    await closing
    await blocker
    assert await asyncio.gather(*tasks) == [1, 2]
    assert _stored(path) == [1, 2]
    with pytest.raises(OutboxUnavailable, match="closed"):
        await writer.do(inserting(3))


async def test_commits_of_others_are_told_and_none_of_its_own(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (x INTEGER NOT NULL) STRICT")
    told = threading.Event()
    writer = Writer(connection, Guard(path), on_others=told.set)
    await writer.do(inserting(1))
    await writer.do(inserting(2))  # it has looked at the file after the first
    assert not told.is_set()
    other = sqlite3.connect(path)
    _insert(other, 3)
    other.commit()
    other.close()
    assert await asyncio.to_thread(told.wait, 10)
    writer.close()


class _Unreadable(Connection):
    """Cannot be asked for the version of its file."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "PRAGMA data_version":
            raise sqlite3.DatabaseError("database disk image is malformed")
        return super().execute(sql, *parameters)


async def test_a_file_that_cannot_be_asked_fails_no_call(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_Unreadable)
    connection.execute("CREATE TABLE t (x INTEGER NOT NULL) STRICT")
    told = threading.Event()
    writer = Writer(connection, Guard(path), on_others=told.set)
    assert await writer.do(inserting(3)) == 3
    writer.close()
    assert not told.is_set()
