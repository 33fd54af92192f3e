"""The quarantine under /api: what is kept, what would become of it, and bringing it back."""

from collections.abc import Awaitable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import NOTHING_ASKED_FOR, a_filter_or_all, api_answer
from app.core.events import Exit
from app.core.pages import QuarantineFilter
from app.operations.audited_changes import AuditedChanges
from app.pipeline.replay import Replay, Replaying, replay_json

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


def add_quarantine(router: APIRouter, changes: AuditedChanges) -> None:
    """Add the routes under /api/quarantine."""

    def replaying() -> Replaying:
        if changes.replaying is None:
            raise HTTPException(404, "QUARANTINE_HOURS: nothing is kept in quarantine")
        return changes.replaying

    @router.get("/quarantine", summary="What is kept in quarantine, by source, name and reason", responses=_OFF)
    async def groups() -> Response:
        return await api_answer(_groups(replaying()))

    @router.post("/quarantine/preview", summary="What would become of events in quarantine", responses=_OFF)
    async def preview(wanted: QuarantineRequest) -> Response:
        return await api_answer(_told(replaying().preview(wanted.wanted)))

    @router.post("/quarantine/replay", summary="Accept events in quarantine anew", responses=_OFF)
    async def replay(request: Request, wanted: QuarantineRequest) -> Response:
        replaying()
        return await api_answer(_told(changes.replay(request.state.person, wanted.wanted)))

    @router.post("/quarantine/discard", summary="Erase events in quarantine", responses=_OFF)
    async def discard(request: Request, wanted: QuarantineRequest) -> Response:
        replaying()
        return await api_answer(changes.discard(request.state.person, wanted.wanted), "discarded")


async def _groups(replaying: Replaying) -> dict[str, Any]:
    return {"groups": [asdict(group) for group in await replaying.groups()]}


async def _told(work: Awaitable[Replay | None]) -> dict[str, Any] | None:
    replay = await work
    return None if replay is None else replay_json(replay)
