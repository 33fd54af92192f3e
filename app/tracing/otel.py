"""Traces by OpenTelemetry's SDK. Imported only where they are switched on.

No span holds personal data, a token or a payload: of an event its ids, as in the logs; of an exception its type;
of a request its route's pattern, never the path or the query.
Names follow https://opentelemetry.io/docs/specs/semconv/ (http, messaging); our own begin with `pinrelay.`.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec.structs import replace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.util.re import parse_env_headers
from prometheus_client import Metric
from starlette.types import ASGIApp

from app import __version__
from app.core.deliveries import Enqueued, NewDelivery, Withdrawal
from app.core.events import DEFAULT_SOURCE, DroppedEvent, Event, Tally
from app.core.people import PeopleChanges, PeopleFound
from app.core.receipts import Receipt
from app.errors import EventRefused, SettingsError
from app.pipeline.pipeline import Enqueues
from app.sender.context import CallReport
from app.source import Accepts
from app.tracing.call_spans import trace_call
from app.tracing.figures_and_lines import FigureExport, LineExport, for_a_while
from app.tracing.opening_spans import current, span
from app.tracing.requests import TracedRequests

#: A call of 1,000 deliveries makes as many spans at once, and several calls may end together.
QUEUE_SPANS: Final = 16_384
#: Between two exports of metrics, as OpenTelemetry has it.
INTERVAL_MS: Final = 60_000
#: How long the end of the process waits for the last export.
FLUSH_S: Final = 5.0


def exporting(environ: Mapping[str, str]) -> "OpenTelemetry":
    """Export in batches, from a thread, as the variables say. Raises SettingsError where they cannot be followed."""
    with _followed(environ):
        queue_spans = None if "OTEL_BSP_MAX_QUEUE_SIZE" in environ else QUEUE_SPANS
        return OpenTelemetry(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=queue_spans))


def figures_of(
    environ: Mapping[str, str], read: Callable[[], Awaitable[Iterable[Metric]]], *, clock: Callable[[], float]
) -> FigureExport:
    """Return what exports metrics, as the variables say. Raises SettingsError where they cannot be followed."""
    with _followed(environ):
        interval_s = int(environ.get("OTEL_METRIC_EXPORT_INTERVAL") or INTERVAL_MS) / 1_000
        if interval_s <= 0:
            raise SettingsError("OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds above 0")
        return FigureExport(read, _resource(), interval_s=interval_s, limit_s=FLUSH_S, clock=clock)


def lines_of(environ: Mapping[str, str], *, clock: Callable[[], float]) -> LineExport:
    """Return what exports the log, as the variables say. Raises SettingsError where they cannot be followed."""
    with _followed(environ):
        return LineExport(_resource(), clock=clock, flush_s=FLUSH_S)


@contextmanager
def _followed(environ: Mapping[str, str]) -> Iterator[None]:
    """Say by a SettingsError where the variables cannot be followed by what is made meanwhile."""
    _check_headers(environ)
    try:
        yield
    except (ValueError, OSError) as exc:
        raise SettingsError(f"OTEL_*: {exc}") from exc


def _resource() -> Resource:
    named = Resource.create({"service.name": "pinrelay", "service.version": __version__})
    return named.merge(OTELResourceDetector().detect())  # the environment's wins


def _check_headers(environ: Mapping[str, str]) -> None:
    """Judge headers before OpenTelemetry does, whose warning quotes what it cannot read, and with it a token."""
    logging.getLogger(parse_env_headers.__module__).setLevel(logging.ERROR)
    for signal in ("TRACES_", "METRICS_", "LOGS_", ""):
        name = f"OTEL_EXPORTER_OTLP_{signal}HEADERS"
        headers = list(filter(None, map(str.strip, environ.get(name, "").split(","))))
        if not all(parse_env_headers(header, liberal=True) for header in headers):
            raise SettingsError(f"{name}: must be NAME=VALUE,NAME=VALUE, each value URL-encoded")


class OpenTelemetry:
    """Makes spans of what passes; `app.tracing.Tracing` says where."""

    is_on = True

    def __init__(self, processor: SpanProcessor) -> None:
        resource = _resource()
        self._processor = processor
        self._requests = _tracer(processor, resource)
        # Whether a delivery is traced was decided at its request, also where that was another process.
        self._deliveries = _tracer(processor, resource, ALWAYS_ON)

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Open a span for each request, within the caller's trace where it names one."""
        return TracedRequests(app, self._requests)

    def accepts(self, accepts: Accepts) -> Accepts:
        """Open a span around reading, matching, mapping and keeping, with how many events left by which exit."""
        return _TracedAccepts(self._requests, accepts)

    def enqueues(self, outbox: Enqueues) -> Enqueues:
        """Open a span around the commit; it is the one that the deliveries' spans follow."""
        return _TracedEnqueues(self._requests, outbox)

    def on_call(self, report: CallReport) -> None:
        """Make the spans of a call."""
        trace_call(self._deliveries, report)

    async def close(self) -> None:
        """Export what is left; a collector that does not answer holds nothing up."""
        await for_a_while(self._processor.shutdown, FLUSH_S)


def _tracer(processor: SpanProcessor, resource: Resource, sampler: Sampler | None = None) -> Tracer:
    """Make a tracer; without a sampler the one that the environment names."""
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("pinrelay", __version__)


class _TracedAccepts:
    def __init__(self, tracer: Tracer, accepts: Accepts) -> None:
        self._tracer = tracer
        self._accepts = accepts

    async def accept(
        self,
        events: Iterable[Event | EventRefused],
        *,
        now: float,
        source: str = DEFAULT_SOURCE,
        is_proven: bool = False,
    ) -> Receipt:
        with span(self._tracer, "accept") as open_span:
            receipt = await self._accepts.accept(events, now=now, source=source, is_proven=is_proven)
            open_span.set_attributes({f"pinrelay.{exit_}": count for exit_, count in receipt.counts.items()})
            return receipt


class _TracedEnqueues:
    def __init__(self, tracer: Tracer, outbox: Enqueues) -> None:
        self._tracer = tracer
        self._outbox = outbox

    async def forget(self, keys: Sequence[str], *, again: Collection[str] = ()) -> int:
        return await self._outbox.forget(keys, again=again)

    async def wipe(self, texts: Collection[str]) -> None:
        await self._outbox.wipe(texts)

    async def withdraw(self, withdrawals: Sequence[Withdrawal], *, now: float) -> int:
        """Do `Outbox.withdraw`."""
        return await self._outbox.withdraw(withdrawals, now=now)

    async def people(self, keys: Sequence[str], *, browsers: Collection[str] = ()) -> PeopleFound:
        with span(self._tracer, "people"):
            return await self._outbox.people(keys, browsers=browsers)

    async def enqueue(
        self,
        deliveries: Sequence[NewDelivery],
        notes: Sequence[DroppedEvent],
        tallies: Sequence[Tally],
        *,
        now: float,
        people: PeopleChanges | None = None,
    ) -> list[Enqueued]:
        facts = {"messaging.batch.message_count": len(deliveries)}
        with span(self._tracer, "enqueue", kind=SpanKind.PRODUCER, attributes=facts):
            traceparent = current()
            if traceparent is not None:
                deliveries = [replace(delivery, traceparent=traceparent) for delivery in deliveries]
            return await self._outbox.enqueue(deliveries, notes, tallies, now=now, people=people)
