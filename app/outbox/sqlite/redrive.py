"""Dead letters: they become pending again, unless that would send something twice, or are put away."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.config.settings import OutboxSettings
from app.core.pages import DeadCause, DeadLoss, Query, Redrive
from app.outbox import redrive
from app.outbox.enqueue import holders
from app.outbox.records import dead_loss_of
from app.outbox.rows import as_json, record_of
from app.outbox.sqlite.database import SQL, one_json
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.readers import Readers, UsesFile, reads
from app.outbox.sqlite.writer import Writer


class SqliteDeadLetters(UsesFile):
    """The `DeadLetters` of app/outbox/store.py."""

    def __init__(
        self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(path, writer, readers, rules)
        self._on_redriven = on_redriven

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        def step(before: int) -> Awaitable[redrive.RedriveStep]:
            one = partial(_redrive, query=query, before=before, now=now, rules=self._rules)
            return self._writer.do(one, rows=redrive.REDRIVE_ROWS)

        done = await redrive.all_redriven(step)
        self._on_redriven()
        return done

    async def dismiss(self, query: Query, *, because: str) -> int:
        def step(before: int) -> Awaitable[tuple[int, int | None]]:
            return self._writer.do(
                partial(_dismiss, query=query, before=before, because=because), rows=redrive.REDRIVE_ROWS
            )

        return await redrive.all_dismissed(step)

    @reads
    def causes(self, connection: sqlite3.Connection, *, limit: int) -> list[DeadCause]:
        return [record_of(DeadCause, row) for row in connection.execute(SQL["dead_causes"], {"limit": limit})]

    @reads
    def losses(self, connection: sqlite3.Connection) -> list[DeadLoss]:
        return [dead_loss_of(row) for row in connection.execute(SQL["dead_losses"])]


def _redrive(
    connection: sqlite3.Connection, query: Query, before: int, now: float, rules: OutboxSettings
) -> redrive.RedriveStep:
    """Redrive the dead deliveries of one step, those below the id `before`."""
    dead = _dead(connection, query, before)
    plan = _plan_of(connection, dead, now, rules)
    connection.execute(SQL["redrive"], {"rows": as_json(plan.redriven), "now": now})
    connection.execute(SQL["take_keys"], {"rows": as_json(plan.keys)})
    connection.execute(SQL["learn_keys"], {"rows": as_json(plan.learned)})
    overtaken, staying = _split(connection, plan)
    connection.execute(SQL["explain_dead"], {"rows": as_json(staying)})
    _put_away(connection, overtaken)
    return Redrive(redriven=len(plan.redriven), overtaken=len(overtaken), waiting=len(staying)), redrive.next_step(dead)


def _dismiss(connection: sqlite3.Connection, query: Query, before: int, because: str) -> tuple[int, int | None]:
    dead = _dead(connection, query, before)
    _put_away(connection, redrive.dismissed(dead, because))
    return len(dead), redrive.next_step(dead)


def dismiss_overtaken(
    connection: sqlite3.Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Put away what is dead of events that are delivered: of deliveries just sent, and what has just died too late."""
    if not connection.execute(SQL["any_dead"]).fetchone()[0]:
        return
    found = connection.execute(SQL["overtaken"], {"sent": as_json(sent), "died": as_json(died)}).fetchall()
    if dead := [redrive.DeadLetter(*row) for row in found]:
        overtaken, _ = _split(connection, _plan_of(connection, dead, now, rules))
        _put_away(connection, overtaken)


def _dead(connection: sqlite3.Connection, query: Query, before: int) -> list[redrive.DeadLetter]:
    sql, parameters = conditions(SQL["dead"], query)
    rows = connection.execute(sql, {**parameters, "before": before, "limit": redrive.REDRIVE_ROWS}).fetchall()
    return [redrive.DeadLetter(*row) for row in rows]


def _plan_of(
    connection: sqlite3.Connection, dead: Sequence[redrive.DeadLetter], now: float, rules: OutboxSettings
) -> redrive.RedrivePlan:
    taken = one_json(connection, "keys_taken", rows=as_json(redrive.digests_of_dead(dead, rules)))
    return redrive.plan_redrive(dead, holders(taken), now, rules)


def _split(connection: sqlite3.Connection, plan: redrive.RedrivePlan) -> tuple[list[list[Any]], list[list[Any]]]:
    ids = as_json([holder for _, holder in plan.repeats])
    return redrive.split_repeats(plan.repeats, dict(connection.execute(SQL["states"], {"rows": ids}).fetchall()))


def _put_away(connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
    connection.execute(SQL["dismiss"], {"rows": as_json(rows)})
    connection.execute(SQL["erase_payloads"], {"rows": as_json([id_ for id_, _ in rows])})
