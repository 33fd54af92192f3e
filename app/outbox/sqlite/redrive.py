"""Dead letters: they become pending again, unless that would send something twice, or are dismissed."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from app.config.settings import OutboxSettings
from app.core.deliveries import StoredDelivery
from app.core.pages import Query, Redrive
from app.outbox import redrive
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL, Connection, at_once
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.readers import Readers, UsesFile
from app.outbox.sqlite.writer import Writer
from app.outbox.statements import read_deliveries


class SqliteDeadLetters(UsesFile, redrive.DeadLetters):
    """The `DeadLetters` of app/outbox/redrive.py."""

    def __init__(
        self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(path, writer, readers, rules)
        self._on_redriven = on_redriven

    async def _redrive_step(self, query: Query, before: int, now: float) -> tuple[Redrive, int | None]:
        step = partial(_redrive, query=query, before=before, now=now, rules=self._rules)
        return await self._write(step, rows=redrive.REDRIVE_ROWS)

    async def _dismiss_step(self, query: Query, before: int, because: str) -> tuple[int, int | None]:
        step = partial(_dismiss, query=query, before=before, because=because)
        return await self._write(step, rows=redrive.REDRIVE_ROWS)


async def _redrive(
    connection: Connection, query: Query, before: int, now: float, rules: OutboxSettings
) -> tuple[Redrive, int | None]:
    dead = await _dead(connection, query, before)
    plan = await redrive.plan_of(connection, dead, now, rules)
    done = await redrive.write_plan(connection, plan, now, _dismiss_rows)
    return cast("Redrive", done), redrive.next_step(dead)  # nobody else writes meanwhile


async def _dismiss(connection: Connection, query: Query, before: int, because: str) -> tuple[int, int | None]:
    dead = await _dead(connection, query, before)
    await _dismiss_rows(connection, redrive.dismissed(dead, because))
    return len(dead), redrive.next_step(dead)


def dismiss_overtaken(
    connection: Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Dismiss dead deliveries of events that are delivered, among deliveries just sent and just dead."""
    if not connection.execute(SQL["any_dead"]).fetchone()[0]:
        return
    found = connection.execute(SQL["overtaken"], {"sent": as_json(sent), "died": as_json(died)}).fetchall()
    if dead := at_once(read_deliveries(connection, [id_ for (id_,) in found])):
        plan = at_once(redrive.plan_of(connection, dead, now, rules))
        overtaken, _ = at_once(redrive.split_plan(connection, plan))
        at_once(_dismiss_rows(connection, overtaken))


async def _dead(connection: Connection, query: Query, before: int) -> list[StoredDelivery]:
    sql, parameters = conditions(SQL["dead"], query)
    rows = connection.execute(sql, {**parameters, "before": before, "limit": redrive.REDRIVE_ROWS}).fetchall()
    return await read_deliveries(connection, [id_ for (id_,) in rows])


async def _dismiss_rows(connection: Connection, rows: redrive.Rows) -> None:
    await connection.count("dismiss", rows=as_json(rows))
    await connection.count("erase_payloads", rows=as_json([id_ for id_, _ in rows]))
