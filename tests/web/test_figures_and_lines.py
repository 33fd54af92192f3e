"""Metrics and logs by OTLP: asked for by OpenTelemetry's variables, and what /metrics and the log have."""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from app.core.deliveries import Delivered
from app.core.log import configure_logging, log_attempts, log_takers, logger
from app.errors import OutboxUnavailable, SettingsError
from app.insights.tracing import Signal, export_figures, export_lines, exports
from app.insights.tracing.otel import figures_of, lines_of
from app.main import create_app
from tests.assembled import settings
from tests.collector import Collector, collecting, plain
from tests.core.test_log import settled
from tests.outbox.new_store import new_store
from tests.rows import every_row
from tests.waiting import until_async

BOTH = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "none"}
TRACEPARENT = f"00-{'a1' * 16}-{'b2' * 8}-01"
PAGE = {"type": "page", "messageId": "m-1", "context": {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0"}}


def metrics_of(collector: Collector) -> dict[str, Any]:
    """The metrics of the last export by name."""
    newest = ExportMetricsServiceRequest.FromString(collector.others["/v1/metrics"][-1])
    (of_one,) = newest.resource_metrics
    assert {"service.name", "service.instance.id"} <= plain(of_one.resource.attributes).keys()
    return {each.name: each for each in of_one.scope_metrics[0].metrics}


def lines_in(collector: Collector) -> list[Any]:
    bodies = map(ExportLogsServiceRequest.FromString, collector.others.get("/v1/logs", []))
    return [
        line
        for body in bodies
        for each in body.resource_logs
        for scope in each.scope_logs
        for line in scope.log_records
    ]


@pytest.mark.usefixtures("tuned_back", "restored_logging")
@pytest.mark.slow
async def test_what_a_process_counts_and_logs_arrives_at_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging("json", "info")
    with collecting() as collector:
        environ = BOTH | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "50"}
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        app = create_app(settings(outbox_url=new_store(tmp_path, "o.db")), environ=environ)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            assert (await client.post("/webhook", json=PAGE)).is_success
            logging.getLogger("opentelemetry.x").error("of the export itself")
            log_attempts([settled(Delivered(), traceparent=TRACEPARENT)], duration_s=0.1)
            await until_async(partial(asyncio.to_thread, collector.others.get, "/v1/metrics"), 20)
        figures, lines = metrics_of(collector), lines_in(collector)  # the end exports what is left

    (accepted,) = figures["pinrelay_events"].sum.data_points
    assert (plain(accepted.attributes), accepted.as_double) == ({"outcome": "accepted"}, 1)
    assert figures["pinrelay_events"].sum.is_monotonic
    assert figures["pinrelay_events"].unit == "{event}"
    durations = figures["http.server.request.duration"]
    (request,) = durations.histogram.data_points
    assert (durations.unit, plain(request.attributes)) == (
        "s",
        {"http.route": "/webhook", "http.response.status_code": "200"},
    )
    assert figures["pinrelay_backlog_bytes"].unit == "By"
    assert (request.count, sum(request.bucket_counts), len(request.bucket_counts)) == (
        1,
        1,
        len(request.explicit_bounds) + 1,
    )
    assert not request.HasField("min")
    assert figures["pinrelay_outbox_up"].gauge.data_points[0].as_double == 1

    (line,) = (each for each in lines if each.body.string_value == "request")
    facts = plain(line.attributes)
    assert (facts["http.route"], facts["http.response.status_code"], line.severity_text) == ("/webhook", 200, "INFO")
    assert line.trace_id == b""
    (attempt,) = (each for each in lines if each.body.string_value == "delivery attempted")
    assert (attempt.trace_id.hex(), attempt.span_id.hex()) == ("a1" * 16, "b2" * 8)
    assert not {"trace_id", "span_id"} & plain(attempt.attributes).keys()
    assert "of the export itself" not in {each.body.string_value for each in lines}
    assert log_takers == []


@every_row(
    ("changes", "signals"),
    [
        ({}, {"TRACES"}),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, {"TRACES", "METRICS"}),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:4318/v1/logs"}, {"TRACES", "LOGS"}),
        (BOTH, {"METRICS", "LOGS"}),
        (BOTH | {"OTEL_SDK_DISABLED": "true"}, set()),
    ],
)
def test_metrics_and_logs_have_to_be_asked_for(changes: dict[str, str], signals: set[Signal]) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"} | changes
    names: tuple[Signal, ...] = ("TRACES", "METRICS", "LOGS")
    assert {each for each in names if exports(environ, each)} == signals


async def _nothing() -> list[Any]:
    raise OutboxUnavailable


@pytest.mark.parametrize(
    "changes", [{"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "=x"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}]
)
def test_what_cannot_be_followed_stops_start_up(changes: dict[str, str]) -> None:
    environ = BOTH | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"} | changes
    with pytest.raises(SettingsError, match="OTEL_"):
        export_lines(environ, clock=lambda: 0)
    with pytest.raises(SettingsError, match="OTEL_"):
        export_figures(environ | {"OTEL_METRIC_EXPORT_INTERVAL": "soon"}, _nothing, clock=lambda: 0)


@pytest.mark.parametrize("signal", ["METRICS", "LOGS"])
def test_what_is_asked_for_by_name_needs_somewhere_to_go(signal: Signal) -> None:
    with pytest.raises(SettingsError, match=f"OTEL_{signal}_EXPORTER: otlp needs OTEL_EXPORTER_OTLP_ENDPOINT"):
        exports(BOTH, signal)


def test_a_number_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("soon", "0", "-5"):  # without a pause it would export for ever
        with pytest.raises(SettingsError, match="OTEL_"):
            figures_of({"OTEL_METRIC_EXPORT_INTERVAL": text}, _nothing, clock=lambda: 0)
    monkeypatch.setenv("OTEL_BLRP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(SettingsError, match="OTEL_"):
        lines_of({}, clock=lambda: 0)


@pytest.mark.usefixtures("restored_logging")
async def test_an_outbox_that_cannot_be_read_is_logged_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    export = figures_of({"OTEL_METRIC_EXPORT_INTERVAL": "1"}, _nothing, clock=lambda: 0)
    task = asyncio.create_task(export.run())
    told = ""

    async def twice() -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return told.count("outbox unavailable") > 1

    await until_async(twice, 20)
    export.stop()
    await task
    logger().info("goes on")
