"""Pinterest's endpoints for deleting a person's conversions (beta), as strict as its schema.

POST   /v5/ad_accounts/{ad_account_id}/conversion_deletion_requests        request a deletion
GET    /v5/ad_accounts/{ad_account_id}/conversion_deletion_requests        list all requests
GET    /v5/ad_accounts/{ad_account_id}/conversion_deletion_requests/{id}   return a request
DELETE /v5/ad_accounts/{ad_account_id}/conversion_deletion_requests/{id}   cancel it, within 72 hours
"""

import asyncio
import re
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.answers import error, instead_of, json_answer
from app.sandbox.script import Step

#: The time in which a request can be cancelled; then Pinterest submits it.
CANCELLABLE_S: Final = 259_200
_KEPT: Final = 1_000
_MAX_PAGE: Final = 250
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PARAMETERS: Final = {"bookmark": r".+", "page_size": r"\d{1,3}", "order": "ASCENDING|DESCENDING"}

#: Returns the refusal of a request, or `None`; True: the request changes data.
Refusal = Callable[[Request, bool], Response | None]


@dataclass(slots=True, kw_only=True)
class DeletionRequest:
    """A deletion request, with its time."""

    number: int
    ad_account_id: str
    #: Pinterest does not return them; the sandbox shows them.
    targets: dict[str, list[str]] = field(repr=False)
    created_at: float
    cancelled_at: float | None = None

    def shown(self, now: float) -> dict[str, Any]:
        """Return the request in Pinterest's format."""
        submitted_at = self.created_at + CANCELLABLE_S
        if self.cancelled_at is not None:
            status, processed_at = "CANCELLED", self.cancelled_at
        elif now < submitted_at:
            status, processed_at = "PENDING", None
        else:
            status, processed_at = "SUBMITTED", submitted_at
        return {
            "request_id": str(self.number),
            "status": status,
            "created_time": _date(self.created_at),
            "processed_time": None if processed_at is None else _date(processed_at),
        }


class Deletions:
    """The deletion requests, in memory."""

    def __init__(self, refusal: Refusal, step: Callable[[], Step], clock: Callable[[], float]) -> None:
        """Use the access check, and the misbehaviour of the sandbox."""
        self._refusal = refusal
        self._step = step
        self._clock = clock
        self._requests: list[DeletionRequest] = []
        self._asked = 0

    def routes(self) -> list[Route]:
        """Return Pinterest's routes, and the route for people."""
        path = "/v5/ad_accounts/{ad_account_id}/conversion_deletion_requests"
        return [
            Route(path, self._answering(self._create), methods=["POST"]),
            Route(path, self._answering(self._list)),
            Route(f"{path}/{{request_id}}", self._answering(self._get)),
            Route(f"{path}/{{request_id}}", self._answering(self._cancel), methods=["DELETE"]),
            Route("/deletions", self._show),
        ]

    async def _show(self, _: Request) -> Response:
        now = self._clock()
        return json_answer([{**each.shown(now), "targets": each.targets} for each in reversed(self._requests)])

    def _answering(self, work: Callable[[Request, bytes], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            raw, step = await request.body(), self._step()
            await asyncio.sleep(step.delay_s)
            refusal = self._refusal(request, request.method not in {"GET", "HEAD"})
            is_lost = step.reset or step.status is not None or step.body is not None
            usual = refusal or (work(request, raw) if step.record or not is_lost else json_answer({}))
            return instead_of(usual, step)

        return answer

    def _create(self, request: Request, raw: bytes) -> Response:
        targets = _targets(raw)
        if isinstance(targets, str):
            return error(400, f"Invalid request: {targets}")
        self._asked += 1
        account = request.path_params["ad_account_id"]
        made = DeletionRequest(number=self._asked, ad_account_id=account, targets=targets, created_at=self._clock())
        self._requests = [*self._requests[1 - _KEPT :], made]
        return json_answer(made.shown(self._clock()), status=201)

    def _list(self, request: Request, _: bytes) -> Response:
        asked = request.query_params
        for name, value in asked.items():
            if not re.fullmatch(_PARAMETERS.get(name, "$"), value):
                return error(400, f"Invalid request: {name} is no parameter of this, or not one of its values")
        size, first = int(asked.get("page_size", "25")), _place(asked.get("bookmark"))
        if not 1 <= size <= _MAX_PAGE or first is None:
            return error(400, f"Invalid request: page_size must be 1 to {_MAX_PAGE}, bookmark that of an answer")
        mine = [each for each in self._requests if each.ad_account_id == request.path_params["ad_account_id"]]
        if asked.get("order") == "DESCENDING":
            mine.reverse()
        now, page = self._clock(), mine[first : first + size]
        following = b64encode(str(first + size).encode()).decode() if len(mine) > first + size else None
        return json_answer({"items": [each.shown(now) for each in page], "bookmark": following})

    def _get(self, request: Request, _: bytes) -> Response:
        found = self._find(request)
        return found if isinstance(found, Response) else json_answer(found.shown(self._clock()))

    def _cancel(self, request: Request, _: bytes) -> Response:
        found, now = self._find(request), self._clock()
        if isinstance(found, Response):
            return found
        if found.shown(now)["status"] != "PENDING":
            return error(400, "Invalid request: only a request that is PENDING can be cancelled, within 72 hours")
        found.cancelled_at = now
        return json_answer(found.shown(now))

    def _find(self, request: Request) -> DeletionRequest | Response:
        asked = request.path_params
        if not re.fullmatch(r"\d{1,18}", asked["request_id"]):
            return error(400, "Invalid request: request_id must be digits, at most 18")
        known = (each for each in self._requests if each.ad_account_id == asked["ad_account_id"])
        found = next((each for each in known if each.number == int(asked["request_id"])), None)
        return found or error(404, "Sorry! We could not find that conversion deletion request.")


def _targets(raw: bytes) -> dict[str, list[str]] | str:
    """Return the targets in a body, or its fault, without quoting values."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "the body is no JSON"
    if not isinstance(body, dict) or body.keys() != {"deletion_targets"}:
        return "the body must have deletion_targets, and nothing else"
    targets = body["deletion_targets"]
    if not isinstance(targets, dict) or not targets or not targets.keys() <= {"user_emails", "epiks"}:
        return "deletion_targets must have user_emails, epiks, or both, and nothing else"
    for name, values in targets.items():
        if not isinstance(values, list) or not values or not all(isinstance(each, str) and each for each in values):
            return f"{name} must be a list of at least one text"
    if not all(_EMAIL.fullmatch(each) for each in targets.get("user_emails", ())):
        return "user_emails must be e-mail addresses in plain text"
    return targets


def _place(bookmark: str | None) -> int | None:
    """Return the start of a page; `None` if the bookmark is invalid."""
    try:
        return int(b64decode(bookmark or "MA==", validate=True))
    except (NoBase64, ValueError):
        return None


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
