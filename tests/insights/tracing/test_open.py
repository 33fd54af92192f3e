"""OpenTelemetry's variables switch traces on; what cannot be followed stops start-up; without them there is no cost."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.insights.tracing import Tracing, open_tracing
from app.insights.tracing.otel import OpenTelemetry
from tests.collector import collecting
from tests.process import ROOT, clean_environment
from tests.rows import every_row

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@every_row(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "pinrelay"},
        ENDPOINT | {"OTEL_SDK_DISABLED": "True"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["nothing set", "empty", "no endpoint", "disabled", "no exporter"],
)
async def test_nothing_is_traced_unless_an_endpoint_is_named(environ: dict[str, str]) -> None:
    tracing = open_tracing(environ)
    assert type(tracing) is Tracing
    await tracing.close()


@pytest.mark.whole
def test_untraced_nothing_of_the_sdk_is_imported(tmp_path: Path) -> None:
    code = (
        "import app.cli, sys; from app.config import load_settings; from app.main import create_app;"
        "create_app(load_settings());"
        "sys.exit(any(name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for name in sys.modules))"
    )
    environment = clean_environment(outbox_url=f"sqlite:///{tmp_path}/outbox.db")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False).returncode == 0


def test_without_the_extra_an_endpoint_stops_start_up_and_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.insights.tracing.otel", None)
    with pytest.raises(SettingsError, match=r"pip install 'pinrelay\[otel\]'"):
        open_tracing(ENDPOINT)


@every_row(
    "environ",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "grpc://collector:4317"},
        ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
        ENDPOINT | {"OTEL_TRACES_EXPORTER": "zipkin"},
    ],
    ids=lambda environ: " ".join(f"{name}={value}" for name, value in environ.items()),
)
def test_what_is_not_otlp_over_http_stops_start_up(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="http/protobuf"):
        open_tracing(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer s3cret"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", 'x-key=fine,authorization="s3cret"'),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ],
)
def test_a_variable_that_cannot_be_followed_stops_start_up_and_no_token_is_told(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="OTEL_") as caught:
        open_tracing(ENDPOINT | {name: value})
    assert "s3cret" not in str(caught.value) + caplog.text


@pytest.mark.slow
async def test_the_end_exports_what_is_left_with_the_headers_and_names_that_were_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collecting() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=k%201",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,deployment.environment=test",
            "OTEL_BSP_MAX_QUEUE_SIZE": "512",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        tracing = open_tracing(environ)
        assert isinstance(tracing, OpenTelemetry)
        tracing._deliveries.start_span("left").end()
        await tracing.close()

    left = collector.one("left")
    assert left
    assert (left.resource["service.name"], left.resource["deployment.environment"]) == ("shop", "test")
    assert collector.headers[0]["x-key"] == "k 1"
