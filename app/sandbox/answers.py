"""Pinterest's responses: forms, codes and messages; and the check of tokens and accounts."""

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.sandbox.judge import Verdict
from app.sandbox.script import Step

_FAILED = "The action could not be processed properly due to some or all data provided being invalid."
#: status -> (Pinterest's code, its message).
_ERRORS = {
    400: (4196, "The request was invalid."),
    401: (2, "Authentication failed."),
    403: (29, "You are not permitted to access that resource."),
    429: (8, "This request exceeded a rate limit."),
    503: (4197, "The endpoint has been ramped down and is currently not accepting any traffic."),
}
_UNEXPECTED = (0, "Something unexpected happened.")


def error(status: int, message: str | None = None, *, retry_after: int | str | None = None) -> Response:
    """Return the response to a failed call; `message` replaces Pinterest's usual one."""
    code, usual = _ERRORS.get(status, _UNEXPECTED)
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return json_answer({"code": code, "message": message or usual}, status=status, headers=headers)


def results(verdicts: Sequence[Verdict]) -> Response:
    """Return the response with a result for each event, in order: 200 if all were processed, otherwise 422."""
    events = [
        {
            "status": "failed" if verdict.error else "processed",
            "error_message": verdict.error or None,
            "warning_message": verdict.warning or None,
        }
        for verdict in verdicts
    ]
    processed = sum(not verdict.error for verdict in verdicts)
    summary = {"num_events_received": len(events), "num_events_processed": processed, "events": events}
    if processed == len(events):
        return json_answer(summary)
    return json_answer({"code": 953, "message": _FAILED, "details": summary}, status=422)


def json_answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with this value as JSON."""
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")


_ACCOUNT: Final = re.compile(r"[0-9]{1,18}")


def token_shown(request: Request) -> str:
    """Return the access token of a request; "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def account_refusal(request: Request, ad_account_id: str | None) -> Response | None:
    """Check the ad account in the path against the sandbox's (`None`: any): 400 or 403."""
    asked = request.path_params["ad_account_id"]
    if not _ACCOUNT.fullmatch(asked):
        return error(400, "Invalid request: ad_account_id must be digits, at most 18")
    return error(403) if ad_account_id not in (None, asked) else None


class CutAnswer(Response):
    """Announces `answer`, sends half of it and cuts the connection; without an `answer` it only cuts."""

    def __init__(self, answer: Response | None) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        if self._answer:
            start = {"type": "http.response.start", "status": self._answer.status_code}
            await send({**start, "headers": self._answer.raw_headers})
            half = bytes(self._answer.body)[: len(self._answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
        _transport(receive).close()
        await receive()  # http.disconnect: from here on the server considers the connection lost and sends no more


def instead_of(usual: Response, step: Step) -> Response:
    """Return the response of a misbehaviour step, or the usual response."""
    if step.reset or step.half:
        return CutAnswer(usual if step.half else None)
    if step.body is not None:
        return Response(step.body, step.status or 200)
    return usual if step.status is None else error(step.status, retry_after=step.retry_after)


def _transport(receive: Receive) -> Any:
    """Return the connection below an ASGI call: uvicorn's `receive` is a method of the object with the connection."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("the sandbox cut the connection")
    return transport
