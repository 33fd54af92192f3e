"""Dead letters: they become pending again, unless that would send something twice, or are dismissed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from app.config.settings import OutboxSettings
from app.core.pages import Query
from app.outbox import redrive
from app.outbox.rows import as_json
from app.outbox.sqlite.database import SQL, Connection, at_once
from app.outbox.sqlite.ledger import conditions
from app.outbox.sqlite.readers import Readers, UsesFile
from app.outbox.sqlite.writer import Writer
from app.outbox.statements import Answer, Work


class SqliteDeadLetters(UsesFile, redrive.DeadLetters):
    """The `DeadLetters` of app/outbox/redrive.py."""

    def __init__(
        self, path: Path, writer: Writer, readers: Readers, rules: OutboxSettings, on_redriven: Callable[[], None]
    ) -> None:
        super().__init__(path, writer, readers, rules)
        self._on_redriven = on_redriven

    async def _change(self, work: Work[Answer | None]) -> Answer:
        # only this process writes meanwhile, so that work is done at the first try
        return cast("Answer", await self._write(work, rows=redrive.REDRIVE_ROWS))

    @staticmethod
    async def dismiss_rows(store: Connection, rows: redrive.Rows) -> None:
        await store.count("dismiss", rows=as_json(rows))
        await store.count("erase_payloads", rows=as_json([id_ for id_, _ in rows]))

    async def _dead_ids(self, store: Connection, query: Query, before: int) -> list[int]:
        sql, parameters = conditions(SQL["dead"], query)
        rows = store.execute(sql, {**parameters, "before": before, "limit": redrive.REDRIVE_ROWS}).fetchall()
        return [id_ for (id_,) in rows]


def dismiss_overtaken(
    connection: Connection, *, sent: Sequence[int], died: Sequence[int], now: float, rules: OutboxSettings
) -> None:
    """Dismiss dead deliveries of events that are delivered, among deliveries just sent and just dead."""
    if not connection.execute(SQL["any_dead"]).fetchone()[0]:
        return
    found = connection.execute(SQL["overtaken"], {"sent": as_json(sent), "died": as_json(died)}).fetchall()
    if found:
        at_once(
            redrive.dismiss_overtaken(connection, [id_ for (id_,) in found], now, rules, SqliteDeadLetters.dismiss_rows)
        )
