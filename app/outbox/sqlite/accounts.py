"""What people did, and who has logged in."""

import sqlite3
from dataclasses import asdict

from app.core.pages import AuditEntry, AuditPage, Session
from app.outbox.records import audit_page, audit_row, session_at
from app.outbox.search import cursor_id
from app.outbox.sqlite.database import SQL
from app.outbox.sqlite.readers import UsesFile, reads, writes


class Accounts(UsesFile):
    """The audit log and the sessions of the `Outbox`."""

    @writes
    def write_audit(self, connection: sqlite3.Connection, entry: AuditEntry) -> None:
        connection.execute(SQL["write_audit"], audit_row(entry))

    @reads
    def audit(
        self, connection: sqlite3.Connection, *, limit: int, cursor: str | None = None, target: str | None = None
    ) -> AuditPage:
        parameters = {"before": cursor_id(cursor), "limit": limit + 1, "target": target}
        return audit_page(connection.execute(SQL["audit"], parameters).fetchall(), limit=limit)

    @writes
    def open_session(self, connection: sqlite3.Connection, session: Session) -> None:
        connection.execute(SQL["open_session"], asdict(session))

    @reads
    def session(self, connection: sqlite3.Connection, digest: str, *, now: float) -> Session | None:
        return session_at(now, connection.execute(SQL["session"], {"digest": digest}).fetchall())

    @writes
    def end_session(self, connection: sqlite3.Connection, digest: str) -> None:
        connection.execute(SQL["end_session"], {"digest": digest})
