"""Pinterest's answers: shapes, codes and words."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.responses import Response

from app.sandbox.judge import Verdict

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
    """Return the answer that the call failed as a whole; `message` replaces Pinterest's usual one."""
    code, usual = _ERRORS.get(status, _UNEXPECTED)
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return json_answer({"code": code, "message": message or usual}, status=status, headers=headers)


def results(verdicts: Sequence[Verdict]) -> Response:
    """Return the answer event by event, in order: 200 where all were processed, else 422."""
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
    """Return an HTTP answer with this value as JSON."""
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
