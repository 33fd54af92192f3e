"""No statement looks at every row of a table that grows."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.outbox.postgres.ledger import asked
from app.outbox.postgres.sql import SQL
from app.types import Query, State
from tests.outbox.build import ACCOUNT, NOW, At, new

#: They read all there is, which is little: a handful of rows each.
SMALL = {"backlog", "shared", "probe", "schema_version", "delivery_id"}
EVERYTHING: dict[str, Any] = {
    "ad_account_id": ACCOUNT, "limit": 10, "now": NOW, "max_bytes": 10**6, "max_wait_s": 0.0, "lease_s": 60.0,
    "without_presets": ["off"], "claim": "c", "claim_after_loss": "d", "lease_lost": "lost", "slot": 1, "reason": "r",
    "preset": "p", "rows": "[]", "tallies": "[]", "until": NOW, "digests": ["a"], "ids": [1], "before": 10**9,
    "floor": 0, "window_s": 1.0, "ledger_s": 1.0, "message_id": "m", "after": NOW, "since": NOW,
    "step_s": 60, "key": "k",
    "prefix": "p",
    "value": "1", "revision": 1, "ledger_start": NOW, "count": 1, "deliveries": "[]", "spans": "[]", "payloads": b"",
    "version": 1, "keys": "[]", "notes": "[]", "size": 0, "max_backlog": 10, "bodies": [b""], "erase_at": NOW,
    "start": 0, "end": 1,
    "process": "p",
}  # fmt: skip
STATEMENTS = {
    name: (sql, EVERYTHING)
    for name, sql in SQL.items()
    if name not in {"search", "dead"} and re.match(rb"\s*(--.*\n|\s)*(SELECT|WITH|INSERT|UPDATE|DELETE)", sql)
} | {
    f"{name} by {kind}": (SQL[name], EVERYTHING | asked(query))
    for name in ("search", "dead")
    for kind, query in {
        "id": Query(delivery_id="1"),
        "message": Query(message_id="m"),
        "event": Query(event_id="e"),
        "dead": Query(state=State.DEAD),
        "any": Query(),
    }.items()
}
FULL_SCAN = re.compile(r"Seq Scan on (\w+)")


@pytest.fixture
async def filled(at: At, execute: Callable[..., list[Any]]) -> None:
    """Something of everything."""
    await at.enqueue(*(new() for _ in range(300)))
    first, second, *rest = await at.claim(limit=200)
    await at.deliver(*rest)
    await at.kill(first, second)
    execute("ANALYZE")


def plan(connection: psycopg.Connection, name: str) -> str:
    sql, parameters = STATEMENTS[name]
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL enable_seqscan = off")
        rows = connection.execute(b"EXPLAIN " + sql, parameters).fetchall()
    return "\n".join(line for (line,) in rows)


@pytest.mark.usefixtures("filled")
def test_a_statement_searches_and_never_scans(connection: psycopg.Connection) -> None:
    scanned = {name: set(FULL_SCAN.findall(plan(connection, name))) - SMALL for name in STATEMENTS}
    assert {name: tables for name, tables in scanned.items() if tables} == {}


@pytest.mark.usefixtures("filled")
def test_an_index_leads_to_what_is_looked_for(connection: psycopg.Connection) -> None:
    expected = {
        "claim": "line_due",
        "hold": "line_due",
        "held_presets": "line_held",
        "release": "line_held",
        "store": "dedup_key_pkey",
        "keys_taken": "dedup_key_pkey",
        "backlog": "line_enqueued",
        "next_due": "line_due",
        "retain_keys": "dedup_key_expires",
        "retain_dead": "dead_settled",
        "notes": "message_id_idx",
        "search by message": "delivery_message",
        "search by event": "delivery_event",
        "search by id": "delivery_pkey",
        "dead by any": "dead_pkey",
    }
    assert [name for name, index in expected.items() if index not in plan(connection, name)] == []


@pytest.mark.usefixtures("filled")
def test_the_scan_of_a_whole_table_would_be_seen(connection: psycopg.Connection) -> None:
    rows = connection.execute("EXPLAIN SELECT count(*) FROM delivery WHERE amount = 'x'").fetchall()
    assert FULL_SCAN.search(rows[0][0] + rows[1][0])


def test_every_statement_that_reads_or_writes_rows_is_looked_at() -> None:
    left_out = {name for name in SQL if name not in STATEMENTS} - {"search", "dead"}
    assert left_out == {"version_table", "make_day_table", "attach_day_table", "drop_day_table", "listen"}
