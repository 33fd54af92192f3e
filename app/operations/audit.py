"""The operation that reads the audit log."""

from pydantic import Field

from app.access.users import UserRole
from app.core.pages import AuditPage
from app.operations.declaration import Call, Column, Paged, TextFilter, operation


class AuditParams(Paged):
    """Which entries."""

    target: TextFilter = Field(default=None, description="The whole target, as the list prints it.")


@operation(
    "audit",
    role=UserRole.VIEWER,
    rows="entries",
    columns=(
        Column(name="at", title="Time", kind="time"),
        Column(name="who", title="Who"),
        Column(name="place", title="From"),
        Column(name="what", title="What"),
        Column(name="target", title="Target", group="target"),
        Column(name="before", title="Before"),
        Column(name="after", title="After"),
    ),
)
async def list_entries(call: Call, params: AuditParams) -> AuditPage:
    """Show the audit log, newest first: logins, failed logins, and what people changed or sent."""
    return await call.services.outbox.audit(limit=params.limit, cursor=params.cursor, target=params.target)
