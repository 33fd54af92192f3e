"""Searches for operators' programs: deliveries, and what became no delivery, by anything they are known by."""

import re
from typing import Annotated, Final, Literal, TypeAlias

import fastapi
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.api.answers import DeliveryFilters, DroppedEventAnswer, DroppedEventsAnswer, FoundAnswer
from app.api.problems import not_found
from app.core.deliveries import State
from app.core.events import Exit
from app.core.pages import Page, Query
from app.errors import FilterError
from app.outbox import Outbox, read_filters
from app.pipeline.search import MAX_FOUND_BY, Finder, dropped_json

_UNKNOWN: Final = not_found("A filter names nothing known.")
#: Of the query string, what is no filter.
_PAGING = frozenset({"cursor", "limit"})
#: Read where the filters are, like all others.
_CURSOR: Final = "^-?[0-9]{1,20}$"
_Cursor: TypeAlias = Annotated[
    str | None, WithJsonSchema({"anyOf": [{"type": "string", "pattern": _CURSOR}, {"type": "null"}]})
]
_Limit = Annotated[int, Field(ge=1, le=500)]


class Filters(DeliveryFilters):
    """Filters of a search. Results match all of them; an unknown one is refused."""

    state: State | Literal["waiting"] | None = Field(None, description="`waiting`: pending or claimed.")
    exit: Exit | None = Field(None, description="Its result, as receipts and counts name it.")
    status: Annotated[int | None, Field(ge=100, le=599, description="Pinterest's HTTP status of any attempt.")] = None
    cursor: _Cursor = Field(None, description="`next_cursor` of the page before, or `prev_cursor` of the page behind.")
    limit: _Limit = 50


class FindRequest(BaseModel):
    """A text to find an event or a person by."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(
        min_length=1,
        max_length=MAX_FOUND_BY,
        description="An id, a name, part of a reason, an e-mail address or a phone number (these two are not stored).",
    )
    limit: Annotated[_Limit, Field(strict=False)] = 50


def add_searches(router: APIRouter, outbox: Outbox, finder: Finder) -> None:
    """Add the routes."""

    @router.get("/deliveries", summary="Deliveries, newest first", responses=_UNKNOWN)
    async def deliveries(request: Request, asked: Annotated[Filters, fastapi.Query()]) -> Page:
        query = _query(request)
        page = await outbox.search(query, limit=asked.limit, cursor=asked.cursor)
        if not page.deliveries and asked.cursor is None:
            await finder.check(query)
        return page

    @router.get(
        "/dropped-events", summary="Events that became no delivery, with the reason, newest first", responses=_UNKNOWN
    )
    async def dropped_events(request: Request, asked: Annotated[Filters, fastapi.Query()]) -> DroppedEventsAnswer:
        query = _query(request)
        page = await outbox.search_dropped(query, limit=asked.limit, cursor=asked.cursor)
        if not page.events and asked.cursor is None:
            await finder.check(query)
        found = {"dropped_events": dropped_json(page), "next_cursor": page.next_cursor}
        more = {"prev_cursor": page.prev_cursor, "scanned": page.scanned}
        return DroppedEventsAnswer.model_validate(found | more)

    @router.post("/find", summary="Deliveries and dropped events by whatever is at hand")
    async def find(wanted: FindRequest) -> FoundAnswer:
        found = await finder.look_up(wanted.text, limit=wanted.limit)
        if found is None:
            return FoundAnswer(looked_for=None, deliveries=[], dropped_events=[])
        dropped = [DroppedEventAnswer.model_validate(each) for each in dropped_json(found.dropped)]
        return FoundAnswer(
            looked_for=found.query.given, deliveries=list(found.deliveries.deliveries), dropped_events=dropped
        )


def _query(request: Request) -> Query:
    """Read the filters of a query string. Raises FilterError, also for an unknown one and a cursor of no page."""
    cursor = request.query_params.get("cursor")
    if cursor is not None and not re.fullmatch(_CURSOR, cursor):
        message = "The `cursor` is invalid: take `next_cursor` of the page before, or leave it out for the first page."
        raise FilterError(message)
    return read_filters({name: text for name, text in request.query_params.items() if name not in _PAGING})
