"""Metrics and logs by OTLP, beside traces: what /metrics shows of this process, and each line of its log.

Imported only where one of them is switched on. Nothing is in them that /metrics and the log do not have.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import export as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric
from prometheus_client.samples import Sample

from app import __version__
from app.core.log import log_error, log_takers
from app.errors import OutboxUnavailable

_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}
_CUMULATIVE: Final = otel.AggregationTemporality.CUMULATIVE
_NS: Final = 1_000_000_000


async def for_a_while(work: Callable[[], object], limit_s: float) -> None:
    """Do work in a thread that holds nothing up: after `limit_s` it may go on, but nobody waits for it."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, limit_s)


class FigureExport:
    """Exports every `interval_s` what `read` returns of this process, and once more at the end."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Iterable[Metric]]],
        resource: Resource,
        *,
        interval_s: float,
        limit_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Take how long is waited for one export; `resource` says whose metrics they are."""
        self._read = read
        self._limit_s = limit_s
        # Several processes of one name are told apart: each has counters of its own.
        self._resource = Resource({"service.instance.id": str(uuid4())}).merge(resource)
        self._interval_s = interval_s
        self._clock = clock
        self._began_ns = int(clock() * _NS)
        self._exporter = OTLPMetricExporter()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Export until it is stopped; a collector that does not answer is tried again at the next turn."""
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
        """End `run` after one more export."""
        self._stopping.set()

    def _data(self, families: Iterable[Metric]) -> otel.MetricsData:
        now_ns = int(self._clock() * _NS)
        metrics = [
            otel.Metric(each.name, each.documentation, "", data)
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
        """Yield a point for each set of labels; its samples stand together, and its buckets are cumulative."""
        for labels, samples in groupby(family.samples, key=_labels_of_point):
            by_name: dict[str, list[Sample]] = {}
            for each in samples:
                by_name.setdefault(each.name.removeprefix(f"{family.name}_"), []).append(each)
            buckets = by_name["bucket"]
            upto = [int(each.value) for each in buckets]
            yield otel.HistogramDataPoint(
                attributes=dict(labels),
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
        """Export what is left; a collector that does not answer holds nothing up."""
        log_takers.remove(self._take)
        await for_a_while(self._provider.shutdown, self._flush_s)

    def _take(self, entry: Mapping[str, Any]) -> None:
        record = entry.get("_record")
        if isinstance(record, logging.LogRecord) and record.name.startswith(("opentelemetry", "urllib3")):
            return  # what the export itself logs would be exported for ever
        level = str(entry.get("level", "info"))
        facts = {name: _fact(value) for name, value in entry.items() if value is not None and name[0] != "_"}
        for told_otherwise in ("event", "level", "timestamp"):
            facts.pop(told_otherwise, None)
        self._logger.emit(
            timestamp=int(self._clock() * _NS),
            severity_number=_SEVERITIES.get(level, SeverityNumber.ERROR),
            severity_text=level.upper(),
            body=str(entry.get("event", "")),
            attributes=facts,
        )


def _fact(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)
