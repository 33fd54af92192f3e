"""The HTTP interface for operators' programs, under /api: look into the outbox, redrive, switch, reload, erase.

Access is that of the console: a token as a bearer token, or this machine alone where there is none; viewers look.
Changes must come as `application/json`, which no foreign web page can send.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app import __version__
from app.access.admission import Access, Denial, TooManyTries
from app.access.users import Person
from app.api.answers import api_answer, api_json, unavailable
from app.api.counts import add_counts
from app.api.dead_letters import add_dead_letters
from app.api.inventory import add_inventory
from app.api.quarantine import add_quarantine
from app.api.revenue import add_revenue
from app.api.searches import add_searches
from app.core.values.hidden_emails import unpersonal_id
from app.errors import OutboxUnavailable
from app.insights.inventory.view import InventoryView
from app.operations.acts import Acts
from app.outbox import Outbox
from app.pipeline.search import Finder

_JSON = "application/json"
_ONE_ID_AT_LEAST: dict[str, Any] = {
    "anyOf": [
        {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
        for name in ("user_id", "anonymous_id", "email")
    ]
}
#: Nothing of it is read; only its type counts.
_ANY_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {_JSON: {"schema": {}}}}}


#: How the OpenAPI document says that a switch is of a preset or of an ad account.
_NOT_BOTH: dict[str, Any] = {
    "not": {
        "required": ["preset", "ad_account_id"],
        "properties": {"preset": {"type": "string"}, "ad_account_id": {"type": "string"}},
    }
}


class SwitchRequest(BaseModel):
    """Whether all, one ad account, or one preset sends."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_NOT_BOTH)

    on: bool
    preset: str | None = Field(None, description="One preset, for every ad account.")
    ad_account_id: str | None = Field(None, description="One ad account; without both, all sending is switched.")


class ForgetRequest(BaseModel):
    """Whom to erase, by one id at least."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_ONE_ID_AT_LEAST)

    user_id: str | None = Field(None, min_length=1, description="With every browser that is linked to it.")
    anonymous_id: str | None = Field(None, min_length=1)
    email: str | None = Field(None, min_length=1, description="Of what memory does not know, too.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What the routes of the interface for operators work with."""

    outbox: Outbox
    finder: Finder
    acts: Acts
    access: Access
    status: Callable[[], Awaitable[dict[str, Any]]]
    inventory: InventoryView
    clock: Callable[[], float]

    async def admit(self, request: Request) -> None:
        """Let whoever may ask in, as `request.state.person`; raise 401, 403, 415, 429 or 503 for all else."""
        if request.method != "GET" and request.headers.get("content-type", "").partition(";")[0] != _JSON:
            raise HTTPException(415, f"send {_JSON}")
        visitor = self.access.visitor(request)
        try:
            person = await self.access.admit(visitor, now=self.clock(), by_session=False)
        except OutboxUnavailable as exc:
            raise unavailable(exc) from exc
        if isinstance(person, TooManyTries):
            raise HTTPException(429, "too many wrong tokens", {"Retry-After": str(person.retry_after_s)})
        if not isinstance(person, Person):
            status, told = _DENIED[person]
            raise HTTPException(status, told, {"WWW-Authenticate": "Bearer"} if status == 401 else None)  # noqa: PLR2004 - Unauthorized
        if request.method != "GET" and not person.may_operate:
            raise HTTPException(403, "this needs the role operator; yours is viewer")
        request.state.person = person


#: Why nobody is let in -> the status, and what helps.
_DENIED = {
    Denial.LOGIN_NEEDED: (401, "send the console's password, or a token of CONSOLE_USERS, as a bearer token"),
    Denial.WRONG: (401, "nobody has this token"),
    Denial.FAR: (403, "this machine only: set CONSOLE_PASSWORD or CONSOLE_USERS to let others in"),
    Denial.NOT_BELIEVED: (403, "a header names a user, and whoever sent it is no proxy of TRUSTED_PROXIES"),
}


_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request cannot be used."},
    401: {"description": "The token is missing or wrong."},
    403: {"description": "Not from this machine, or not by an operator."},
    415: {"description": "Not JSON."},
    429: {"description": "Too many tries."},
    500: {"description": "Something failed that should not; the log says what."},
    503: {"description": "The outbox does not answer."},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such delivery."}}

_STAYS: dict[int | str, dict[str, Any]] = {409: {"description": "Something stays that may be the person's."}}
_NOT_KNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such preset or ad account."}}


def api_router(operations: Operations) -> APIRouter:
    """Build the routes under /api, each of which admits only whom the console would."""
    router = APIRouter(prefix="/api", tags=["api"], dependencies=[Depends(operations.admit)], responses=_REFUSALS)
    add_searches(router, operations.outbox, operations.finder)
    _add_reads(router, operations)
    add_counts(router, operations.outbox, operations.clock)
    add_inventory(router, operations.inventory)
    add_revenue(router, operations.outbox, operations.finder, operations.clock)
    add_dead_letters(router, operations.outbox, operations.acts.dead_letters)
    _add_changes(router, operations)
    _add_switch(router, operations)
    add_quarantine(router, operations.acts.quarantine)
    return router


def _add_reads(router: APIRouter, operations: Operations) -> None:
    outbox = operations.outbox

    @router.get("/status", summary="Backlog and state of delivery")
    async def status() -> Response:
        async def told() -> dict[str, Any]:
            return {"version": __version__, **await operations.status()}

        return await api_answer(told())

    @router.get("/deliveries/{delivery_id}", summary="One delivery with its attempts", responses=_NOT_FOUND)
    async def delivery(delivery_id: str) -> Response:
        return await api_answer(outbox.delivery(delivery_id))

    @router.get("/messages/{message_id}", summary="What became of one message id")
    async def message(message_id: str) -> Response:
        return await api_answer(outbox.message(unpersonal_id(message_id)))


def _add_changes(router: APIRouter, operations: Operations) -> None:
    @router.post("/forget", summary="Erase a person", responses=_STAYS)
    async def forget(request: Request, whom: ForgetRequest) -> Response:
        if not any(whom.model_dump().values()):
            raise HTTPException(400, "name a person: user_id, anonymous_id or email")
        try:
            done = await operations.acts.people.forget(request.state.person, **whom.model_dump())
        except OutboxUnavailable as exc:
            raise unavailable(exc) from exc
        return api_json(asdict(done), 409 if done.stays else 200)

    @router.post("/reload", summary="Take up changed presets, mappings and sources", openapi_extra=_ANY_BODY)
    async def reload(request: Request) -> Response:
        try:
            faults = await operations.acts.catalog.reload(request.state.person)
        except OutboxUnavailable as exc:
            raise unavailable(exc) from exc
        if faults:
            return api_json({"reloaded": False, "faults": [str(fault) for fault in faults]}, 400)
        return api_json({"reloaded": True})


def _add_switch(router: APIRouter, operations: Operations) -> None:
    @router.post("/switch", summary="Switch all sending, one ad account, or one preset on or off", responses=_NOT_KNOWN)
    async def switch(request: Request, wanted: SwitchRequest) -> Response:
        if wanted.preset is not None and wanted.ad_account_id is not None:
            raise HTTPException(400, "give a preset or an ad account, not both")
        work = operations.acts.sending.switch(
            request.state.person, wanted.preset, on=wanted.on, ad_account_id=wanted.ad_account_id
        )
        return await api_answer(work, "switched")
