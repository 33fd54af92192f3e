"""A claim that finds too little for a batch costs the same however much waits: a batch fills up over many of them."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.outbox.settlement import ClaimQuery
from app.outbox.sqlite.claim import claim
from app.outbox.sqlite.database import Connection, at_once, open_writable

NOW = 1_000.0
BYTES = 500
#: So many due deliveries, numbered from 1.
WAITING = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :count)
INSERT INTO delivery (ad_account_id, preset, message_id, event_name, event_id, action_source, event_time, warnings,
                      source, name, buyer, payload_bytes, enqueued_at, due_at)
SELECT '1', 'p', 'm' || n, 'lead', 'e' || n, 'web', 1, '[]', 'default', 'Lead', '[]', :bytes, :at, :at FROM number
"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(open_writable(tmp_path / "outbox.db")) as connection:
        yield connection


def _fill(connection: Connection, count: int) -> None:
    connection.execute(WAITING, {"count": count, "bytes": BYTES, "at": NOW})
    connection.execute("INSERT INTO move VALUES ('1', NULL, 'pending', ?, ?)", (count, count * BYTES))
    connection.execute("INSERT INTO payload (delivery_id, version, body) SELECT id, 1, x'7b7d' FROM delivery")


def _taken(connection: Connection, *, limit: int = 1_000, max_bytes: int = 1_000_000, age_s: float = 0) -> int:
    asked = ClaimQuery(
        ad_account_id="1",
        limit=limit,
        max_bytes=max_bytes,
        max_wait_s=5,
        lease_s=60,
        without_presets=frozenset(),
        take_over=True,
        holds=None,
        now=NOW + age_s,
    )
    return len(at_once(claim(connection, asked)))


def _steps(connection: Connection, waiting: int) -> int:
    """Return how many steps SQLite's machine takes for a claim in vain."""
    _fill(connection, waiting)
    assert _taken(connection) == 0  # the first of a connection reads the schema, too
    steps = itertools.count()
    connection.set_progress_handler(lambda: next(steps) < 0, 1)
    assert _taken(connection) == 0
    connection.set_progress_handler(None, 0)
    connection.execute("DELETE FROM delivery")
    return next(steps)


def test_a_claim_in_vain_takes_as_many_steps_however_much_waits(connection: Connection) -> None:
    assert _steps(connection, 500) == _steps(connection, 5)


@pytest.mark.parametrize(
    ("asks", "taken"),
    [
        ({"limit": 11}, 0),
        ({"limit": 10}, 10),
        ({"limit": 4}, 4),
        ({"max_bytes": 10 * BYTES + 1}, 0),
        ({"max_bytes": 10 * BYTES}, 10),
        ({"max_bytes": 4 * BYTES + 1}, 4),
        ({"max_bytes": 1}, 1),  # one at least
        ({"age_s": 4.9}, 0),
        ({"age_s": 5}, 10),
    ],
)
def test_ten_are_taken_once_they_fill_a_batch_or_are_old(
    connection: Connection, asks: dict[str, float], taken: int
) -> None:
    _fill(connection, 10)
    assert _taken(connection, **asks) == taken  # type: ignore[arg-type] # limits are integers
