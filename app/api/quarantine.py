"""The quarantine under /api: what is kept, what would become of it, and bringing it back."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import NOTHING_ASKED_FOR, Discarded, QuarantineAnswer, ReplayAnswer, a_filter_or_all
from app.api.problems import not_found
from app.core.events import Exit
from app.core.pages import QuarantineFilter
from app.errors import FilterError
from app.operations.quarantine import QuarantineActs
from app.pipeline.replay import replay_json

_FILTERS = ("name", "exit", "source", "reason")
_OFF: Final = not_found("Nothing is kept in quarantine.")


class QuarantineRequest(BaseModel):
    """At least one filter, or `all`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=a_filter_or_all(_FILTERS))

    name: Annotated[str | None, Field(strict=True, description="The event's name, or its type if it has no name.")] = (
        None
    )
    exit: Exit | None = Field(None, description="`invalid` or `unmatched`.")
    source: Annotated[str | None, Field(strict=True)] = None
    reason: Annotated[str | None, Field(strict=True, description="The whole reason.")] = None
    all: Annotated[bool, Field(strict=True)] = False

    @property
    def wanted(self) -> QuarantineFilter:
        """The filter. Raises FilterError without a filter, unless `all` is set."""
        filters = self.model_dump(exclude={"all"}, exclude_none=True)
        if not filters and not self.all:
            raise FilterError(NOTHING_ASKED_FOR)
        return QuarantineFilter(**filters)


def add_quarantine(router: APIRouter, acts: QuarantineActs) -> None:
    """Add the routes under /api/quarantine."""

    @router.get("/quarantine", summary="What is kept in quarantine, by source, name and reason", responses=_OFF)
    async def groups() -> QuarantineAnswer:
        return QuarantineAnswer(groups=await acts.replaying.groups())

    @router.post("/quarantine/preview", summary="What would become of events in quarantine", responses=_OFF)
    async def preview(wanted: QuarantineRequest) -> ReplayAnswer:
        return ReplayAnswer.model_validate(replay_json(await acts.replaying.preview(wanted.wanted)))

    @router.post("/quarantine/replay", summary="Accept events in quarantine anew", responses=_OFF)
    async def replay(request: Request, wanted: QuarantineRequest) -> ReplayAnswer:
        return ReplayAnswer.model_validate(replay_json(await acts.replay(request.state.person, wanted.wanted)))

    @router.post("/quarantine/discard", summary="Erase events in quarantine", responses=_OFF)
    async def discard(request: Request, wanted: QuarantineRequest) -> Discarded:
        return Discarded(discarded=await acts.discard(request.state.person, wanted.wanted))
