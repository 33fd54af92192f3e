"""Traces, metrics and logs by OTLP, as an extra: one trace from the request to each attempt at delivery.

    POST /webhook > accept > enqueue || deliver PRESET                                  one an attempt, in its own trace
                                     || POST /v5/ad_accounts/{ad_account_id}/events     one a call, linked to them

The bar in the middle is the outbox: what is sampled stores the context of `enqueue` with its deliveries.
OpenTelemetry's own variables switch it on. Without them its SDK is not imported, and all passes untraced.
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
    """Return whether a signal is exported: then what exports it can be imported.

    Raises SettingsError where the variables ask for what there is not, or the extra is not installed.
    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

    Traces are where an endpoint is named. Metrics and logs have to be asked for by name, since many collectors of
    traces take nothing else: by `OTEL_METRICS_EXPORTER=otlp`, or an endpoint of their own.
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

#: By these machines look after the process, again and again: they are not traced, and logged at the level `debug`.
WATCHING_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Tracing(Spans):
    """Traces requests, the steps of the pipeline, and calls to Pinterest. This class traces nothing."""

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Trace every request to the application, but those that look after the process."""
        return app

    def on_call(self, report: CallReport) -> None:
        """Trace a call to Pinterest that was made, and what it means for each of its deliveries."""

    async def close(self) -> None:
        """Export what is left, for a few seconds at most; a collector that does not answer holds nothing up."""


def open_tracing(environ: Mapping[str, str]) -> Tracing:
    """Trace as OpenTelemetry's variables in `environ` say; not at all where none names an endpoint.

    OpenTelemetry reads the rest of its variables from the environment by itself.
    Raises SettingsError where they cannot be followed, or the extra is not installed.
    """
    if not exports(environ, "TRACES"):
        return Tracing()
    from app.insights.tracing.otel import exporting  # noqa: PLC0415 - the SDK is imported on demand

    return exporting(environ)


def export_figures(
    environ: Mapping[str, str], read: Callable[[], Awaitable[Iterable[Metric]]], *, clock: Callable[[], float]
) -> "tuple[FigureExport, ...]":
    """Return what exports metrics while it runs; nothing where they are not asked for. Raises SettingsError."""
    if not exports(environ, "METRICS"):
        return ()
    from app.insights.tracing.otel import figures_of  # noqa: PLC0415 - the SDK is imported on demand

    return (figures_of(environ, read, clock=clock),)


def export_lines(environ: Mapping[str, str], *, clock: Callable[[], float]) -> "tuple[LineExport, ...]":
    """Have the lines of the log exported until what is returned is closed, where they are. Raises SettingsError."""
    if not exports(environ, "LOGS"):
        return ()
    from app.insights.tracing.otel import lines_of  # noqa: PLC0415 - the SDK is imported on demand

    return (lines_of(environ, clock=clock),)
