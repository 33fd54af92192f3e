"""What browsers must be told before they let a page's SDK call another host.

Since 2026 analytics-next sends `authorization`, for which a browser asks first (analytics-next, pull request 1342).
"""

from fastapi import Request, Response
from starlette.types import Scope

from app.source.refusal import INTERNAL_ERROR
from app.source.responses import answer_refusal

#: The tag of the routes that pages of any site may call.
TRACKING = "tracking"

#: On every answer. No cookie is ever used, so any page may call; the write key says whose events they are.
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after"}

#: `anonymousid` is what RudderStack's browser SDK sends.
_PREFLIGHT = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, x-retry-count, anonymousid",
    "Access-Control-Max-Age": "86400",
}


async def preflight(_: Request) -> Response:
    """Allow what SDKs send."""
    return Response(status_code=204, headers=_PREFLIGHT)


def answer_unforeseen(scope: Scope) -> Response:
    """Answer an HTTP request whose handler failed as no code foresees; a page may read it like all other answers."""
    response = answer_refusal(INTERNAL_ERROR)
    if TRACKING in getattr(scope.get("route"), "tags", ()):
        response.headers.update(ANY_ORIGIN)
    return response
