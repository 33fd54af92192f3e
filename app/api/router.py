"""The HTTP interface for operators' programs, under /api/v1: read the outbox, redrive, switch, reload, erase.

Access is that of the console: a token as a bearer token, or only this machine without tokens; viewers change nothing.
Changes require `application/json`, which a foreign web page cannot send.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from app import __version__
from app.access.admission import CHECKS, RETRY_AFTER_S, Access, Denial
from app.access.users import Person
from app.api.answers import (
    Erased,
    Reloaded,
    StatusAnswer,
    Switched,
)
from app.api.lookups import add_searches
from app.api.operations import PREFIX, add_operations
from app.api.problems import REFUSALS, FaultyFiles, PersonStays, ProblemRoute, Refused, refusal
from app.core.pages import Message
from app.core.people import NamedPerson
from app.core.refusals import FailedCheck
from app.core.values.hidden_emails import unpersonal_id
from app.errors import Forbidden
from app.insights.refused_requests import read_refused
from app.operations.acts import Acts
from app.operations.declaration import Services
from app.operations.forget import MAX_REFERENCE
from app.outbox import Outbox
from app.pipeline.search import Finder

_JSON = "application/json"
_ONE_ID_AT_LEAST: dict[str, Any] = {
    "anyOf": [
        {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}
        for name in ("user_id", "anonymous_id", "email", "phone", "order_id")
    ]
}
#: The body is ignored; only its type counts.
_ANY_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {_JSON: {"schema": {}}}}}


#: The schema in which a switch is either of a preset or of an ad account.
_NOT_BOTH: dict[str, Any] = {
    "not": {
        "required": ["preset", "ad_account_id"],
        "properties": {"preset": {"type": "string"}, "ad_account_id": {"type": "string"}},
    }
}


class SwitchRequest(BaseModel):
    """The switch of all sending, an ad account, or a preset."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_NOT_BOTH)

    on: bool
    preset: str | None = Field(None, description="One preset, for every ad account.")
    ad_account_id: str | None = Field(None, description="One ad account; without both, all sending is switched.")


class ForgetRequest(BaseModel):
    """The person to erase, with at least one id."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_ONE_ID_AT_LEAST)

    user_id: str | None = Field(None, min_length=1, description="With every browser that is linked to it.")
    anonymous_id: str | None = Field(None, min_length=1)
    email: str | None = Field(None, min_length=1)
    phone: str | None = Field(None, min_length=1)
    order_id: str | None = Field(None, min_length=1, description="Of one of the person's orders.")
    reference: str = Field("", max_length=MAX_REFERENCE, description="Of the ticket: for certificate and audit log.")

    @property
    def named(self) -> NamedPerson:
        """Return the person to erase."""
        return NamedPerson(
            user_id=self.user_id,
            anonymous_id=self.anonymous_id,
            emails=(self.email,) if self.email else (),
            phones=(self.phone,) if self.phone else (),
            order_ids=(self.order_id,) if self.order_id else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The services of the routes for operators."""

    outbox: Outbox
    finder: Finder
    acts: Acts
    services: Services
    access: Access
    status: Callable[[], Awaitable[dict[str, Any]]]
    clock: Callable[[], float]

    async def admit(self, request: Request) -> None:
        """Admit the person of a request as `request.state.person`; raise Refused or OutboxUnavailable for others."""
        if request.method != "GET" and request.headers.get("content-type", "").partition(";")[0] != _JSON:
            FailedCheck("content type").note(request.scope)
            raise Refused(415, f"send {_JSON}")
        visitor = self.access.visitor(request)
        person = await self.access.admit(visitor, now=self.clock(), by_session=False)
        if not isinstance(person, Person):
            CHECKS[person].note(request.scope)
            status, told = _DENIED[person]
            raise Refused(status, told, headers=_HEADERS.get(status))
        request.state.person = person

    async def admit_by_method(self, request: Request) -> None:
        """Admit likewise, and require the role operator for a change. Raises Forbidden."""
        await self.admit(request)
        is_change = request.method != "GET" and request.scope["route"].path not in _READS_BY_POST
        if is_change and not request.state.person.may_operate:
            raise Forbidden


#: Routes that change nothing but use POST, because the body may have ids, which must not be in an address.
_READS_BY_POST: Final = frozenset({f"{PREFIX}/find"})
#: By denial: the status and the remedy.
_DENIED = {
    Denial.LOGIN_NEEDED: (401, "send the console's password, or a token of CONSOLE_USERS, as a bearer token"),
    Denial.WRONG: (401, "no user has this token"),
    Denial.TOO_MANY: (429, "too many wrong tokens"),
    Denial.FAR: (403, "this machine only: set CONSOLE_PASSWORD or CONSOLE_USERS to let others in"),
    Denial.NOT_BELIEVED: (403, "a header names a user, but its sender is not a proxy of TRUSTED_PROXIES"),
}
#: By the status of a denial.
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": str(RETRY_AFTER_S)}}


def api_routers(operations: Operations) -> tuple[APIRouter, APIRouter]:
    """Build the routes under /api/v1, with the access rules of the console."""
    derived, router = (
        APIRouter(
            prefix=PREFIX,
            tags=["api"],
            dependencies=[Depends(admit)],
            responses=REFUSALS,
            route_class=ProblemRoute,
        )
        for admit in (operations.admit, operations.admit_by_method)
    )
    add_operations(derived, operations.services)
    add_searches(router, operations.finder)
    _add_reads(router, operations)
    _add_changes(router, operations)
    return derived, router


def _add_reads(router: APIRouter, operations: Operations) -> None:
    outbox = operations.outbox

    @router.get("/status", summary="Backlog and state of delivery", response_model_exclude_unset=True)
    async def status() -> StatusAnswer:
        refused = await read_refused(outbox, now=operations.clock())
        told = [{**each._asdict(), "requests": count} for each, count in refused.items()]
        return StatusAnswer.model_validate(
            {"version": __version__, "refused_requests": told, **await operations.status()}
        )

    @router.get("/messages/{message_id}", summary="What became of one message id")
    async def message(message_id: str) -> Message:
        return await outbox.message(unpersonal_id(message_id))


def _add_changes(router: APIRouter, operations: Operations) -> None:
    stays = refusal(409, "Something stays that may be the person's.", PersonStays)
    nobody = refusal(404, "Nothing is stored for this person, or a name cannot be one. No certificate is written.")
    faulty = refusal(400, "The files have faults; the running catalog stays.", FaultyFiles)
    unknown = refusal(404, "There is no such preset or ad account.")
    acts = operations.acts

    @router.post("/forget", summary="Erase a person", responses=stays | nobody)
    async def forget(request: Request, whom: ForgetRequest) -> Erased:
        if not whom.named.kinds:
            raise Refused(400, "name a person: user_id, anonymous_id, email, phone or order_id")
        done = await acts.people.forget(request.state.person, whom.named, reference=whom.reference)
        if done.stays:
            raise Refused(409, done.stays, **asdict(done))
        if done.failure:
            raise Refused(404, done.failure)
        return Erased.model_validate(done)

    @router.post(
        "/reload",
        summary="Take up changed presets, mappings and sources",
        responses=faulty,
        openapi_extra=_ANY_BODY,
    )
    async def reload(request: Request) -> Reloaded:
        if faults := await acts.catalog.reload(request.state.person):
            told = [str(fault) for fault in faults]
            raise Refused(400, f"The running catalog stays: {'; '.join(told)}", reloaded=False, faults=told)
        return Reloaded()

    @router.post("/switch", summary="Switch all sending, one ad account, or one preset on or off", responses=unknown)
    async def switch(request: Request, wanted: SwitchRequest) -> Switched:
        if wanted.preset is not None and wanted.ad_account_id is not None:
            raise Refused(400, "give a preset or an ad account, not both")
        await acts.sending.switch(request.state.person, wanted.preset, on=wanted.on, ad_account_id=wanted.ad_account_id)
        return Switched()
