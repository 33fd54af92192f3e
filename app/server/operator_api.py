"""The HTTP interface for operators' programs, under /api: look into the outbox, redrive, switch, reload.

Access is that of the console: its password as a bearer token, or this machine alone where none is set.
Changes must come as `application/json`, which no foreign web page can send.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access.admission import Access, Admission, TooManyTries
from app.coordination import Coordination
from app.errors import OutboxUnavailable, UnknownPreset
from app.outbox import Outbox
from app.types import Query, State
from app.values.hidden_emails import unpersonal_id

_JSON = "application/json"
_FILTERS = ("delivery_id", "message_id", "event_id", "preset", "reason")
#: How the OpenAPI document says that a request without any filter is refused.
_ONE_AT_LEAST: dict[str, Any] = {
    "anyOf": [
        *({"required": [name], "properties": {name: {"type": "string"}}} for name in _FILTERS),
        {"required": ["all"], "properties": {"all": {"const": True}}},
    ]
}
#: Nothing of it is read; only its type counts.
_ANY_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {_JSON: {"schema": {}}}}}


class RedriveRequest(BaseModel):
    """Which dead letters are sent again: one filter at least, or `all`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_ONE_AT_LEAST)

    delivery_id: str | None = None
    message_id: str | None = None
    event_id: str | None = None
    preset: str | None = None
    reason: str | None = Field(None, description="A part of the reason, in any case.")
    all: bool = Field(default=False, description="All dead letters.")


class SwitchRequest(BaseModel):
    """Whether the destination, or one preset, sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    on: bool
    preset: str | None = Field(None, description="None switches the whole destination.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What the interface works with."""

    outbox: Outbox
    coordination: Coordination
    access: Access
    status: Callable[[], Awaitable[dict[str, Any]]]
    clock: Callable[[], float]

    def admit(self, request: Request) -> None:
        """Let operators in; raise 401, 403, 415 or 429 for all else."""
        if request.method != "GET" and request.headers.get("content-type", "").partition(";")[0] != _JSON:
            raise HTTPException(415, f"send {_JSON}")
        now, visitor = self.clock(), self.access.visitor(request)
        if not self.access.has_password:
            if self.access.judge(visitor, now=now) is not Admission.ADMITTED:
                raise HTTPException(403, "this machine only: set CONSOLE_PASSWORD to let others in")
            return
        outcome = self.access.bearer(visitor, now=now)
        if isinstance(outcome, TooManyTries):
            raise HTTPException(429, "too many wrong passwords", {"Retry-After": str(outcome.retry_after_s)})
        if outcome is Admission.LOGIN_NEEDED:
            raise _unauthenticated("send the console's password as a bearer token")
        if outcome is Admission.REFUSED:
            raise _unauthenticated("the password is wrong")


def _unauthenticated(text: str) -> HTTPException:
    return HTTPException(401, text, {"WWW-Authenticate": "Bearer"})


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be used."},
    401: {"description": "The password is missing or wrong."},
    403: {"description": "Not from this machine."},
    415: {"description": "Not JSON."},
    429: {"description": "Too many tries."},
    500: {"description": "Something failed that should not; the log says what."},
    503: {"description": "The outbox does not answer."},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such delivery."}}

_NO_PRESET: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such preset; the nearest is named."}}


def api_router(operations: Operations) -> APIRouter:
    """Build the routes."""
    router = APIRouter(prefix="/api", tags=["api"], dependencies=[Depends(operations.admit)], responses=_REFUSALS)
    _add_reads(router, operations)
    _add_changes(router, operations)
    return router


def _add_reads(router: APIRouter, operations: Operations) -> None:
    outbox = operations.outbox

    @router.get("/status", summary="Backlog and state of delivery")
    async def status() -> Response:
        return await _answer(operations.status())

    @router.get("/deliveries", summary="Deliveries, newest first")
    async def deliveries(
        state: State | None = None,
        message_id: str | None = None,
        event_id: str | None = None,
        preset: str | None = None,
        reason: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Field(ge=1, le=500)] = 50,
    ) -> Response:
        query = Query(state=state, message_id=message_id, event_id=event_id, preset=preset, reason=reason)
        return await _answer(outbox.search(query, limit=limit, cursor=cursor))

    @router.get("/deliveries/{delivery_id}", summary="One delivery with its attempts", responses=_NOT_FOUND)
    async def delivery(delivery_id: str) -> Response:
        return await _answer(outbox.delivery(delivery_id))

    @router.get("/messages/{message_id}", summary="What became of one message id")
    async def message(message_id: str) -> Response:
        return await _answer(outbox.message(unpersonal_id(message_id)))


def _add_changes(router: APIRouter, operations: Operations) -> None:
    @router.post("/redrive", summary="Send dead letters again")
    async def redrive(wanted: RedriveRequest) -> Response:
        filters = wanted.model_dump(exclude={"all"}, exclude_none=True)
        if not filters and not wanted.all:
            raise HTTPException(400, 'give a filter, or {"all": true}')
        query = Query(state=State.DEAD, **filters)
        return await _answer(operations.outbox.redrive(query, now=operations.clock()), "redriven")

    @router.post("/switch", summary="Switch the destination, or one preset, on or off", responses=_NO_PRESET)
    async def switch(wanted: SwitchRequest) -> Response:
        return await _answer(operations.coordination.switch(wanted.preset, on=wanted.on), "switched")

    @router.post("/reload", summary="Take up changed presets and mappings", openapi_extra=_ANY_BODY)
    async def reload() -> Response:
        answer = await _answer(operations.coordination.reload(now=operations.clock()), "reloaded")
        if faults := operations.coordination.faults:
            return _json({"reloaded": False, "faults": [str(fault) for fault in faults]}, 400)
        return answer


async def _answer(work: Awaitable[Any], name: str = "") -> Response:
    """Wait for the outbox and write what it says; `name` wraps a plain value."""
    try:
        result = await work
    except OutboxUnavailable as exc:
        raise HTTPException(503, str(exc), {"Retry-After": str(exc.retry_after_s)}) from exc
    except UnknownPreset as exc:
        raise HTTPException(404, str(exc)) from exc
    except ValueError as exc:
        raise HTTPException(400, "the cursor or id cannot be read") from exc
    if name:
        return _json({name: True if result is None else result})
    if result is None:
        raise HTTPException(404, "there is no such delivery")
    return _json(result if isinstance(result, dict) else asdict(result))


def _json(value: Any, status: int = 200) -> Response:
    text = orjson.dumps(value, default=lambda other: bytes(other).decode())
    return Response(text, status, media_type=_JSON)
