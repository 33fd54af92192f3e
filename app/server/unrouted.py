"""What is answered where nothing is: an unknown path, or a known one with another method.

    GET /webhok    404 {"code": "not_found", "message": "... POST events to /webhook ...", "error": "..."}
    GET /webhook   405 {"code": "method_not_allowed", ...}, and `Allow: POST, PUT, PATCH`

It has the shape of the other errors that senders of events get. Pages of the console that do not exist are the
console's own.
"""

from fastapi import FastAPI, Request, Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.source import answer, refusal_json

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REMEDY = "POST events to /webhook or /v1/track; the console is at /console."
_NOT_FOUND = refusal_json("not_found", f"There is nothing at this path. {_REMEDY}")
_METHOD_NOT_ALLOWED = refusal_json("method_not_allowed", f"This path does not take this method. {_REMEDY}")


def answer_unrouted(app: FastAPI) -> None:
    """Let the application answer paths and methods that it does not have as this module says."""

    async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(_NOT_FOUND, 404)(scope, receive, send)

    async def unknown_method(request: Request, _: Exception) -> Response:
        return answer(_METHOD_NOT_ALLOWED, 405, {"Allow": ", ".join(_allowed(app, request.scope))})

    app.router.default = unknown_path
    app.add_exception_handler(405, unknown_method)


def _allowed(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods that the path takes: each has a route of its own, of which Starlette names the first only."""
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    return [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in app.routes)
    ]
