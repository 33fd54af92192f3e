"""Spans of requests and of calls to Pinterest, with W3C's text of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.deliveries import Delivered, Settlement
from app.insights.tracing import WATCHING_PATHS
from app.sender.context import CallReport

_W3C: Final = TraceContextTextMapPropagator()


@contextmanager
def span(
    tracer: Tracer,
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int] | None = None,
    parent: Context | None = None,
) -> Iterator[Span]:
    """Open a span around what is done, below `parent` or else the one that is open.

    Of an exception it tells the type only: its message may quote data.
    """
    with tracer.start_as_current_span(
        name, parent, kind, dict(attributes or {}), record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as exc:
            failed(opened, type(exc).__name__)
            raise


def failed(opened: Span, kind: str) -> None:
    """Mark a span as an error of this kind."""
    opened.set_attribute("error.type", kind)
    opened.set_status(StatusCode.ERROR)


def current() -> str | None:
    """Write the span that is open; None where it is not sampled, so that untraced events carry nothing."""
    if not get_current_span().get_span_context().trace_flags.sampled:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier["traceparent"]


def parent_of(traceparent: str) -> Context:
    """Read a text as the parent of a span; what cannot be read begins a trace of its own.

    Only `traceparent`: what others write into `tracestate` and `baggage` is theirs, and goes no further.
    """
    return _W3C.extract({"traceparent": traceparent}, Context())


PATH: Final = "/v5/ad_accounts/{ad_account_id}/events"
#: What is told as an error where no answer came.
NO_ANSWER: Final = "no_answer"


def trace_call(tracer: Tracer, report: CallReport) -> None:
    """Make spans of a call that was made, where any of its deliveries is traced."""
    parents = {
        text: parent_of(text) for text in dict.fromkeys(claimed.traceparent for claimed in report.claimed) if text
    }
    if not parents:
        return
    begun_ns, ended_ns = _ns(report.at), _ns(report.at + report.duration_s)
    links = [_link(parent) for parent in parents.values()]
    call = tracer.start_span(f"POST {PATH}", Context(), SpanKind.CLIENT, _facts(report), links, begun_ns)
    if report.status is None or report.status >= 400:  # noqa: PLR2004 - a client's and a server's errors
        failed(call, NO_ANSWER if report.status is None else str(report.status))
    call.end(ended_ns)
    to_call = [Link(call.get_span_context())]
    for settlement in report.settlements:
        parent = parents.get(settlement.claimed.traceparent or "")
        if parent is not None:
            _trace_delivery(tracer, settlement, parent, to_call, begun_ns, ended_ns)


def _facts(report: CallReport) -> dict[str, str | int]:
    facts: dict[str, str | int] = {
        "http.request.method": "POST",
        "url.template": PATH,
        "messaging.batch.message_count": len(report.claimed),
        "pinrelay.ad_account_id": report.ad_account_id,
    }
    return facts if report.status is None else facts | {"http.response.status_code": report.status}


def _trace_delivery(
    tracer: Tracer, settlement: Settlement, parent: Context, links: list[Link], begun_ns: int, ended_ns: int
) -> None:
    """Make the span of one attempt at one delivery."""
    claimed, outcome = settlement.claimed, settlement.outcome
    kind = type(outcome).__name__.lower()
    facts: dict[str, str | int] = {
        "pinrelay.preset": claimed.preset,
        "pinrelay.event_name": claimed.event_name,
        "pinrelay.event_id": claimed.event_id,
        "pinrelay.message_id": claimed.message_id,
        "pinrelay.attempt": claimed.attempt,
        "pinrelay.outcome": kind,
        "pinrelay.state": settlement.state.value,
    }
    if outcome.status is not None:
        facts["http.response.status_code"] = outcome.status
    attempt = tracer.start_span(f"deliver {claimed.preset}", parent, SpanKind.CONSUMER, facts, links, begun_ns)
    if not isinstance(outcome, Delivered):
        failed(attempt, kind)
    attempt.end(ended_ns)


def _link(parent: Context) -> Link:
    return Link(get_current_span(parent).get_span_context())


def _ns(at: float) -> int:
    return round(at * 1e9)


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
