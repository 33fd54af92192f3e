"""Errors of the operators' interface: all have the form of RFC 9457's problem details."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Literal

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from app.access.admission import NOT_OPERATOR
from app.config.environment import text_of_fault
from app.errors import (
    FeatureOff,
    FilterError,
    Forbidden,
    NameUnreadable,
    OutboxUnavailable,
    PinrelayError,
    UnknownName,
)

#: The media type of a problem.
PROBLEM_JSON: Final = "application/problem+json"
#: The paths of this interface; below /api/s/ are responses for senders of events, as their SDKs expect.
_PATHS, _OF_SENDERS = "/api/", "/api/s/"
_STATUS: Final[Mapping[type[PinrelayError], int]] = {
    FeatureOff: 404,
    UnknownName: 404,
    NameUnreadable: 404,  # no person has such a name
    FilterError: 400,
    Forbidden: 403,
    OutboxUnavailable: 503,
}


class Problem(BaseModel):
    """Why a request was refused: problem details as RFC 9457 has them."""

    type: Literal["about:blank"] = Field("about:blank", description="Always `about:blank`: `status` says the kind.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status, again.")
    detail: str = Field(description="What is wrong, and what to do.")


class InvalidPart(BaseModel):
    """A part of a request that is invalid."""

    place: Literal["body", "query", "path"]
    name: str = Field(description="Of the member or parameter; empty: the whole body.")
    detail: str


class InvalidRequest(Problem):
    """A request of which some parts cannot be read."""

    errors: list[InvalidPart] = Field(description="Every part that cannot be read.")


class ErasedParts(BaseModel, from_attributes=True):
    """How much was erased of a person."""

    ids: int = Field(description="How many ids of the person memory had.")
    messages: int = Field(description="How many messages of the person were stored.")
    erased: dict[str, int] = Field(description="How many deliveries, payloads, notes ... were erased, by kind.")
    kept: tuple[str, ...] = Field(description="What cannot or must not be erased.")
    certificate: str = Field(description="Number of the certificate; empty if nothing was erased.")


class PersonStays(Problem, ErasedParts):
    """Something may be the person's and could not be erased; the rest is erased."""

    stays: str = Field(description="What stays, with the remedy; the same as `detail`.")


class FaultyFiles(Problem):
    """The changed files have faults, so the running catalog stays."""

    reloaded: Literal[False] = False
    faults: list[str] = Field(description="Every fault, with its file and place.")


class Refused(Exception):
    """Raised to answer a problem."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        self.status = status
        self.detail = detail
        self.headers = headers
        #: Additional members of this problem.
        self.more = more
        super().__init__(detail)


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """Return a response with a problem; `more` are additional members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(orjson.dumps(body), status, headers, media_type=PROBLEM_JSON)


class ProblemRoute(APIRoute):
    """A route that reports all errors as problems."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override] # a Response, or None
        """Return the handler of requests."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as exc:
                return problem(exc.status, exc.detail, headers=exc.headers, **exc.more)
            except RequestValidationError as exc:
                parts = [_invalid_part(each) for each in exc.errors()]
                detail = "; ".join(f"{each['name'] or each['place']}: {each['detail']}" for each in parts)
                return problem(422, detail, errors=parts)
            except HTTPException as exc:  # the framework's own
                return problem(exc.status_code, str(exc.detail), headers=exc.headers)
            except tuple(_STATUS) as exc:
                if isinstance(exc, Forbidden):
                    NOT_OPERATOR.note(request.scope)
                return _of_error(exc)

        return answer


def of_path(path: str) -> bool:
    """Return whether errors at this path are problems: under /api, except the paths for senders of events."""
    return path.startswith(_PATHS) and not path.startswith(_OF_SENDERS)


def _of_error(exc: PinrelayError) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(exc, kind))
    headers = {"Retry-After": str(exc.retry_after_s)} if isinstance(exc, OutboxUnavailable) else None
    return problem(status, str(exc), headers=headers)


def _invalid_part(error: Mapping[str, Any]) -> dict[str, str]:
    """Return the fault in a part of a request, without its value, which may be personal data."""
    place, *names = error["loc"]
    name = ".".join(str(each) for each in names if not isinstance(each, int))
    return {"place": place, "name": name, "detail": text_of_fault(error)}


_REFERENCE: Final = "#/components/schemas/{model}"


def schemas_of_problems() -> dict[str, Any]:
    """Return the schemas of all problems by name, for the OpenAPI document."""
    models: list[type[BaseModel]] = [Problem, *Problem.__subclasses__()]
    _, schemas = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCE)
    found: dict[str, Any] = schemas["$defs"]
    return found


def refusal(status: int, description: str, model: type[BaseModel] = Problem) -> dict[int | str, dict[str, Any]]:
    """Return a refusal for the OpenAPI document.

    It refers to the model, because FastAPI creates a serialiser for each model of a route, which took half of the
    start.
    """
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    return {status: {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}}


#: Possible errors of all operations.
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    **refusal(400, "The request cannot be used."),
    **refusal(401, "The token is missing or wrong."),
    **refusal(403, "Not from this machine, or not by an operator."),
    **refusal(415, "Not JSON."),
    **refusal(422, "Parts of the request cannot be read.", InvalidRequest),
    **refusal(429, "Too many tries."),
    **refusal(500, "Something failed that should not; the log says what."),
    **refusal(503, "The outbox does not answer. Ask again after `Retry-After` seconds."),
}
