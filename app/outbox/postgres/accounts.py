"""What people did, and who has logged in."""

from dataclasses import asdict, replace

from app.core.pages import AuditEntry, AuditPage, Session
from app.outbox.postgres.connections import SQL, Connection
from app.outbox.postgres.database import UsesDatabase, connected, rows_of
from app.outbox.records import audit_page, audit_row, session_at
from app.outbox.search import cursor_id


class Accounts(UsesDatabase):
    """The audit log and the sessions of the `Outbox`."""

    @connected
    async def write_audit(self, connection: Connection, entry: AuditEntry) -> None:
        await connection.execute(SQL["write_audit"], audit_row(replace(entry, at=self._clock.of(entry.at))))

    @connected
    async def audit(
        self, connection: Connection, *, limit: int, cursor: str | None = None, target: str | None = None
    ) -> AuditPage:
        rows = await rows_of(connection, "audit", before=cursor_id(cursor), limit=limit + 1, target=target)
        return audit_page(rows, limit=limit)

    @connected
    async def open_session(self, connection: Connection, session: Session) -> None:
        ends_at = self._clock.of(session.ends_at)
        await connection.execute(SQL["open_session"], asdict(replace(session, ends_at=ends_at)))

    @connected
    async def session(self, connection: Connection, digest: str, *, now: float) -> Session | None:
        return session_at(self._clock.of(now), await rows_of(connection, "session", digest=digest))

    @connected
    async def end_session(self, connection: Connection, digest: str) -> None:
        await connection.execute(SQL["end_session"], {"digest": digest})
