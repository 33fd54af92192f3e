"""The spans of traces, which start at the call sites; `app.insights.tracing` exports them by OpenTelemetry."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from app.core.events import Outcome


class Spans:
    """Starts spans. This base class traces no calls."""

    is_on = False

    def span(
        self,
        name: str,  # noqa: ARG002 - for the class that traces
        *,
        attributes: Mapping[str, str | int] | None = None,  # noqa: ARG002 - for the class that traces
        is_producer: bool = False,  # noqa: ARG002 - for the class that traces
    ) -> AbstractContextManager[object]:
        """Return a context manager for a span within the open span."""
        return nullcontext()

    def set_counts(self, counts: Mapping[Outcome, int]) -> None:
        """Add counts of events by outcome to the span that is open."""

    def traceparent(self) -> str | None:
        """Return the open span as a `traceparent` (W3C Trace Context); `None` if the span is not sampled."""
        return None


#: Used if tracing is off.
NO_SPANS = Spans()
