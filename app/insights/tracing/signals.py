"""Which signals OpenTelemetry's variables switch on: traces, metrics, logs. Nothing of its SDK is imported here.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from app.errors import SettingsError

Signal: TypeAlias = Literal["TRACES", "METRICS", "LOGS"]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)


def exports(environ: Mapping[str, str], signal: Signal) -> bool:
    """Return whether a signal is exported: then what exports it can be imported.

    Raises SettingsError where the variables ask for what there is not, or the extra is not installed.

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
