"""Where every request comes in: the shortest way to the handlers that receive events, and a note of each answer.

FastAPI knows and documents these routes like all others. But what it does around a handler (layers of middleware,
matching the path against every route, dependencies, exit stacks) is a third of the time of receiving one event, and
these handlers need none of it: they take a Request and return a Response. So a table has their paths, asked first.
"""

import logging
import time
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.log import log_request, logger
from app.core.metrics import Metrics
from app.insights.tracing import WATCHING_PATHS
from app.source import INTERNAL_ERROR, OpenToPages, answer_refusal


class DirectRoutes:
    """Calls the handlers of the routers that are added itself, and passes everything else on to `app`.

    Each request gives one log line and one observation; paths are logged by their pattern, never with a query. What a
    handler raises is answered like other errors; what fails in `app` is `app`'s to answer.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, around: Callable[[ASGIApp], ASGIApp] = OpenToPages) -> None:
        """Take the application in, which is given to `around`: what that returns decides who may ask."""
        self._app = app
        self._answer = around(self._route)
        self._metrics = metrics
        self._routes: dict[tuple[str, str], tuple[APIRoute, Callable[[Request], Awaitable[Response]]]] = {}

    def add(self, router: APIRouter) -> None:
        """Go straight to these routes.

        Every endpoint must take a Request, and nothing else, and return a Response. A path with a parameter is passed
        on, as is a method that its path does not take.
        """
        for route in router.routes:
            if isinstance(route, APIRoute) and not route.param_convertors:
                self._routes |= {(method, route.path): (route, route.endpoint) for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the request answered, and note how."""
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
        found = self._routes.get((scope["method"], scope["path"]))
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handle = found
        try:
            response = await handle(Request(scope, receive, send))
        except Exception as exc:  # noqa: BLE001 - whatever it is, its sender is told, and can come again
            logger().error("unexpected error", route=found[0].path, exc_info=exc)
            response = answer_refusal(INTERNAL_ERROR)
        await response(scope, receive, send)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        """Count and log a request; `source` is the name of a write key, never the key."""
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.observe_request(route, status, duration_s)
        state = scope.get("state", {})
        named = {name: state[name] for name in ("source", "why") if state.get(name)}
        if status == 503:  # noqa: PLR2004 - Service Unavailable
            self._metrics.refused_for_outbox(named.get("why", "other"))
        level = logging.DEBUG if route in WATCHING_PATHS else logging.INFO
        log_request(level, method=scope["method"], route=route, status=status, duration_s=duration_s, **named)


class _Watched:
    """Sends on, and keeps the status that is sent; 500 where none is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
