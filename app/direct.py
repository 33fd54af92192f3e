"""The shortest way to the handlers that receive events.

FastAPI knows and documents these routes like all others. But what it does around a handler (layers of middleware,
matching the path against every route, dependencies, exit stacks) is a third of the time of receiving one event, and
these handlers need none of it: they take a Request and give a Response. So their paths are looked up in a table first.
"""

from collections.abc import Awaitable, Callable  # noqa: TC003 - kept out of a type-checking block like everywhere else

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send


class DirectRoutes:
    """Calls the handlers of the routers that are added itself, and passes everything else on to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: dict[tuple[str, str], tuple[APIRoute, Callable[[Request], Awaitable[Response]]]] = {}

    def add(self, router: APIRouter) -> None:
        """Go straight to these routes.

        Every endpoint must take a Request, and nothing else, and answer a Response. A path with a parameter is passed
        on, as is a method that its path does not take.
        """
        for route in router.routes:
            if isinstance(route, APIRoute) and not route.param_convertors:
                self._routes |= {(method, route.path): (route, route.endpoint) for method in route.methods or ()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        found = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handle = found
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)
