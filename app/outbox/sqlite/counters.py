"""Counters by minute and hour, and the history of attempts."""

import sqlite3
from collections.abc import Iterable
from typing import TypeAlias

from app.core.events import CounterRow, Outcome
from app.core.values.times import MINUTE_S
from app.outbox.counts import MINUTES_KEPT_S, due_steps, sum_step_parameters, summed, summed_spans
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL

#: The number of an attempt, its outcome, status and message: most attempts of a call are equal.
AttemptKind: TypeAlias = tuple[int, Outcome, int | None, str]


def add_attempts(connection: sqlite3.Connection, attempts: Iterable[tuple[int, AttemptKind]], *, at: float) -> None:
    """Add attempts, each with the id of its delivery, to the histories of these deliveries."""
    kinds: dict[AttemptKind, list[int]] = {}
    for delivery_id, kind in attempts:
        kinds.setdefault(kind, []).append(delivery_id)
    connection.execute(SQL["add_attempts"], {"kinds": as_json([[*kind, ids] for kind, ids in kinds.items()]), "at": at})


def add_counters(
    connection: sqlite3.Connection, counters: Iterable[tuple[float, CounterRow]], *, span_s: int = MINUTE_S
) -> None:
    """Add counts, each with its time, to their minute or hour (`span_s`)."""
    rows = summed(counters, span_s=span_s)
    if rows:
        connection.execute(SQL["add_counters"], {"rows": as_json(rows), "span_s": span_s})
        if span_s == MINUTE_S:
            connection.execute(SQL["reopen_steps"], {"moment": rows[0][0]})


async def sum_next_step(connection: sqlite3.Connection, now: float, ledger_start: float, _: int, skip: int) -> int:
    """Sum one finished step within a transaction, and drop old sums. Return the number of rows."""
    if skip:
        return 0
    connection.execute(SQL["forget_sums"], {"minutes_start": now - MINUTES_KEPT_S, "ledger_start": ledger_start})
    spans = summed_spans(connection.execute(SQL["summed_spans"]))
    for due in due_steps(spans, now=now, ledger_start=ledger_start):
        (first_at,) = connection.execute(SQL["first_count"], {"since": due.since}).fetchone()
        if step := due.step_of(first_at):
            return connection.execute(SQL["sum_step"], sum_step_parameters(*step, spans)).rowcount
    return 0
