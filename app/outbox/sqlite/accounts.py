"""What people did, and who has logged in."""

import sqlite3
from dataclasses import asdict

from app.core.pages import AuditEntry, AuditPage, Session
from app.outbox.records import audit_page, audit_row, session_at
from app.outbox.search import cursor_id
from app.outbox.sqlite.database import SQL


def write_audit(connection: sqlite3.Connection, entry: AuditEntry) -> None:
    """Do `Outbox.write_audit`."""
    connection.execute(SQL["write_audit"], audit_row(entry))


def audit(connection: sqlite3.Connection, limit: int, cursor: str | None) -> AuditPage:
    """Do `Outbox.audit`."""
    parameters = {"before": cursor_id(cursor), "limit": limit + 1}
    return audit_page(connection.execute(SQL["audit"], parameters).fetchall(), limit=limit)


def open_session(connection: sqlite3.Connection, session: Session) -> None:
    """Do `Outbox.open_session`."""
    connection.execute(SQL["open_session"], asdict(session))


def find_session(connection: sqlite3.Connection, digest: str, now: float) -> Session | None:
    """Do `Outbox.session`."""
    return session_at(now, connection.execute(SQL["session"], {"digest": digest}).fetchall())


def end_session(connection: sqlite3.Connection, digest: str) -> None:
    """Do `Outbox.end_session`."""
    connection.execute(SQL["end_session"], {"digest": digest})
