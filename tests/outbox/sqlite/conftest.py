"""What the tests of the SQLite engine look inside with."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from app.outbox.sqlite import SqliteOutbox
from tests.outbox.build import NOW, At, rules


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the outbox, not made yet."""
    return tmp_path / "pinrelay.db"


@pytest.fixture
async def outbox(path: Path) -> AsyncIterator[SqliteOutbox]:
    """The outbox in `path`, with the default rules."""
    outbox = SqliteOutbox(path, rules(), clock=lambda: NOW)
    yield outbox
    await outbox.close()


@pytest.fixture
def at(outbox: SqliteOutbox) -> At:
    return At(outbox)


@pytest.fixture
def execute(outbox: SqliteOutbox) -> Callable[..., Any]:
    """`await execute(sql)` runs a statement on the connection that writes, and returns its rows."""

    async def run(sql: str) -> list[Any]:
        return await outbox._writer.do(lambda connection: connection.execute(sql).fetchall())

    return run
