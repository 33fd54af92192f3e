"""The quarantine under /api: what is kept, what would become of it, and bringing it back."""

from collections.abc import Awaitable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import NOTHING_ASKED_FOR, a_filter_or_all, api_answer
from app.core.events import Exit
from app.core.pages import QuarantineFilter
from app.operations.quarantine import QuarantineActs
from app.pipeline.replay import Replay, replay_json

_FILTERS = ("name", "exit", "source", "reason")
_OFF: dict[int | str, dict[str, Any]] = {404: {"description": "Nothing is kept in quarantine."}}


class QuarantineRequest(BaseModel):
    """Which events are meant: one filter at least, or `all`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=a_filter_or_all(_FILTERS))

    name: Annotated[str | None, Field(strict=True, description="The event's name, or its type where it has none.")] = (
        None
    )
    exit: Exit | None = Field(None, description="`invalid` or `unmatched`.")
    source: Annotated[str | None, Field(strict=True)] = None
    reason: Annotated[str | None, Field(strict=True, description="The whole reason.")] = None
    all: Annotated[bool, Field(strict=True)] = False

    @property
    def wanted(self) -> QuarantineFilter:
        """The filter. Raises HTTPException (400) where there is none, and not all are meant."""
        filters = self.model_dump(exclude={"all"}, exclude_none=True)
        if not filters and not self.all:
            raise HTTPException(400, NOTHING_ASKED_FOR)
        return QuarantineFilter(**filters)


def add_quarantine(router: APIRouter, acts: QuarantineActs) -> None:
    """Add the routes under /api/quarantine."""

    @router.get("/quarantine", summary="What is kept in quarantine, by source, name and reason", responses=_OFF)
    async def groups() -> Response:
        return await api_answer(_groups(acts))

    @router.post("/quarantine/preview", summary="What would become of events in quarantine", responses=_OFF)
    async def preview(wanted: QuarantineRequest) -> Response:
        return await api_answer(_told(_preview(acts, wanted.wanted)))

    @router.post("/quarantine/replay", summary="Accept events in quarantine anew", responses=_OFF)
    async def replay(request: Request, wanted: QuarantineRequest) -> Response:
        return await api_answer(_told(acts.replay(request.state.person, wanted.wanted)))

    @router.post("/quarantine/discard", summary="Erase events in quarantine", responses=_OFF)
    async def discard(request: Request, wanted: QuarantineRequest) -> Response:
        return await api_answer(acts.discard(request.state.person, wanted.wanted), "discarded")


async def _groups(acts: QuarantineActs) -> dict[str, Any]:
    return {"groups": [asdict(group) for group in await acts.replaying.groups()]}


async def _preview(acts: QuarantineActs, wanted: QuarantineFilter) -> Replay:
    return await acts.replaying.preview(wanted)


async def _told(work: Awaitable[Replay]) -> dict[str, Any]:
    return replay_json(await work)
