"""Retention: delete old data in small steps."""

import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Final

import orjson

from app.config.settings import OutboxSettings
from app.core.values.times import HOUR_S
from app.outbox.counts import MINUTES_KEPT_S, due_steps, sum_step_parameters, summed_spans
from app.outbox.ledger import counter_of
from app.outbox.rows import as_json
from app.outbox.set_aside import Step, deleting
from app.outbox.sqlite.database import SQL, Connection
from app.outbox.sqlite.filters import BUCKETS, FINGERPRINT_BYTES, place_of
from app.outbox.sqlite.people import forget_stale, forget_unseen
from app.outbox.sqlite.set_aside import FileRows
from app.outbox.sqlite.settle import add_counters

_SHELVES: Final = 16
#: The number of shelves of ids per step: each step must get Python's lock from the event loop, and all ids of a step
#: are in memory.
_SHELVES_AT_ONCE: Final = 4

_STEPS = (
    "retain_payloads",
    "retain_delivered",
    "retain_dead",
    "retain_dropped_events",
    "retain_keys",
    "retain_hours",
    "retain_audit",
    "retain_sessions",
    "retain_imports",
    "retain_owners",
    "retain_suppressions",
    "retain_consents",
    "retain_memory_hours",
    "retain_inventory",
    "retain_revenue",
    "retain_name_counts",
    "retain_quarantined",
)


async def retain(connection: Connection, now: float, limit: int, rules: OutboxSettings) -> int:
    """Process at most `limit` rows, but counts of a whole step at once, and ids of a whole range."""
    rows = FileRows(connection)
    await rows.look(now)
    steps: dict[str, Step] = {
        **{name: deleting(connection, now, rules, name) for name in _STEPS},
        "sum_next_step": partial(_sum_next_step, connection, now, now - rules.ledger_s),
        "fill_next_id_range": partial(_fill_next_id_range, connection),
        "roll_up": partial(_roll_up, connection, now),
        "forget_stale": partial(forget_stale, connection, now, rules),
        "forget_unseen": partial(forget_unseen, connection, rules),
    }
    return await rows.retain(steps, limit, rules)


async def _roll_up(connection: Connection, now: float, limit: int, skip: int) -> int:
    """Convert the counts of old minutes to counts of their hours. Return the number of converted rows."""
    rows = await connection.rows("take_minutes", minutes_start=now - MINUTES_KEPT_S, limit=limit, skip=skip)
    add_counters(connection, map(counter_of, rows), span_s=HOUR_S)
    return len(rows)


async def _fill_next_id_range(connection: sqlite3.Connection, _: int, skip: int) -> int:
    """Create the filter of the next complete range within a transaction, or drop the filter of a deleted one.

    Return the number of ranges.
    """
    if skip:
        return 0
    (id_range,) = connection.execute(SQL["next_id_range"]).fetchone()
    if id_range is None:
        return min(1, connection.execute(SQL["forget_id_range"]).rowcount)
    buckets = [bytearray() for _ in range(BUCKETS)]
    for text in _ids_of(connection, id_range):
        bucket, fingerprint = place_of(text)
        buckets[bucket] += fingerprint
    sizes = as_json([len(each) // FINGERPRINT_BYTES for each in buckets])
    connection.execute(SQL["fill_id_range"], {"id_range": id_range, "sizes": sizes, "fingerprints": b"".join(buckets)})
    return 1


def _ids_of(connection: sqlite3.Connection, id_range: int) -> Iterator[str]:
    for first in range(id_range * _SHELVES, (id_range + 1) * _SHELVES, _SHELVES_AT_ONCE):
        shelves = {"first": first, "end": first + _SHELVES_AT_ONCE}
        (ids,) = connection.execute(SQL["ids_on_shelves"], shelves).fetchone()
        yield from orjson.loads(ids)


async def _sum_next_step(connection: sqlite3.Connection, now: float, ledger_start: float, _: int, skip: int) -> int:
    """Sum one finished step within a transaction, and drop old sums. Return the number of new sums."""
    if skip:
        return 0
    connection.execute(SQL["forget_sums"], {"minutes_start": now - MINUTES_KEPT_S, "ledger_start": ledger_start})
    spans = summed_spans(connection.execute(SQL["summed_spans"]))
    for due in due_steps(spans, now=now, ledger_start=ledger_start):
        (first_at,) = connection.execute(SQL["first_count"], {"since": due.since}).fetchone()
        if step := due.step_of(first_at):
            return connection.execute(SQL["sum_step"], sum_step_parameters(*step, spans)).rowcount
    return 0
