"""Traces, metrics and logs by OpenTelemetry's SDK. Only imported if enabled."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import export as otel
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers
from prometheus_client import Metric
from prometheus_client.samples import Sample
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__
from app.core.deliveries import Delivered, Settlement
from app.core.events import Outcome
from app.core.log import log_error, log_takers
from app.errors import OutboxUnavailable, SettingsError
from app.insights.tracing import WATCHING_PATHS, Tracing
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
    """Open a span for a block, below `parent` or the current span.

    Of an exception only the type is recorded, because its message may quote data.
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
    """Return the current span as a traceparent; `None` if it is not sampled, so that untraced events carry no data."""
    if not get_current_span().get_span_context().trace_flags.sampled:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier["traceparent"]


def parent_of(traceparent: str) -> Context:
    """Parse a text as the parent of a span; an invalid text starts a new trace.

    Only `traceparent` is read: `tracestate` and `baggage` belong to others and are not forwarded.
    """
    return _W3C.extract({"traceparent": traceparent}, Context())


PATH: Final = "/v5/ad_accounts/{ad_account_id}/events"
#: The error type of a call without a response.
NO_ANSWER: Final = "no_answer"


def trace_call(tracer: Tracer, report: CallReport) -> None:
    """Create spans of a call if any of its deliveries is traced."""
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
    """Create the span of an attempt at a delivery."""
    claimed, result = settlement.claimed, settlement.result
    kind = type(result).__name__.lower()
    facts: dict[str, str | int] = {
        "pinrelay.preset": claimed.preset,
        "pinrelay.event_name": claimed.event_name,
        "pinrelay.event_id": claimed.event_id,
        "pinrelay.message_id": claimed.message_id,
        "pinrelay.attempt": claimed.attempt,
        "pinrelay.result": kind,
        "pinrelay.state": settlement.state.value,
    }
    if result.status is not None:
        facts["http.response.status_code"] = result.status
    attempt = tracer.start_span(f"deliver {claimed.preset}", parent, SpanKind.CONSUMER, facts, links, begun_ns)
    if not isinstance(result, Delivered):
        failed(attempt, kind)
    attempt.end(ended_ns)


def _link(parent: Context) -> Link:
    return Link(get_current_span(parent).get_span_context())


def _ns(at: float) -> int:
    return round(at * 1e9)


class TracedRequests:
    """Middleware that creates a span for each request, named by the route's pattern."""

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


#: Metrics that have a name in OpenTelemetry's semantic conventions.
OTEL_METRICS: Final = {
    "pinrelay_request_seconds": "http.server.request.duration",
    "pinrelay_pinterest_call_seconds": "http.client.request.duration",
}
#: Units by the last word of a metric's name; a count has its object in braces.
_UNITS: Final = {
    "seconds": "s",
    "bytes": "By",
    **{f"{each}s": f"{{{each}}}" for each in ("call", "event", "request", "warning")},
    "deliveries": "{delivery}",
}
_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}
_CUMULATIVE: Final = otel.AggregationTemporality.CUMULATIVE
_NS: Final = 1_000_000_000


async def for_a_while(work: Callable[[], object], limit_s: float) -> None:
    """Run work in a thread and wait at most `limit_s` for it; the thread may continue."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, limit_s)


class FigureExport:
    """Exports the result of `read` every `interval_s`, and once more at the end."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Iterable[Metric]]],
        resource: Resource,
        *,
        interval_s: float,
        limit_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Set the time limit of an export; `resource` identifies the process."""
        self._read = read
        self._limit_s = limit_s
        # Processes with the same name are separate instances, because each has its own counters.
        self._resource = Resource({"service.instance.id": str(uuid4())}).merge(resource)
        self._interval_s = interval_s
        self._clock = clock
        self._began_ns = int(clock() * _NS)
        self._exporter = OTLPMetricExporter()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Export until stopped; a failed export is repeated in the next interval."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._interval_s)
            try:
                data = self._data(await self._read())
            except OutboxUnavailable as exc:
                log_error(exc)
            else:
                await for_a_while(partial(self._exporter.export, data), self._limit_s)

    def stop(self) -> None:
        self._stopping.set()

    def _data(self, families: Iterable[Metric]) -> otel.MetricsData:
        now_ns = int(self._clock() * _NS)
        metrics = [
            otel.Metric(OTEL_METRICS.get(each.name, each.name), each.documentation, _unit(each.name), data)
            for each in families
            if (data := self._points(each, now_ns)).data_points
        ]
        scope = otel.ScopeMetrics(InstrumentationScope("pinrelay", __version__), metrics, "")
        return otel.MetricsData([otel.ResourceMetrics(self._resource, [scope], "")])

    def _points(self, family: Metric, now_ns: int) -> otel.Sum | otel.Gauge | otel.Histogram:
        if family.type == "histogram":
            return otel.Histogram(list(self._histograms(family, now_ns)), _CUMULATIVE)
        points = [
            otel.NumberDataPoint(each.labels, self._began_ns, now_ns, float(each.value))
            for each in family.samples
            if not each.name.endswith("_created")
        ]
        return otel.Gauge(points) if family.type == "gauge" else otel.Sum(points, _CUMULATIVE, is_monotonic=True)

    def _histograms(self, family: Metric, now_ns: int) -> Iterator[otel.HistogramDataPoint]:
        """Yield a point for each set of labels; its samples are adjacent, and its buckets are cumulative."""
        for labels, samples in groupby(family.samples, key=_labels_of_point):
            by_name: dict[str, list[Sample]] = {}
            for each in samples:
                by_name.setdefault(each.name.removeprefix(f"{family.name}_"), []).append(each)
            buckets = by_name["bucket"]
            upto = [int(each.value) for each in buckets]
            yield otel.HistogramDataPoint(
                attributes={OTEL_NAMES.get(label, label): value for label, value in labels},
                start_time_unix_nano=self._began_ns,
                time_unix_nano=now_ns,
                count=upto[-1],
                sum=by_name["sum"][0].value,
                bucket_counts=[count - before for count, before in zip(upto, [0, *upto], strict=False)],
                explicit_bounds=[float(each.labels["le"]) for each in buckets[:-1]],
                min=None,  # type: ignore[arg-type] # not known, and the protocol can leave it out
                max=None,  # type: ignore[arg-type]
            )


def _labels_of_point(sample: Sample) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in sample.labels.items() if name != "le")


def _unit(name: str) -> str:
    """Return the unit of a metric in UCUM, the code of OpenTelemetry; it is the last word of the name."""
    return _UNITS.get(name.rpartition("_")[2], "1")


class LineExport:
    """Exports each line of the log from a thread, until it is closed."""

    def __init__(self, resource: Resource, *, clock: Callable[[], float], flush_s: float) -> None:
        self._provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        self._logger = self._provider.get_logger("pinrelay", __version__)
        self._clock = clock
        self._flush_s = flush_s
        log_takers.append(self._take)

    async def close(self) -> None:
        """Export the remaining lines; an unresponsive collector does not block the shutdown."""
        log_takers.remove(self._take)
        await for_a_while(self._provider.shutdown, self._flush_s)

    def _take(self, entry: Mapping[str, Any]) -> None:
        record = entry.get("_record")
        if isinstance(record, logging.LogRecord) and record.name.startswith(("opentelemetry", "urllib3")):
            return  # log lines of the export itself would be exported forever
        level = str(entry.get("level", "info"))
        facts = {
            OTEL_NAMES.get(name, name): value if isinstance(value, str | bool | int | float) else str(value)
            for name, value in entry.items()
            if value is not None and name[0] != "_"
        }
        for told_otherwise in ("event", "level", "timestamp"):
            facts.pop(told_otherwise, None)
        trace_id, span_id = facts.pop("trace_id", None), facts.pop("span_id", None)
        self._logger.emit(
            context=parent_of(f"00-{trace_id}-{span_id}-01") if trace_id else None,
            timestamp=int(self._clock() * _NS),
            severity_number=_SEVERITIES.get(level, SeverityNumber.ERROR),
            severity_text=level.upper(),
            body=str(entry.get("event", "")),
            attributes=facts,
        )


#: Fields of the log that OpenTelemetry's semantic conventions have names for; docs/telemetry.md lists them.
OTEL_NAMES: Final = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "error": "exception.type",
    "places": "exception.stacktrace",
    "pid": "process.pid",
    "exit_code": "process.exit.code",
}


#: A call with 1,000 deliveries creates as many spans at once, and several calls may end together.
QUEUE_SPANS: Final = 16_384
#: The interval of metrics exports, OpenTelemetry's default.
INTERVAL_MS: Final = 60_000
#: How long the end of the process waits for the last export.
FLUSH_S: Final = 5.0


def exporting(environ: Mapping[str, str]) -> "OpenTelemetry":
    """Export in batches, from a thread, according to the variables. Raises SettingsError if they are invalid."""
    with _followed(environ):
        queue_spans = None if "OTEL_BSP_MAX_QUEUE_SIZE" in environ else QUEUE_SPANS
        return OpenTelemetry(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=queue_spans))


def figures_of(
    environ: Mapping[str, str], read: Callable[[], Awaitable[Iterable[Metric]]], *, clock: Callable[[], float]
) -> FigureExport:
    """Return the exporter of metrics according to the variables. Raises SettingsError if they are invalid."""
    with _followed(environ):
        interval_s = int(environ.get("OTEL_METRIC_EXPORT_INTERVAL") or INTERVAL_MS) / 1_000
        if interval_s <= 0:
            raise SettingsError("OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds above 0")
        return FigureExport(read, _resource(), interval_s=interval_s, limit_s=FLUSH_S, clock=clock)


def lines_of(environ: Mapping[str, str], *, clock: Callable[[], float]) -> LineExport:
    """Return the exporter of log lines according to the variables. Raises SettingsError if they are invalid."""
    with _followed(environ):
        return LineExport(_resource(), clock=clock, flush_s=FLUSH_S)


@contextmanager
def _followed(environ: Mapping[str, str]) -> Iterator[None]:
    """Convert errors about invalid variables in the block to a SettingsError."""
    _check_headers(environ)
    try:
        yield
    except (ValueError, OSError) as exc:
        raise SettingsError(f"OTEL_*: {exc}") from exc


def _resource() -> Resource:
    named = Resource.create({"service.name": "pinrelay", "service.version": __version__})
    return named.merge(OTELResourceDetector().detect())  # the environment's values win


def _check_headers(environ: Mapping[str, str]) -> None:
    """Check headers before OpenTelemetry does, because its warning quotes unreadable headers, and with them a token."""
    logging.getLogger(parse_env_headers.__module__).setLevel(logging.ERROR)
    for signal in ("TRACES_", "METRICS_", "LOGS_", ""):
        name = f"OTEL_EXPORTER_OTLP_{signal}HEADERS"
        headers = list(filter(None, map(str.strip, environ.get(name, "").split(","))))
        if not all(parse_env_headers(header, liberal=True) for header in headers):
            raise SettingsError(f"{name}: must be NAME=VALUE,NAME=VALUE, each value URL-encoded")


class OpenTelemetry(Tracing):
    """Creates spans for requests, steps and calls."""

    is_on = True

    def __init__(self, processor: SpanProcessor) -> None:
        resource = _resource()
        self._processor = processor
        self._requests = _tracer(processor, resource)
        # The request decides whether a delivery is traced, even if another process received it.
        self._deliveries = _tracer(processor, resource, ALWAYS_ON)

    def requests(self, app: ASGIApp) -> ASGIApp:
        return TracedRequests(app, self._requests)

    def span(
        self, name: str, *, attributes: Mapping[str, str | int] | None = None, is_producer: bool = False
    ) -> AbstractContextManager[Span]:
        kind = SpanKind.PRODUCER if is_producer else SpanKind.INTERNAL
        return span(self._requests, name, kind=kind, attributes=attributes)

    def set_counts(self, counts: Mapping[Outcome, int]) -> None:
        get_current_span().set_attributes({f"pinrelay.{outcome}": count for outcome, count in counts.items()})

    def traceparent(self) -> str | None:
        return current()

    def on_call(self, report: CallReport) -> None:
        trace_call(self._deliveries, report)

    async def close(self) -> None:
        await for_a_while(self._processor.shutdown, FLUSH_S)


def _tracer(processor: SpanProcessor, resource: Resource, sampler: Sampler | None = None) -> Tracer:
    """Return a tracer; without a sampler, with that of the environment."""
    provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("pinrelay", __version__)
