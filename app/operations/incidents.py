"""Operations on incidents: list them."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from app.access.users import UserRole
from app.core.shared_values import Incident
from app.core.values.times import DAY_S
from app.insights.incidents import read_incidents
from app.operations.declaration import Call, Column, Params, operation


class IncidentParams(Params):
    """Which incidents."""

    days: int = Field(default=30, ge=1, le=366, description="Incidents that were open in the last days.")
    state: Literal["firing", "resolved"] | None = Field(default=None, description="`firing`: not over yet.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """The incidents, the newest first."""

    incidents: tuple[Incident, ...]


@operation(
    "incidents list",
    role=UserRole.VIEWER,
    rows="incidents",
    columns=(
        Column(name="since", title="Begin", kind="time"),
        Column(name="until", title="End", kind="time"),
        Column(name="kind", title="Kind"),
        Column(name="severity", title="Severity"),
        Column(name="source", title="Source"),
        Column(name="ad_account_id", title="Ad account"),
        Column(name="events", title="Events", kind="number"),
        Column(name="value", title="Value"),
        Column(name="text", title="Cause"),
        Column(name="id", title="Id", kind="id"),
    ),
    example={"days": 7},
)
async def list_incidents(call: Call, params: IncidentParams) -> Incidents:
    """List incidents with begin, end, events and value, newest first."""
    now = call.services.audit.clock()
    found = await read_incidents(call.services.outbox, since=now - params.days * DAY_S, now=now)
    return Incidents(incidents=tuple(each for each in found if params.state in (None, each.state)))
