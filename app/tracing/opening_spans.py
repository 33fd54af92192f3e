"""Opening spans, and W3C's text of them: https://www.w3.org/TR/trace-context/#traceparent-header."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

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
