"""Dead letters for operators' programs: why they are dead, and those that a filter means sent again or put away."""

from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, WithJsonSchema

from app.api.answers import NOTHING_ASKED_FOR, CausesAnswer, DeliveryFilters, Dismissed, a_filter_or_all
from app.api.problems import not_found
from app.core.events import Exit
from app.core.pages import Query, Redrive
from app.errors import FilterError
from app.operations.dead_letters import MAX_WHY, DeadLetterActs, dead_query
from app.outbox import SEARCH_FILTERS, Outbox

_UNKNOWN: Final = not_found("There is no such delivery, or a filter names nothing known.")
#: So many causes are told.
_CAUSES: Final = 100
_FILTERS: Final = tuple(name for name in SEARCH_FILTERS if name != "state")
#: Read where the filters are, like all others.
_Exit: TypeAlias = Annotated[str | None, WithJsonSchema({"enum": [*(each.value for each in Exit), None]})]


class DeadLetterRequest(DeliveryFilters):
    """At least one filter, or `all`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=a_filter_or_all(_FILTERS))

    exit: _Exit = Field(None, description="Result of an attempt, such as `rejected`.")
    status: str | None = Field(None, pattern="^[1-5][0-9]{2}$", description="Pinterest's HTTP status of an attempt.")
    all: bool = Field(default=False, description="All dead letters.")

    @property
    def query(self) -> Query:
        """The query. Raises FilterError without a filter, and for a value that cannot be read."""
        filters = {name: getattr(self, name) for name in _FILTERS}
        texts = {name: text for name, text in filters.items() if text is not None}
        if not texts and not self.all:
            raise FilterError(NOTHING_ASKED_FOR)
        return dead_query(texts)


class RedriveRequest(DeadLetterRequest):
    """Which dead letters are sent again."""


class DismissRequest(DeadLetterRequest):
    """Which dead letters are dismissed, and why."""

    because: str = Field(
        min_length=1, max_length=MAX_WHY, description="The reason, which deliveries and the audit log show."
    )


def add_dead_letters(router: APIRouter, outbox: Outbox, acts: DeadLetterActs) -> None:
    """Add /api/dead-letters, /api/redrive and /api/dismiss."""

    @router.post("/redrive", summary="Send dead letters again", responses=_UNKNOWN)
    async def redrive(request: Request, wanted: RedriveRequest) -> Redrive:
        return await acts.redrive(request.state.person, wanted.query)

    @router.post("/dismiss", summary="Put dead letters away for good", responses=_UNKNOWN)
    async def dismiss(request: Request, wanted: DismissRequest) -> Dismissed:
        return Dismissed(dismissed=await acts.dismiss(request.state.person, wanted.query, wanted.because))

    @router.get("/dead-letters", summary="Why deliveries are dead, the most frequent causes first")
    async def causes() -> CausesAnswer:
        return CausesAnswer(causes=await outbox.dead_letters.causes(limit=_CAUSES))
