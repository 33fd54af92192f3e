"""Traces that are kept in memory."""

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.insights.tracing.otel import OpenTelemetry


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What was exported: `spans.get_finished_spans()`, in the order in which they ended."""
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> OpenTelemetry:
    return OpenTelemetry(SimpleSpanProcessor(spans))
