"""Traces, as an extra: one trace from the request to each attempt at delivery.

    POST /webhook > accept > enqueue || deliver PRESET                                  one an attempt, in its own trace
                                     || POST /v5/ad_accounts/{ad_account_id}/events     one a call, linked to them

The bar in the middle is the outbox: what is sampled stores the context of `enqueue` with its deliveries.
OpenTelemetry's own variables switch it on. Without them its SDK is not imported, and all passes untraced.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from starlette.types import ASGIApp

from app.errors import SettingsError
from app.receiving.pipeline import Enqueues
from app.sending.surroundings import CallReport
from app.source import Accepts

__all__ = ["Enqueues", "Tracing", "open_tracing"]

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Tracing(Protocol):
    """What the flow is handed to, so that it is traced on the way."""

    is_on: bool

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Trace every request to the application, but those that look after the process."""
        ...

    def accepts(self, accepts: Accepts) -> Accepts:
        """Trace what becomes of the events of a request."""
        ...

    def enqueues(self, outbox: Enqueues) -> Enqueues:
        """Trace the commit, and give each delivery the trace that goes on with it."""
        ...

    def on_call(self, report: CallReport) -> None:
        """Trace a call to Pinterest that was made, and what it means for each of its deliveries."""

    async def close(self) -> None:
        """Export what is left, for a few seconds at most."""


class Untraced:
    """Passes everything through as it is."""

    is_on = False

    def requests(self, app: ASGIApp) -> ASGIApp:
        """Return the same."""
        return app

    def accepts(self, accepts: Accepts) -> Accepts:
        """Return the same."""
        return accepts

    def enqueues(self, outbox: Enqueues) -> Enqueues:
        """Return the same."""
        return outbox

    def on_call(self, report: CallReport) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def open_tracing(environ: Mapping[str, str]) -> Tracing:
    """Trace as OpenTelemetry's variables in `environ` say; not at all where none names an endpoint.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    OpenTelemetry reads the rest of its variables from the environment by itself.
    Raises SettingsError where they cannot be followed, or the extra is not installed.
    """
    endpoint = next(filter(None, map(environ.get, _ENDPOINTS)), None)
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if endpoint is None or exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Untraced()
    protocol = next(filter(None, map(environ.get, _PROTOCOLS)), "http/protobuf")
    if exporter != "otlp" or protocol != "http/protobuf" or not endpoint.startswith(("http://", "https://")):
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces go by OTLP over http/protobuf only, to http:// or https://, "
            "usually to port 4318; leave OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL unset"
        )
    try:
        from app.tracing.otel import exporting  # noqa: PLC0415 - the SDK is imported on demand
    except ModuleNotFoundError as exc:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: traces need the extra `otel`: pip install 'pinrelay[otel]'"
        ) from exc
    return exporting(environ)
