"""The span of a request: the caller's trace, the route's pattern, no path, no words of an exception."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from starlette.types import Scope

from app.insights.tracing.otel import OpenTelemetry

SECRET = "jane@example.com"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def ask(tracing: OpenTelemetry, path: str, **headers: str) -> None:
    app = FastAPI()

    @app.get("/messages/{message_id}")
    async def message(message_id: str) -> Response:
        if message_id == "broken":
            raise RuntimeError(SECRET)
        return Response(status_code=503 if message_id == "full" else 200)

    @app.get("/healthz")
    async def healthz() -> None: ...

    traced = tracing.requests(app)
    transport = httpx.ASGITransport(app=traced, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        await http.get(path, headers=headers)


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


async def test_it_is_named_by_the_routes_pattern(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    await ask(tracing, f"/messages/{SECRET}?q={SECRET}")
    span = only(spans)
    assert (span.name, span.kind) == ("GET /messages/{message_id}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/messages/{message_id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert SECRET not in span.to_json()


async def test_a_path_without_a_route_is_not_told(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    await ask(tracing, f"/{SECRET}")
    assert (only(spans).name, (only(spans).attributes or {})["http.response.status_code"]) == ("GET", 404)
    assert SECRET not in only(spans).to_json()


async def test_it_goes_on_with_the_callers_trace(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    await ask(tracing, "/messages/1", traceparent=CALLER)
    parent = only(spans).parent
    assert parent
    assert f"00-{parent.trace_id:032x}-{parent.span_id:016x}-01" == CALLER


@pytest.mark.parametrize("text", ["", "00-0-0-01", "no trace", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_what_is_no_trace_context_begins_a_trace(
    tracing: OpenTelemetry, spans: InMemorySpanExporter, text: str
) -> None:
    await ask(tracing, "/messages/1", traceparent=text)
    assert only(spans).parent is None


@pytest.mark.parametrize(("path", "kind"), [("/messages/full", "503"), ("/messages/broken", "RuntimeError")])
async def test_a_failure_is_told_by_its_kind_only(
    tracing: OpenTelemetry, spans: InMemorySpanExporter, path: str, kind: str
) -> None:
    await ask(tracing, path)
    span = only(spans)
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, kind)
    assert (span.events, span.status.description) == ((), None)
    assert SECRET not in span.to_json()


async def test_what_looks_after_the_process_is_not_traced(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    await ask(tracing, "/healthz")
    assert spans.get_finished_spans() == ()


async def test_what_is_no_request_passes(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    seen: list[str] = []

    async def app(scope: Scope, *_: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any: ...

    await tracing.requests(app)({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]
    assert spans.get_finished_spans() == ()
