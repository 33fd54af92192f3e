"""Look-ups for operators' programs: deliveries and other events; counts, inventory and revenue."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.access.admission import NOT_OPERATOR
from app.api.answers import (
    FoundAnswer,
)
from app.api.problems import Refused, refusal
from app.operations.events import EventNotSent
from app.pipeline.search import MAX_FOUND_BY, Finder, dropped_json

_UNKNOWN: Final = refusal(404, "A filter names nothing known.")
_Limit = Annotated[int, Field(ge=1, le=500)]


def _integer(value: Any) -> Any:
    """Return a float without a fraction as an integer: JSON Schema accepts `2.0` as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class FindRequest(BaseModel):
    """A text to find an event or a person by."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1,
        max_length=MAX_FOUND_BY,
        description="An id, a name, part of a reason, an e-mail address or a phone number (these two are not stored).",
    )
    limit: Annotated[_Limit, BeforeValidator(_integer)] = 50


def add_searches(router: APIRouter, finder: Finder) -> None:
    """Add the routes."""

    @router.post("/find", summary="Deliveries and dropped events by whatever is at hand; a person, for operators only")
    async def find(request: Request, wanted: FindRequest) -> FoundAnswer:
        may_find_people = request.state.person.may_operate
        found = await finder.look_up(wanted.text, limit=wanted.limit, people=may_find_people)
        if found is None and not may_find_people and finder.digest(wanted.text) is not None:
            NOT_OPERATOR.note(request.scope)
            raise Refused(403, "only operators can find events of a person; your role is viewer")
        if found is None:
            return FoundAnswer(looked_for=None, deliveries=[], dropped_events=[])
        dropped = [EventNotSent.model_validate(each) for each in dropped_json(found.dropped)]
        return FoundAnswer(
            looked_for=found.query.given, deliveries=list(found.deliveries.deliveries), dropped_events=dropped
        )
