"""Traces, metrics and logs by OTLP, as an extra: a trace from the request to each attempt at delivery.

    POST /webhook > accept > enqueue || deliver PRESET                                  per attempt, in its own trace
                                     || POST /v5/ad_accounts/{ad_account_id}/events     per call, linked to them

The bar in the middle is the outbox: a sampled trace stores the context of `enqueue` with its deliveries.
OpenTelemetry's own variables enable the export. Without them its SDK is not imported, and no spans are created.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from prometheus_client import Metric
from starlette.types import ASGIApp

from app.core.spans import Spans
from app.errors import SettingsError
from app.sender.context import CallReport

Signal: TypeAlias = Literal["TRACES", "METRICS", "LOGS"]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)


def exports(environ: Mapping[str, str], signal: Signal) -> bool:
    """Return whether a signal is exported; if so, its exporter is installed.

    Raises SettingsError if the variables request an unknown exporter, or the extra is not installed.
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

    Traces are exported if there is an endpoint. Metrics and logs must be enabled explicitly, because many collectors
    only accept traces: by `OTEL_METRICS_EXPORTER=otlp`, or a separate endpoint.
    """
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    endpoint = own or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = environ.get(f"OTEL_{signal}_EXPORTER") or ("otlp" if own or signal == "TRACES" else "none")
    if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not endpoint:
        if signal == "TRACES":
            return False
        raise SettingsError(f"OTEL_{signal}_EXPORTER: {exporter} needs OTEL_EXPORTER_OTLP_ENDPOINT, or leave it unset")
    named = environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = named or "http/protobuf"
    if exporter != "otlp" or protocol != "http/protobuf" or not endpoint.startswith(("http://", "https://")):
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: {signal.lower()} go by OTLP over http/protobuf only, to http:// or "
            f"https://, usually to port 4318; leave OTEL_{signal}_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL unset"
        )
    _need_extra(signal)
    return True


def _need_extra(signal: Signal) -> None:
    try:
        import app.insights.tracing.otel  # noqa: F401, PLC0415 - the SDK is imported on demand
    except ModuleNotFoundError as exc:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: {signal.lower()} need the extra `otel`: pip install 'pinrelay[otel]'"
        ) from exc


if TYPE_CHECKING:
    from app.insights.tracing.otel import FigureExport, LineExport

__all__ = ["SIGNALS", "WATCHING_PATHS", "Tracing", "export_figures", "export_lines", "exports", "open_tracing"]

#: Paths of health checks, which are repeated often: they are not traced, and logged at the level `debug`.
WATCHING_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Tracing(Spans):
    """Traces requests, the steps of the pipeline, and calls to Pinterest. This base class creates no spans."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Trace every request to the application, except health checks."""
        return app

    def on_call(self, report: CallReport) -> None:
        """Trace a call to Pinterest, and its result for each of its deliveries."""

    async def close(self) -> None:
        """Export the remaining spans within a few seconds; an unresponsive collector does not block the shutdown."""


def open_tracing(environ: Mapping[str, str]) -> Tracing:
    """Trace according to OpenTelemetry's variables in `environ`; without an endpoint, create no spans.

    OpenTelemetry reads its other variables from the environment itself. Raises SettingsError if they are invalid, or
    the extra is not installed.
    """
    if not exports(environ, "TRACES"):
        return Tracing()
    from app.insights.tracing.otel import exporting  # noqa: PLC0415 - the SDK is imported on demand

    return exporting(environ)


def export_figures(
    environ: Mapping[str, str], read: Callable[[], Awaitable[Iterable[Metric]]], *, clock: Callable[[], float]
) -> "tuple[FigureExport, ...]":
    """Return the exporter of metrics; empty if they are not enabled. Raises SettingsError."""
    if not exports(environ, "METRICS"):
        return ()
    from app.insights.tracing.otel import figures_of  # noqa: PLC0415 - the SDK is imported on demand

    return (figures_of(environ, read, clock=clock),)


def export_lines(environ: Mapping[str, str], *, clock: Callable[[], float]) -> "tuple[LineExport, ...]":
    """Return the exporter of log lines, active until it is closed; empty if they are not enabled.

    Raises SettingsError.
    """
    if not exports(environ, "LOGS"):
        return ()
    from app.insights.tracing.otel import lines_of  # noqa: PLC0415 - the SDK is imported on demand

    return (lines_of(environ, clock=clock),)
