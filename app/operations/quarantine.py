"""Operations on quarantined events: list, preview, replay, discard."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from app.access.users import UserRole
from app.core.events import Outcome
from app.core.pages import AuditAction, QuarantineFilter, QuarantineGroup
from app.operations.declaration import Call, Column, Params, Result, Selection, operation
from app.pipeline.replay import Replay


class ListParams(Params):
    """Which groups of quarantined events."""

    source: str | None = Field(default=None, json_schema_extra={"x-complete": "sources"})
    limit: int = Field(default=200, ge=1, le=500, description="Maximum number of rows.")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineGroups:
    """The quarantined events by source, name, outcome and reason, the most frequent first."""

    groups: tuple[QuarantineGroup, ...]


@operation(
    "quarantine list",
    role=UserRole.VIEWER,
    rows="groups",
    columns=(
        Column(name="source", title="Source", group="source"),
        Column(name="name", title="Event"),
        Column(name="outcome", title="Outcome", kind="state"),
        Column(name="reason", title="Reason"),
        Column(name="count", title="Events", kind="number"),
        Column(name="first_at", title="First", kind="time"),
        Column(name="last_at", title="Last", kind="time"),
    ),
)
async def list_groups(call: Call, params: ListParams) -> QuarantineGroups:
    """Count quarantined events by source, name, outcome and reason, the most frequent first."""
    replaying = await call.services.replaying()
    every = await replaying.groups(limit=500 if params.source else params.limit)
    return QuarantineGroups(
        groups=tuple(each for each in every if params.source in (None, each.source))[: params.limit]
    )


class QuarantineFilters(Params):
    """Filters of quarantined events; without a filter, all events."""

    name: str | None = Field(default=None, description="Name of the event, or its type if the event has no name.")
    outcome: Literal["invalid", "unmatched", "withheld"] | None = Field(
        default=None, description="`withheld`: a public order whose amount is too large."
    )
    source: str | None = Field(default=None, json_schema_extra={"x-complete": "sources"})
    reason: str | None = Field(default=None, description="The whole reason, as `quarantine list` prints it.")

    @property
    def wanted(self) -> QuarantineFilter:
        """The filter of the store."""
        outcome = None if self.outcome is None else Outcome(self.outcome)
        return QuarantineFilter(name=self.name, outcome=outcome, source=self.source, reason=self.reason)


class ReplayParams(QuarantineFilters, Selection):
    """At least one filter of quarantined events, or `all`."""


class DiscardParams(ReplayParams):
    """Which quarantined events, and whether only to count them."""

    dry_run: bool = Field(default=False, strict=True, description="Count, and change nothing.")


class ReplayOutcome(BaseModel):
    """The result, or expected result, of some replayed deliveries."""

    preset: str = Field(description="Empty if no preset takes the event.")
    outcome: Outcome
    reason: str
    count: int


class Replayed(BaseModel):
    """The result of a replay; of a preview, the expected result."""

    events: int
    leaving: int = Field(description="How many events leave the quarantine.")
    unreadable: int = Field(description="How many were encrypted with another key.")
    outcomes: dict[str, int] = Field(description="Deliveries by outcome.")
    by_preset: tuple[ReplayOutcome, ...]

    @classmethod
    def of(cls, replay: Replay) -> "Replayed":
        """Return the counts of a replay, the most frequent outcome first."""
        return cls(
            events=replay.events,
            leaving=replay.leaving,
            unreadable=replay.unreadable,
            outcomes={outcome.value: count for outcome, count in replay.outcomes.most_common()},
            by_preset=tuple(
                ReplayOutcome(preset=preset, outcome=outcome, reason=reason, count=count)
                for (preset, outcome, reason), count in replay.reasons.most_common()
            ),
        )


class Discarded(Result):
    """How many events were erased from the quarantine; in a dry run, how many would be."""

    discarded: int = Field(description="Erased from the quarantine.")


@operation("quarantine preview", role=UserRole.VIEWER, example={"outcome": "invalid"})
async def preview(call: Call, params: QuarantineFilters) -> Replayed:
    """Show what a replay with the current presets and mappings would do. Changes nothing."""
    return Replayed.of(await (await call.services.replaying()).preview(params.wanted))


@operation(
    "quarantine replay",
    role=UserRole.OPERATOR,
    audit=AuditAction.QUARANTINE,
    example={"name": "Order Completed"},
)
async def replay(call: Call, params: ReplayParams) -> Replayed:
    """Process quarantined events again, with their ids and times. Events that still cannot be sent stay."""
    return Replayed.of(await (await call.services.replaying()).replay(params.wanted))


@operation(
    "quarantine discard",
    role=UserRole.OPERATOR,
    audit=AuditAction.DISCARD,
    example={"name": "Bot Visit"},
)
async def discard(call: Call, params: DiscardParams) -> Discarded:
    """Erase quarantined events."""
    replaying = await call.services.replaying()
    return Discarded(discarded=await replaying.discard(params.wanted, dry_run=params.dry_run))
