"""FastAPI with a table of busy routes, which bypass the layers of the framework.

The entry point of all requests: the shortest path to the handlers of events, and a log line for each response.

FastAPI registers and documents these routes like all others. But its work around a handler (layers of middleware,
matching the path against every route, dependencies, exit stacks) takes a third of the time of receiving an event, and
these handlers do not need it: they take a Request and return a Response. So a table with their paths is searched first.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.api.problems import of_path, problem
from app.config import Settings
from app.core.log import log_request, logger
from app.core.metrics import Metrics
from app.core.refusals import REFUSED_STATUSES, RefusedRequest
from app.insights.tracing import WATCHING_PATHS, Tracing
from app.source.browser import OpenToPages
from app.source.openapi import RECORDS
from app.source.responses import INTERNAL_ERROR, Handler, answer, answer_refusal, refusal_json
from app.web.openapi import LICENSE, add_details, describe_proofs

_Found: TypeAlias = tuple[APIRoute, Handler]


class DirectRoutes:
    """Calls the handlers of registered routers directly, and passes all other requests to `app`.

    Each request has a log line and an observation; paths are logged by their pattern, never with a query. Exceptions of
    a handler are answered like other errors; `app` handles its own exceptions.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        around: Callable[[ASGIApp], ASGIApp] = OpenToPages,
    ) -> None:
        """Wrap the application with `around`, which controls access."""
        self._app = app
        self._answer = around(self._route)
        self._metrics = metrics
        self._routes: dict[tuple[str, str], _Found] = {}
        #: By the start of a path: the name of its last parameter.
        self._parameters: dict[str, str] = {}

    def add(self, router: APIRouter) -> None:
        """Register routes for direct calls.

        Every endpoint must only take a Request and return a Response. A path may end with a parameter; routes with a
        parameter elsewhere, and other methods, are passed on.
        """
        for route in router.routes:
            if isinstance(route, APIRoute) and "{" not in route.path.rpartition("/")[0]:
                self._routes |= {(method, route.path): (route, route.endpoint) for method in route.methods or ()}
                self._parameters |= {route.path.rpartition("/")[0]: name for name in route.param_convertors}

    def _found(self, scope: Scope) -> _Found | None:
        """Return the route of a request and its handler; `None` if it is not registered."""
        method, path = scope["method"], scope["path"]
        if (found := self._routes.get((method, path))) is not None:
            return found
        head, _, last = path.rpartition("/")
        name = self._parameters.get(head)
        if not (name and last):
            return None
        scope["path_params"] = {name: last}
        return self._routes.get((method, f"{head}/{{{name}}}"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watched = _Watched(send)
        begun = time.perf_counter()
        try:
            await self._answer(scope, receive, watched)
        finally:
            self._note(scope, watched.status, time.perf_counter() - begun)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        route, handle = found
        scope["route"] = route
        try:
            response = await handle(Request(scope, receive))
        except Exception as exc:  # noqa: BLE001 - whatever it is, its sender is told, and can come again
            logger().error("unexpected error", route=route.path, exc_info=exc)
            response = answer_refusal(INTERNAL_ERROR)
        await response(scope, receive, send)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        """Count and log a request; `source` is the name of a write key, never the key."""
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.observe_request(route, status, duration_s)
        state = scope.get("state", {})
        named = {name: state[name] for name in ("source", "why") if state.get(name)}
        if status in REFUSED_STATUSES and "refused" in state:
            source, check = state["refused"]
            self._metrics.refused_request(
                RefusedRequest(named.get("source", source), status, check.cause, check.setting)
            )
            named |= {"check": check.cause, "setting": check.setting}
        if status == 503:  # noqa: PLR2004 - Service Unavailable
            self._metrics.refused_for_outbox(named.get("why", "other"))
        level = logging.DEBUG if route in WATCHING_PATHS else logging.INFO
        log_request(level, method=scope["method"], route=route, status=status, duration_s=duration_s, **named)


class _Watched:
    """Sends messages on, and stores the status that was sent; 500 without one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class Application(FastAPI):
    """FastAPI with direct routes: requests are logged and traced, and busy routes are called directly."""

    def __init__(
        self,
        metrics: Metrics,
        tracing: Tracing,
        *,
        around: Callable[[ASGIApp], ASGIApp] = OpenToPages,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        """Wrap all routes with `around`, which controls access.

        The OpenAPI document describes the authentication that the `settings` require.
        """
        super().__init__(
            title="Pinrelay",
            version=__version__,
            docs_url=None,
            license_info=LICENSE,
            redoc_url=None,
            # FastAPI's telemetry would export paths, queries and exception messages, which contain personal data; ours
            # does not.
            telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
            **options,
        )
        self.add_exception_handler(Exception, _unforeseen)
        self._settings = settings or Settings.model_construct()
        self._direct_routes = DirectRoutes(super().__call__, metrics, around=around)
        self._traced = tracing.requests(self._direct_routes)

    def include_busy_router(self, router: APIRouter) -> None:
        """Include a router whose endpoints only take a Request (see app/web/application.py)."""
        self.include_router(router)
        self._direct_routes.add(router)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, with the records of raw bodies and the authentication.

        The routes do not describe these.
        """
        document = super().openapi()
        document["components"]["schemas"] |= RECORDS
        describe_proofs(document, self._settings)
        add_details(document)
        return document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to an HTTP request."""
        await self._traced(scope, receive, send)


async def _unforeseen(request: Request, _: Exception) -> Response:
    """Return the response to an unexpected error of a route that is not busy.

    Starlette raises the error again for uvicorn's log.
    """
    if of_path(_path(request.scope)):
        return problem(INTERNAL_ERROR.status, INTERNAL_ERROR.message)
    return answer_refusal(INTERNAL_ERROR)


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REMEDY = "POST events to /webhook or /v1/track; the console is at /console."
_NOT_FOUND = "There is nothing at this path."
_METHOD_NOT_ALLOWED = "This path does not take this method."
#: The remedy for paths under /api.
_API_REMEDY = "GET /openapi.json lists what there is."


def answer_unrouted(app: FastAPI) -> None:
    """Register the responses to unknown paths and methods."""

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
    """Return the methods of a path: each has its own route, of which Starlette only reports the first."""
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    return [
        method
        for method in _METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in app.routes)
    ]
