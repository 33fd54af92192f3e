"""Dead letters: they become pending again, unless that would send something twice, or are put away."""

# ruff: noqa: D102 - app/outbox/store.py says what the methods promise

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from app.core.pages import DeadCause, Query, Redrive
from app.outbox.enqueue import holders
from app.outbox.records import dead_cause_of
from app.outbox.redrive import (
    REDRIVE_ROWS,
    DeadLetter,
    DismissCall,
    RedriveCall,
    RedriveSplit,
    RedriveStep,
    Revival,
    all_dismissed,
    all_redriven,
    digests_of_dead,
    dismissed,
    next_step,
    parted,
    revive,
)
from app.outbox.rows import as_json
from app.outbox.rules import OutboxRules
from app.outbox.sqlite.database import SQL, one_json
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.readers import Readers
from app.outbox.sqlite.writer import Writer


class SqliteDeadLetters:
    """The `DeadLetters` of app/outbox/store.py."""

    def __init__(self, writer: Writer, readers: Readers, rules: OutboxRules, on_redriven: Callable[[], None]) -> None:
        self._writer = writer
        self._readers = readers
        self._rules = rules
        self._on_redriven = on_redriven

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        def step(before: int) -> Awaitable[RedriveStep]:
            call = RedriveCall(query=query, before=before, now=now)
            return self._writer.do(partial(redrive, call=call, rules=self._rules), rows=REDRIVE_ROWS)

        done = await all_redriven(step)
        self._on_redriven()
        return done

    async def dismiss(self, query: Query, *, because: str) -> int:
        def step(before: int) -> Awaitable[tuple[int, int | None]]:
            call = DismissCall(query=query, before=before, because=because)
            return self._writer.do(partial(dismiss, call=call), rows=REDRIVE_ROWS)

        return await all_dismissed(step)

    async def causes(self, *, limit: int) -> list[DeadCause]:
        return await self._readers.read(_causes, limit)


def redrive(connection: sqlite3.Connection, call: RedriveCall, rules: OutboxRules) -> RedriveStep:
    """Do one step of `DeadLetters.redrive`."""
    dead = _dead(connection, call.query, call.before)
    revival = _judged(connection, dead, call.now, rules)
    connection.execute(SQL["redrive"], {"rows": as_json(revival.redriven), "now": call.now})
    connection.execute(SQL["take_keys"], {"rows": as_json(revival.keys)})
    connection.execute(SQL["learn_keys"], {"rows": as_json(revival.learned)})
    rest = _parted(connection, revival)
    connection.execute(SQL["explain_dead"], {"rows": as_json(rest.staying)})
    _put_away(connection, rest.overtaken)
    done = Redrive(redriven=len(revival.redriven), overtaken=len(rest.overtaken), waiting=len(rest.staying))
    return RedriveStep(done=done, before=next_step(dead))


def dismiss(connection: sqlite3.Connection, call: DismissCall) -> tuple[int, int | None]:
    """Do one step of `DeadLetters.dismiss`; return how many, and `before` of the next step."""
    dead = _dead(connection, call.query, call.before)
    _put_away(connection, dismissed(dead, call.because))
    return len(dead), next_step(dead)


def dismiss_overtaken(
    connection: sqlite3.Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxRules
) -> None:
    """Put away what is dead of events that are delivered: of deliveries just sent, and what has just died too late."""
    if not connection.execute(SQL["any_dead"]).fetchone()[0]:
        return
    found = connection.execute(SQL["overtaken"], {"sent": as_json(sent), "died": as_json(died)}).fetchall()
    if dead := [DeadLetter(*row) for row in found]:
        _put_away(connection, _parted(connection, _judged(connection, dead, now, rules)).overtaken)


def _causes(connection: sqlite3.Connection, limit: int) -> list[DeadCause]:
    return [dead_cause_of(row) for row in connection.execute(SQL["dead_causes"], {"limit": limit})]


def _dead(connection: sqlite3.Connection, query: Query, before: int) -> list[DeadLetter]:
    sql, parameters = conditions(SQL["dead"], query)
    rows = connection.execute(sql, {**parameters, "before": before, "limit": REDRIVE_ROWS}).fetchall()
    return [DeadLetter(*row) for row in rows]


def _judged(connection: sqlite3.Connection, dead: Sequence[DeadLetter], now: float, rules: OutboxRules) -> Revival:
    taken = one_json(connection, "keys_taken", rows=as_json(digests_of_dead(dead, rules)))
    return revive(dead, holders(taken), now, rules)


def _parted(connection: sqlite3.Connection, revival: Revival) -> RedriveSplit:
    ids = as_json([each.holder for each in revival.repeats])
    return parted(revival.repeats, dict(connection.execute(SQL["states"], {"rows": ids}).fetchall()))


def _put_away(connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
    connection.execute(SQL["dismiss"], {"rows": as_json(rows)})
    connection.execute(SQL["erase_payloads"], {"rows": as_json([id_ for id_, _ in rows])})
