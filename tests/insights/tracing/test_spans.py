"""A call's span, linked to its deliveries; each attempt's span in the delivery's own trace, linked to the call."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.core.deliveries import Blocked, CallResult, Claimed, Delivered, Rejected, Retry, Settlement, State
from app.insights.tracing.otel import OpenTelemetry
from app.sender.context import CallReport
from tests.sender.claims import a_claim

AT = 1_800_000_000.25
FIRST = "00-" + "a" * 32 + "-" + "1" * 16 + "-01"
SECOND = "00-" + "b" * 32 + "-" + "2" * 16 + "-01"
CALL = "POST /v5/ad_accounts/{ad_account_id}/events"


def claimed(event_id: str, traceparent: str | None) -> Claimed:
    return a_claim(
        delivery_id=event_id,
        preset="Lead",
        message_id=f"m-{event_id}",
        event_name="lead",
        event_id=event_id,
        payload=b'{"user_data":{"client_ip_address":"203.0.113.9"}}',
        attempt=2,
        traceparent=traceparent,
    )


def report(*carried: Claimed, result: CallResult | None = None, status: int | None = 200) -> CallReport:
    """A call of half a second; `result` None is one that was refused whole."""
    settled = [Settlement(claimed=each, result=result, state=State.DELIVERED) for each in carried if result]
    return CallReport(
        at=AT,
        duration_s=0.5,
        status=status,
        claimed=carried,
        result=[result] * len(carried) if result else Rejected(reason="refused", status=400),
        settlements=settled,
    )


def context(span: ReadableSpan) -> str:
    assert span.context
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


def parent(span: ReadableSpan) -> str:
    assert span.parent
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01"


def links(span: ReadableSpan) -> list[str]:
    return [f"00-{link.context.trace_id:032x}-{link.context.span_id:016x}-01" for link in span.links]


async def test_each_traced_delivery_has_its_span_in_its_own_trace(
    tracing: OpenTelemetry, spans: InMemorySpanExporter
) -> None:
    carried = (claimed("e-1", FIRST), claimed("e-2", None), claimed("e-3", SECOND), claimed("e-4", FIRST))
    tracing.on_call(report(*carried, result=Delivered()))

    call, *attempts = spans.get_finished_spans()
    assert (call.name, call.kind, call.parent, links(call)) == (CALL, SpanKind.CLIENT, None, [FIRST, SECOND])
    assert (call.attributes or {})["messaging.batch.message_count"] == 4
    assert [(span.name, parent(span)) for span in attempts] == [
        ("deliver Lead", FIRST),
        ("deliver Lead", SECOND),
        ("deliver Lead", FIRST),
    ]
    for span in attempts:
        assert links(span) == [context(call)]
        assert (
            (span.start_time, span.end_time)
            == (call.start_time, call.end_time)
            == (round(AT * 1e9), round((AT + 0.5) * 1e9))
        )


async def test_an_attempt_has_the_facts_of_its_log_line_and_no_payload(
    tracing: OpenTelemetry, spans: InMemorySpanExporter
) -> None:
    tracing.on_call(report(claimed("e-1", FIRST), result=Delivered()))
    _, attempt = spans.get_finished_spans()
    assert dict(attempt.attributes or {}) == {
        "pinrelay.preset": "Lead",
        "pinrelay.event_name": "lead",
        "pinrelay.event_id": "e-1",
        "pinrelay.message_id": "m-e-1",
        "pinrelay.attempt": 2,
        "pinrelay.result": "delivered",
        "pinrelay.state": "delivered",
        "http.response.status_code": 200,
    }
    assert "203.0.113.9" not in "".join(span.to_json() for span in spans.get_finished_spans())


@pytest.mark.parametrize(
    ("result", "status", "call_error", "kind"),
    [
        (Retry(reason="jane@example.com", status=503), 503, "503", "retry"),
        (Retry(reason="jane@example.com"), None, "no_answer", "retry"),
        (Rejected(reason="jane@example.com", status=422), 422, "422", "rejected"),
        (Blocked(reason="jane@example.com", status=401), 401, "401", "blocked"),
    ],
    ids=["refused for now", "no answer", "rejected", "blocked"],
)
async def test_a_failure_is_told_by_its_kind_and_never_in_words(
    tracing: OpenTelemetry, spans: InMemorySpanExporter, result: Any, status: int | None, call_error: str, kind: str
) -> None:
    tracing.on_call(report(claimed("e-1", FIRST), result=result, status=status))
    found = spans.get_finished_spans()
    assert [(span.attributes or {})["error.type"] for span in found] == [call_error, kind]
    assert {(span.attributes or {}).get("http.response.status_code") for span in found} == {status}
    assert {span.status.status_code for span in found} == {StatusCode.ERROR}
    assert "jane@example.com" not in "".join(span.to_json() for span in found)


async def test_a_call_that_was_refused_whole_is_no_attempt(tracing: OpenTelemetry, spans: InMemorySpanExporter) -> None:
    tracing.on_call(report(claimed("e-1", FIRST), claimed("e-2", SECOND), status=400))
    (call,) = spans.get_finished_spans()
    assert (call.name, links(call)) == (CALL, [FIRST, SECOND])


async def test_a_call_without_a_traced_delivery_leaves_no_span(
    tracing: OpenTelemetry, spans: InMemorySpanExporter
) -> None:
    tracing.on_call(report(claimed("e-1", None), result=Delivered()))
    assert spans.get_finished_spans() == ()


async def test_a_traced_delivery_is_traced_whatever_the_sampler_of_new_traces_says(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    tracing = OpenTelemetry(SimpleSpanProcessor(spans))
    tracing.on_call(report(claimed("e-1", FIRST), result=Delivered()))
    assert len(spans.get_finished_spans()) == 2
