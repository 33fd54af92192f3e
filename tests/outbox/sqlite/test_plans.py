"""No statement looks at every row of a table that grows."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.pages import Query
from app.outbox.sqlite.database import SQL, open_writable, script_of_store
from app.outbox.sqlite.enqueue import prepare_connection
from app.outbox.sqlite.filters import filtered

QUERIES = {
    "any": Query(),
    "id": Query(delivery_id="1"),
    "message": Query(message_id="m"),
    "event": Query(event_id="e"),
    "order": Query(order_id="o"),
    "preset": Query(preset="p", state=State.PENDING, reason="r"),
    "attempt": Query(outcome=Outcome.REJECTED, since=1),
    "person": Query(person=("0",), warning="w"),
    "dead": Query(state=State.DEAD, preset="p", reason="r"),
}
FILLED = {
    f"{name} by {kind}": filtered(name, SQL[name], query)[0]
    for name in ("search", "dead", "search_dropped")
    for kind, query in QUERIES.items()
}
#: The steps of store.sql, as if they stood alone, name parameters and raise nothing.
STEPS = {
    f"store, step {number}": step.replace("RAISE(ABORT, 'not all new')", "1").replace("new.", ":")
    for number, step in enumerate(re.split(r"\n\n", script_of_store())[3:-1], start=1)
}
#: `holds_anything` ends with the first row that it meets; a salvage, and whoever erases a person, reads everything.
LEFT_OUT = {"search", "dead", "search_dropped", "holds_anything", "kept_elsewhere", "erase_keys", "erase_keys_with"} | {
    f"salvage_{kind}{way}"
    for kind in ("counts", "revenue", "inventory", "suppressions", "unreleased_suppressions", "people", "owners")
    for way in ("", "_backwards")
}
STATEMENTS = {name: sql for name, sql in SQL.items() if name not in LEFT_OUT} | FILLED | STEPS
GROWING = (
    "d|delivery|payload|attempt|dropped_event|dedup_key|counter|audit|session|person|suppression|inventory|revenue|name_count|counter_sum"
    "|id_filter|known"
)
#: Parameters that are arrays of JSON.
LISTS = {"rows", "ids", "keys", "digests", "counted", "deliveries", "people", "suppressions", "outcomes", "person"} | {
    "sent",
    "died",
}
FULL_SCAN = re.compile(rf"^SCAN ({GROWING})\b")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    connection = open_writable(Path(tmp_path_factory.mktemp("plans")) / "outbox.db")
    prepare_connection(connection)
    yield connection
    connection.close()


def _plan(connection: sqlite3.Connection, sql: str) -> list[str]:
    parameters = {
        name: "[]"
        if name
        in {
            "rows",
            "ids",
            "keys",
            "digests",
            "counted",
            "deliveries",
            "people",
            "suppressions",
            "outcomes",
            "person",
            "sent",
            "died",
        }
        else 1
        for name in re.findall(r":(\w+)", sql)
    }
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def test_a_statement_searches_and_never_scans(connection: sqlite3.Connection) -> None:
    scans = {name: list(filter(FULL_SCAN.match, _plan(connection, sql))) for name, sql in STATEMENTS.items()}
    assert {name: steps for name, steps in scans.items() if steps} == {}


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("claim", "delivery_due (ad_account_id=? AND retried=? AND due_at<?)"),
        ("hold", "delivery_due (ad_account_id=? AND retried=? AND due_at<?)"),
        ("claimed", "INDEX delivery_held (ad_account_id=? AND preset>?)"),
        ("release", "INDEX delivery_held (ad_account_id=? AND preset=?)"),
        ("claimed", "delivery_due (ad_account_id=? AND retried=? AND due_at=?)"),
        ("oldest_unsettled", "delivery_unsettled (ad_account_id=?)"),
        ("next_due", "delivery_due (ad_account_id=? AND retried=? AND due_at>?)"),
        ("retain_delivered", "delivery_delivered (settled_at<?)"),
        ("retain_dead", "delivery_died (settled_at<?)"),
        ("retain_keys", "dedup_key_expires (expires_at<?)"),
        ("retain_audit", "audit_at (at<?)"),
        ("retain_sessions", "session_ends (ends_at<?)"),
        ("session", "PRIMARY KEY (digest=?)"),
        ("linked_people", "COVERING INDEX person_linked (linked_id=?)"),
        ("people", "person USING INTEGER PRIMARY KEY (rowid=?)"),
        ("people_changed", "person USING INTEGER PRIMARY KEY (rowid=?)"),
        ("forget_people", "person USING INTEGER PRIMARY KEY (rowid=?)"),
        ("forget_oldest_linked", "person_linked (linked_id=?)"),
        ("stale_people", "person_stale (stale_at<?)"),
        ("forget_stale", "person_stale (stale_at=?)"),
        ("forget_unseen", "person_seen"),
        ("audit", "INTEGER PRIMARY KEY (rowid<?)"),
        ("keys_taken", "PRIMARY KEY (digest=?)"),
        ("before_enqueue", "PRIMARY KEY (digest=?)"),
        ("store, step 1", "dedup_key_places (digest=? AND place>?)"),
        ("store, step 2", "kind USING AUTOMATIC COVERING INDEX (number=?)"),
        ("search by message", "delivery_message (shelf=? AND message_id=?)"),
        ("search by message", "id_filter USING PRIMARY KEY (bucket=?)"),
        ("next_id_range", "id_filter USING PRIMARY KEY (bucket=?)"),
        ("ids_on_shelves", "INDEX delivery_message (shelf>? AND shelf<?)"),
        ("ids_on_shelves", "INDEX delivery_event (shelf>? AND shelf<?)"),
        ("ids_on_shelves", "INDEX delivery_order (shelf>? AND shelf<?)"),
        ("forget_id_range", "id_filter USING PRIMARY KEY (bucket=? AND id_range=?)"),
        ("search by event", "delivery_event (shelf=? AND event_id=?)"),
        ("search by order", "delivery_order (shelf=? AND order_id=?)"),
        ("dead by order", "delivery_order (shelf=? AND order_id=?)"),
        ("search by attempt", "PRIMARY KEY (delivery_id=?)"),
        ("search by person", "payload USING INTEGER PRIMARY KEY (rowid=?)"),
        ("search_dropped by message", "dropped_event_message (shelf=? AND message_id=?)"),
        ("search_dropped by order", "dropped_event_order (shelf=? AND order_id=?)"),
        ("dropped_event_range", "dropped_event_at (at>?)"),
        ("first_delivery_since", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("first_delivery_since", "filled USING PRIMARY KEY (bucket=?)"),
        ("search by dead", "delivery_dead (id>? AND id<?)"),
        ("overtaken", "delivery_dead_event (event_id=?)"),
        ("overtaken", "delivery_dead_order (order_id=?)"),
        ("any_dead", "delivery_dead"),
        ("dead_causes", "delivery_dead"),
        ("dead_losses", "delivery_dead"),
        ("undelivered", "delivery_unsettled (ad_account_id=? AND enqueued_at>? AND enqueued_at<?)"),
        ("undelivered", "delivery_died (settled_at>?)"),
        ("name_counts", "PRIMARY KEY (name=? AND source=? AND day>? AND day<?)"),
        ("retain_name_counts", "name_count_none (day<?)"),
        ("counters", "counter_sum USING PRIMARY KEY (span_s=? AND start_at>? AND start_at<?)"),
        ("summed_spans", "PRIMARY KEY (span_s=?)"),
        ("reopen_steps", "PRIMARY KEY (span_s=? AND start_at>?)"),
        ("first_count", "PRIMARY KEY (span_s=? AND start_at>?)"),
        ("forget_sums", "PRIMARY KEY (span_s=? AND start_at<?)"),
        ("dead by any", "delivery_dead (id<?)"),
    ],
)
def test_an_index_leads_to_what_is_looked_for(connection: sqlite3.Connection, name: str, index: str) -> None:
    assert any(index in step for step in _plan(connection, STATEMENTS[name]))


def test_every_step_of_storing_is_looked_at() -> None:
    assert len(STEPS) == 11
    assert all(re.match(r"\s*(--[^\n]*\n\s*)+(SELECT|INSERT|DELETE)", step) for step in STEPS.values())


def test_the_scan_of_a_whole_table_would_be_seen(connection: sqlite3.Connection) -> None:
    assert any(FULL_SCAN.match(step) for step in _plan(connection, "SELECT count(*) FROM delivery WHERE reason = 'x';"))
