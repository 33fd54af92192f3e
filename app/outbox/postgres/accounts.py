"""What people did, and who has logged in."""

from dataclasses import asdict

from app.core.pages import AuditEntry, AuditPage, Session
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import rows_of
from app.outbox.records import audit_page, audit_row, session_at
from app.outbox.search import cursor_id


async def write_audit(connection: Connection, entry: AuditEntry) -> None:
    """Do `Outbox.write_audit`."""
    await connection.execute(SQL["write_audit"], audit_row(entry))


async def audit(connection: Connection, limit: int, cursor: str | None) -> AuditPage:
    """Do `Outbox.audit`."""
    rows = await rows_of(connection, "audit", before=cursor_id(cursor), limit=limit + 1)
    return audit_page(rows, limit=limit)


async def open_session(connection: Connection, session: Session) -> None:
    """Do `Outbox.open_session`."""
    await connection.execute(SQL["open_session"], asdict(session))


async def find_session(connection: Connection, digest: str, now: float) -> Session | None:
    """Do `Outbox.session`."""
    return session_at(now, await rows_of(connection, "session", digest=digest))


async def end_session(connection: Connection, digest: str) -> None:
    """Do `Outbox.end_session`."""
    await connection.execute(SQL["end_session"], {"digest": digest})
