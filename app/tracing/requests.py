"""The span of a request. What OpenTelemetry has for ASGI would export paths and queries, which hold personal data."""

from opentelemetry.trace import SpanKind, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.tracing import WATCHING_PATHS
from app.tracing.opening_spans import failed, parent_of, span

#: Asked all the time by whatever looks after the process.


class TracedRequests:
    """Middleware: one span a request, named by the route's pattern."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on within its span."""
        if scope["type"] != "http" or scope["path"] in WATCHING_PATHS:
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        caller = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        facts = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with span(self._tracer, method, kind=SpanKind.SERVER, attributes=facts, parent=parent_of(caller)) as opened:

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    opened.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:  # noqa: PLR2004 - a server's errors
                        failed(opened, str(message["status"]))
                await send(message)

            try:
                await self._app(scope, receive, watch)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    opened.update_name(f"{method} {route}")
                    opened.set_attribute("http.route", route)
