"""Dead letters for operators' programs: why they are dead, and those that a filter means sent again or put away."""

from dataclasses import asdict
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.answers import NOTHING_ASKED_FOR, TextFilter, TimeFilter, YesOrNo, a_filter_or_all, api_answer
from app.core.events import Exit
from app.core.pages import Query
from app.errors import FilterError
from app.operations.dead_letters import MAX_WHY, DeadLetterActs, dead_query
from app.outbox import SEARCH_FILTERS, Outbox

_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such delivery, or a filter names nothing known."}
}
#: So many causes are told.
_CAUSES: Final = 100
_FILTERS: Final = tuple(name for name in SEARCH_FILTERS if name != "state")
#: Read where the filters are, like all others.
_Exit: TypeAlias = Annotated[str | None, WithJsonSchema({"enum": [*(each.value for each in Exit), None]})]


class DeadLetterRequest(BaseModel):
    """Which dead letters are meant: by one filter at least, or `all`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=a_filter_or_all(_FILTERS))

    delivery_id: TextFilter = None
    message_id: TextFilter = None
    event_id: TextFilter = None
    order_id: TextFilter = None
    ad_account_id: TextFilter = None
    preset: TextFilter = None
    event_name: TextFilter = None
    name: TextFilter = Field(None, description="As received.")
    source: TextFilter = None
    currency: TextFilter = Field(None, description="ISO 4217, of an order, in any case; `none`: it names none.")
    is_order: YesOrNo = Field(None, description="Whether it is an order, as revenue counts them.")
    exit: _Exit = Field(None, description="What an attempt came to, such as `rejected`.")
    taken: YesOrNo = Field(None, description="Whether a preset had taken it, which is so of all.")
    status: str | None = Field(None, pattern="^[1-5][0-9]{2}$", description="Pinterest's HTTP status of an attempt.")
    reason: TextFilter = Field(None, description="A part of the reason, in any case.")
    cause: TextFilter = Field(None, description="The reason, whole, as `GET /api/dead-letters` counts by it.")
    warning: TextFilter = Field(None, description="A part of a warning, in any case.")
    since: TimeFilter = Field(None, description="ISO 8601 or Unix seconds; the moment belongs to it.")
    until: TimeFilter = Field(None, description="Likewise; the moment does not belong to it.")
    all: bool = Field(default=False, description="All dead letters.")

    @property
    def query(self) -> Query:
        """What is asked for. Raises HTTPException where nothing is, or a text cannot be read."""
        filters = {name: getattr(self, name) for name in _FILTERS}
        texts = {name: text for name, text in filters.items() if text is not None}
        if not texts and not self.all:
            raise HTTPException(400, NOTHING_ASKED_FOR)
        try:
            return dead_query(texts)
        except FilterError as exc:
            raise HTTPException(400, str(exc)) from exc


class RedriveRequest(DeadLetterRequest):
    """Which dead letters are sent again."""


class DismissRequest(DeadLetterRequest):
    """Which dead letters are put away for good, and why."""

    because: str = Field(min_length=1, max_length=MAX_WHY, description="Stands in their reason and the audit log.")


def add_dead_letters(router: APIRouter, outbox: Outbox, acts: DeadLetterActs) -> None:
    """Add /api/dead-letters, /api/redrive and /api/dismiss."""

    @router.post("/redrive", summary="Send dead letters again", responses=_UNKNOWN)
    async def redrive(request: Request, wanted: RedriveRequest) -> Response:
        return await api_answer(acts.redrive(request.state.person, wanted.query))

    @router.post("/dismiss", summary="Put dead letters away for good", responses=_UNKNOWN)
    async def dismiss(request: Request, wanted: DismissRequest) -> Response:
        return await api_answer(acts.dismiss(request.state.person, wanted.query, wanted.because), "dismissed")

    @router.get("/dead-letters", summary="Why deliveries are dead, the most frequent causes first")
    async def causes() -> Response:
        return await api_answer(_causes(outbox))


async def _causes(outbox: Outbox) -> dict[str, Any]:
    return {"causes": [asdict(each) for each in await outbox.dead_letters.causes(limit=_CAUSES)]}
