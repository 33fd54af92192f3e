"""The schema refuses what docs/outbox.md does not draw."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.outbox.sqlite.database import open_writable

COLUMNS = {
    "ad_account_id": "1",
    "preset": "checkout",
    "message_id": "m",
    "event_name": "checkout",
    "event_id": "e",
    "action_source": "web",
    "event_time": 1,
    "warnings": "[]",
    "source": "default",
    "name": "Order Completed",
    "buyer": "[]",
    "payload_bytes": 1,
    "enqueued_at": 1.0,
}
PENDING = {"state": "pending", "due_at": 1.0}
CLAIMED = {"state": "claimed", "due_at": 1.0, "claim": "c", "attempts": 1}
DELIVERED = {"state": "delivered", "settled_at": 1.0}
DEAD = {"state": "dead", "settled_at": 1.0}
DISMISSED = {"state": "dismissed", "settled_at": 1.0}


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writable(path)
    yield connection
    connection.close()


def _insert(connection: sqlite3.Connection, **changes: object) -> None:
    row = COLUMNS | changes
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO delivery ({', '.join(row)}) VALUES ({marks})", list(row.values()))


@pytest.mark.parametrize("row", [PENDING, PENDING | {"held": 1}, CLAIMED, DELIVERED, DEAD, DISMISSED], ids=str)
def test_every_state_that_is_drawn_can_be_stored(connection: sqlite3.Connection, row: dict[str, object]) -> None:
    _insert(connection, **row)


@pytest.mark.parametrize(
    "row",
    [
        PENDING | {"state": "lost"},
        PENDING | {"due_at": None},
        PENDING | {"settled_at": 1.0},
        PENDING | {"claim": "c"},
        PENDING | {"attempts": -1},
        CLAIMED | {"claim": None},
        CLAIMED | {"due_at": None},
        CLAIMED | {"attempts": 0},
        CLAIMED | {"settled_at": 1.0},
        DELIVERED | {"settled_at": None},
        DELIVERED | {"due_at": 1.0},
        DELIVERED | {"claim": "c"},
        CLAIMED | {"held": 1},
        DELIVERED | {"held": 1},
        PENDING | {"held": 2},
        DEAD | {"settled_at": None},
        DEAD | {"due_at": 1.0},
        DISMISSED | {"settled_at": None},
        DISMISSED | {"claim": "c"},
        PENDING | {"event_time": "soon"},
    ],
    ids=lambda row: ", ".join(f"{name}={value}" for name, value in row.items()),
)
def test_no_other_state_can_be_stored(connection: sqlite3.Connection, row: dict[str, object]) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        _insert(connection, **row)


def test_a_payload_belongs_to_a_delivery(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        connection.execute("INSERT INTO payload (delivery_id, version, body) VALUES (1, 1, x'00')")


def test_the_backlog_follows_every_change_of_state(connection: sqlite3.Connection) -> None:
    _insert(connection, **PENDING)
    _insert(connection, **PENDING)
    connection.execute("INSERT INTO move VALUES ('1', NULL, 'pending', 2, 2)")  # as whoever stores counts
    connection.execute("UPDATE delivery SET state = 'dead', due_at = NULL, settled_at = 1 WHERE id = 1")
    connection.execute("DELETE FROM delivery WHERE id = 2")
    assert connection.execute("SELECT state, count, bytes FROM backlog ORDER BY state").fetchall() == [
        ("dead", 1, 1),
        ("pending", 0, 0),
    ]
