"""What the tests of the PostgreSQL engine look inside with."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.outbox.postgres_server import PostgresServer


@pytest.fixture
def engine(postgres_server: PostgresServer) -> str:
    """No other one here."""
    return "postgres"


@pytest.fixture
def outbox_url(postgres_url: str) -> str:
    """A database that no other test has: some change its schema."""
    return postgres_url


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection of somebody else to the same database."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def execute(connection: psycopg.Connection) -> Callable[..., list[Any]]:
    """`execute(sql, **parameters)` runs a statement as somebody else, and returns its rows."""

    def run(sql: str, **parameters: Any) -> list[Any]:
        cursor = connection.execute(sql.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may take longer than a moment."""
    monkeypatch.setattr("app.outbox.postgres.connections.LIMIT_S", 0.5)
    monkeypatch.setattr("app.outbox.postgres.connections.PATIENCE_S", 0.5)
    monkeypatch.setattr("app.outbox.postgres.connections._CANCEL_S", 1.0)  # for less, a busy machine is too slow
