"""FastAPI as Pinrelay uses it."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__
from app.api.problems import of_path, problem
from app.config import Settings
from app.core.metrics import Metrics
from app.insights.tracing import Tracing
from app.source import INTERNAL_ERROR, OpenToPages, answer, answer_refusal, refusal_json
from app.source.openapi import RECORDS
from app.web.direct_routes import DirectRoutes
from app.web.openapi import LICENSE, add_details, describe_proofs


class Application(FastAPI):
    """FastAPI behind direct routes: requests are noted and traced, the busiest are answered by the shortest way."""

    def __init__(
        self,
        metrics: Metrics,
        tracing: Tracing,
        *,
        around: Callable[[ASGIApp], ASGIApp] = OpenToPages,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        """Take `around` all routes what decides who may ask, and into the OpenAPI document what has to be proven."""
        super().__init__(
            title="Pinrelay",
            version=__version__,
            docs_url=None,
            license_info=LICENSE,
            redoc_url=None,
            # It would export paths, queries and the words of exceptions, which hold personal data; ours does not.
            telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
            **options,
        )
        self.add_exception_handler(Exception, _unforeseen)
        self._settings = settings or Settings.model_construct()
        self._direct_routes = DirectRoutes(super().__call__, metrics, around=around)
        self._traced = tracing.requests(self._direct_routes)

    def include_busy_router(self, router: APIRouter) -> None:
        """Include a router whose endpoints take a Request only (see app/web/direct_routes.py)."""
        self.include_router(router)
        self._direct_routes.add(router)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with what its routes do not know: the records of raw bodies, and the proofs."""
        document = super().openapi()
        document["components"]["schemas"] |= RECORDS
        describe_proofs(document, self._settings)
        add_details(document)
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        await self._traced(scope, receive, send)


async def _unforeseen(request: Request, _: Exception) -> Response:
    """Return the answer to what a route fails with that is not busy; Starlette raises it again, for uvicorn's log."""
    if of_path(_path(request.scope)):
        return problem(INTERNAL_ERROR.status, INTERNAL_ERROR.message)
    return answer_refusal(INTERNAL_ERROR)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REMEDY = "POST events to /webhook or /v1/track; the console is at /console."
_NOT_FOUND = "There is nothing at this path."
_METHOD_NOT_ALLOWED = "This path does not take this method."
#: What is under /api, instead.
_API_REMEDY = "GET /openapi.json lists what there is."


def answer_unrouted(app: FastAPI) -> None:
    """Let the application answer paths and methods that it does not have as this module says."""

    async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
        told = answer(refusal_json("not_found", f"{_NOT_FOUND} {_REMEDY}"), 404)
        if of_path(_path(scope)):
            told = problem(404, f"{_NOT_FOUND} {_API_REMEDY}")
        await told(scope, receive, send)

    async def unknown_method(request: Request, _: Exception) -> Response:
        allow = {"Allow": ", ".join(_allowed(app, request.scope))}
        if of_path(_path(request.scope)):
            return problem(405, f"{_METHOD_NOT_ALLOWED} {_API_REMEDY}", headers=allow)
        return answer(refusal_json("method_not_allowed", f"{_METHOD_NOT_ALLOWED} {_REMEDY}"), 405, allow)

    app.router.default = unknown_path
    app.add_exception_handler(405, unknown_method)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _allowed(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods that the path takes: each has a route of its own, of which Starlette names the first only."""
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    return [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in app.routes)
    ]
