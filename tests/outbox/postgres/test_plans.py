"""No statement looks at every row of a table that grows."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app.core.deliveries import State
from app.core.events import DroppedEvent, EventKey, InventoryCount, Measure, Outcome
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.outbox.postgres.connections import SQL, filters_of
from tests.outbox.build import NOW, At, new

#: They read all there is, which is little: a handful of rows each.
SMALL = {"memory_size", "backlog", "shared", "probe", "store_version", "delivery_id", "dropped_event_id", "audit_id"}
#: Asked by moves and erasures only, which take their time.
ONCE = {"holds_anything", "transfer_counts_out", "transfer_revenue_out", "forget_owners", "forget_quarantined"}
ONCE |= {"messages_of_deliveries"}
#: They drop all sums of steps, or read all of a table that is to be dropped.
ONCE |= {"transfer_counts_in", "drop_counts", "count_day"}
#: Whoever erases a person has all looked through.
ONCE |= {"kept_of", "kept_elsewhere", "erase_keys", "erase_keys_with"}
#: Each is looked at for several queries.
SEARCHES = (
    *(f"{name}{way}" for name in ("search", "search_by_id", "search_dropped") for way in ("", "_ascending")),
    "dead",
)
JSON = (
    "rows",
    "kinds",
    "counters",
    "deliveries",
    "loads",
    "spans",
    "keys",
    "dropped_events",
    "suppressions",
    "owners",
    "named",
)
MOMENTS = ("now", "until", "after", "since", "ledger_start", "erase_at", "pending_by", "claimed_by", "begin", "due_by")
OF_PEOPLE = ("erased", "who", "place", "what", "target", "was", "became", "digest", "seal")
SECONDS = ("lasts_s", "click_s", "max_wait_s", "lease_s", "window_s", "ledger_s")
NUMBERS = (
    "limit",
    "slot",
    "floor",
    "revision",
    "count",
    "version",
    "size",
    "max_bytes",
    "public_bytes",
    "public_names",
)
MORE_NUMBERS = (
    "gone",
    "next_id",
    "steps",
    "room",
    "public_room",
    "public_suppressions",
    "hour",
    "people",
    "max_linked",
    "max_names",
    "max_backlog",
    "max_backlog_bytes",
    "after_id",
    "step_s",
    "by_source",
    "start",
    "end",
    "delivery",
    "dropped_event",
    "lowest",
    "highest",
    "max_names",
    "max_properties",
    "day",
    "first_day",
    "last_day",
    "span_s",
    "after_0",
    "after_1",
    "sums_from",
    "sums_until",
    "later_from",
    "length_s",
)
TEXTS = ("ad_account_id", "claim", "claim_after_loss", "lease_lost", "reason", "preset", "message_id", "key")
MORE_TEXTS = ("value", "process", "after_key", "after_2", "after_3", "after_4", "after_5", "after_6")
OF_EVENTS = ("name", "type", "source", "outcome", "others")
EVERYTHING: dict[str, Any] = {
    **dict.fromkeys(JSON, "[]"),
    **dict.fromkeys((*MOMENTS, "at", "ends_at", "audit_start", "minutes_start", "hours_start", "days_start"), NOW),
    **dict.fromkeys(OF_PEOPLE, "text"),
    **dict.fromkeys(SECONDS, 1.0),
    **dict.fromkeys((*NUMBERS, *MORE_NUMBERS), 1),
    **dict.fromkeys((*TEXTS, *MORE_TEXTS, *OF_EVENTS), "text"),
    "without_presets": ["text"],
    "names": ["text"],
    "prefixes": ["text"],
    "digests": ["text"],
    "browsers": ["text"],
    "take_over": True,
    "is_trusted": True,
    "only": None,
    "skip": 1,
    "id": 1,
    "told_pid": 1,
    "before": 10**9,
    "ids": [1],
    "counted": ["text"],
    "sent": [1],
    "died": [1],
    "identity": 1,
    "by": NOW,
    "ahead_s": 1.0,
    "payloads": b"",
    "bodies": [b""],
    "samples": False,
    "most": 2,
}
#: They take keys, or ids, as an array.
OF_KEYS = (
    "people",
    "consents",
    "forget_opt_ins",
    "forget_oldest_linked",
    "forget_payloads",
    "forget_deliveries",
    "lock_waiting",
    "lock_dead",
    "deliveries_of",
    "forget_quarantined",
    "forget_reasons",
    "drop_shared",
)
#: Where a parameter of the same name is of another type.
OTHERWISE: dict[str, dict[str, Any]] = {
    **{name: {"after_0": "a"} for name in ("transfer_keys_out", "transfer_suppressions_out", "transfer_people_out")},
    **{name: {"keys": ["text"]} for name in OF_KEYS},
    **{name: {"keys": ["text"], "messages": ["text"]} for name in ("owned", "forget_owners")},
    "count_memory": {"people": 1, "suppressions": 1},
    "consent_keys": {"after": "1"},
    "write_consents": {"groups": "[]"},
    "transfer_consents_out": {"after_0": "a", "after_1": "a", "after_2": 1},
    "transfer_inventory_out": {"after_1": "a", "after_2": 1},
    "transfer_revenue_out": {"after_1": "a"},
    "first_count": {"begin": 1},
    "drop": {"minute": 1},
}
STATEMENTS = {
    name: (sql, EVERYTHING | OTHERWISE.get(name, {}))
    for name, sql in SQL.items()
    if name not in {*SEARCHES, *ONCE} and re.match(rb"\s*(--.*\n|\s)*(SELECT|WITH|INSERT|UPDATE|DELETE)", sql)
} | {
    f"{name} by {kind}": (SQL[name], EVERYTHING | filters_of(query))
    for name in SEARCHES
    for kind, query in {
        "id": Query(delivery_id="1"),
        "message": Query(message_id="m"),
        "event": Query(event_id="e"),
        "order": Query(order_id="o"),
        "dead": Query(state=State.DEAD),
        "any": Query(),
    }.items()
}
FULL_SCAN = re.compile(r"Seq Scan on (\w+)")


@pytest.fixture
async def filled(at: At, execute: Callable[..., list[Any]]) -> None:
    """Something of everything."""
    dropped = tuple(
        DroppedEvent(message_id=f"n-{n}", preset=None, outcome=Outcome.REFUSED, reason="r") for n in range(300)
    )
    await at.enqueue(*(new() for _ in range(300)), dropped=dropped)
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
@pytest.mark.parametrize("known", ["", "ANALYZE id_range"], ids=["no statistics", "statistics"])
def test_since_when_is_found_in_the_first_part_that_has_it_by_ids(connection: psycopg.Connection, known: str) -> None:
    """What waits may be millions: neither is it ordered, nor is a part looked at behind the one that tells it."""
    lowest = connection.execute("SELECT min(id) FROM shown").fetchall()
    with connection.transaction(force_rollback=True):
        connection.execute(
            "INSERT INTO id_range SELECT n, slot, %s FROM generate_series(1, 3000) AS n, generate_series(1, 4) AS slot",
            [NOW],
        )
        connection.execute(known.encode())
        lines = connection.execute(b"EXPLAIN ANALYZE " + SQL["first_delivery_since"], {"since": NOW}).fetchall()
        assert connection.execute(SQL["first_delivery_since"], {"since": NOW}).fetchall() == lowest
    shown = "\n".join(line for (line,) in lines)
    assert re.findall(r"of_range .*loops=(\d+)", shown) == ["1"]
    assert re.findall(r"Sort Key: (.*)", shown) == ["id_range.id_range"]
    assert "queue_pkey" in shown
    assert re.search(r"delivered_\d+_id_idx", shown)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ["search by any", "search by dead", "orders"])
def test_a_page_of_deliveries_is_read_from_its_end_and_no_further(connection: psycopg.Connection, name: str) -> None:
    """What waits may be millions: to sort them for each page took seconds."""
    sorted_ = re.findall(r"->  (?:Incremental )?Sort.*\n.*Sort Key.*\n *->  (\w+)", plan(connection, name))
    assert [what for what in sorted_ if what != "Result"] == []  # a part that can hold nothing


@pytest.mark.usefixtures("filled")
def test_what_is_dead_is_not_looked_for_among_what_waits_or_was_delivered(connection: psycopg.Connection) -> None:
    """By every id there is, for a page of dead letters goes as far back as they do."""
    assert set(re.findall(r" on (queue|dead|delivered)\b", plan(connection, "search by dead"))) == {"dead"}


@pytest.mark.usefixtures("filled")
def test_an_index_leads_to_what_is_looked_for(connection: psycopg.Connection) -> None:
    expected = {
        "claim": "queue_due",
        "hold": "queue_due",
        "held_presets": "queue_held",
        "release": "queue_held",
        "store": "dedup_key_pkey",
        "pending_of_orders": "dedup_key_pkey",
        "drop": "queue_pkey",
        "deliveries": "queue_pkey",
        "unchanged": "queue_pkey",
        "merge": "delivery_pkey",
        "followers": "queue_follows",
        "renew": "queue_pkey",
        "lock_waiting": "delivery_message",
        "lock_dead": "delivery_message",
        "keys_taken": "dedup_key_pkey",
        "backlog": "queue_enqueued",
        "revenue": "revenue_pkey",
        "retain_revenue": "revenue_pkey",
        "name_counts": "name_count_",
        "retain_name_counts": "name_count_day",
        "counters": "counter_sum_pkey",
        "summed_spans": "counter_sum_pkey",
        "sum_step": "counter_sum_pkey",
        "next_due": "queue_due",
        "retain_keys": "dedup_key_expires",
        "retain_dead": "dead_settled",
        "retain_audit": "audit_at",
        "retain_sessions": "session_ends",
        "session": "session_pkey",
        "people": "person_linked",
        "write_people": "person_pkey",
        "people_changed": "suppression_pkey",
        "stale_people": "person_stale",
        "forget_stale": "person_stale",
        "forget_unseen": "person_seen",
        "forget_oldest_linked": "person_linked",
        "overtaken": "delivery_order",
        "dead_causes": "dead_still",
        "dead_losses": "dead_still",
        "dismiss": "dead_still",
        "search_dropped by message": "message_id_idx",
        "search_dropped by order": "order_id_idx",
        "search_by_id by order": "delivery_order",
        "search_by_id by message": "delivery_message",
        "search_by_id by event": "delivery_event",
        "search_by_id by id": "delivery_pkey",
        "dead by any": "dead_still",
    }
    assert [name for name, index in expected.items() if index not in plan(connection, name)] == []


async def test_properties_of_a_day_that_no_statistics_know_are_ranked_once_not_for_each_row(
    at: At, connection: psycopg.Connection
) -> None:
    names = [EventKey("shop", "track", f"Event {n}") for n in range(5)]
    counts = [InventoryCount(key, Measure.PROPERTY, f"properties.{n} text", 1) for key in names for n in range(20)]
    await at.outbox.inventory.add(counts, now=NOW, max_names=9)
    given = {"day": int(NOW // DAY_S * DAY_S), "max_properties": 10}
    with connection.transaction(force_rollback=True):
        lines = connection.execute(b"EXPLAIN ANALYZE " + SQL["forget_properties"], given).fetchall()
        ((kept,),) = connection.execute("SELECT count(*) FROM inventory").fetchall()
    assert kept == 5 * 10
    assert [re.findall(r"loops=(\d+)", line) for (line,) in lines if "WindowAgg" in line] == [["1"]]


@pytest.mark.usefixtures("filled")
def test_the_scan_of_a_whole_table_would_be_seen(connection: psycopg.Connection) -> None:
    rows = connection.execute("EXPLAIN SELECT count(*) FROM delivery WHERE amount = 'x'").fetchall()
    assert FULL_SCAN.search(rows[0][0] + rows[1][0])


def test_every_statement_that_reads_or_writes_rows_is_looked_at() -> None:
    left_out = {name for name in SQL if name not in STATEMENTS} - {*SEARCHES, *ONCE}
    about_tables = {"make_day_table", "attach_day_table", "drop_day_table"}
    assert left_out == about_tables | {"stop_writing", "stop_counting", "listen", "one_moment"}
