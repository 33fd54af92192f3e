"""The spans of a call to Pinterest: its own, and one for each delivery within the delivery's trace.

A call carries deliveries of many traces, so it cannot stand in one of them: they are linked.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#batch-receiving
"""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Tracer, get_current_span

from app.core.deliveries import Delivered, Settlement
from app.sender.context import CallReport
from app.tracing.opening_spans import failed, parent_of

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
