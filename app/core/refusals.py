"""Refused requests: the check that failed, the setting that configures the check, and the labels of the counters."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from app.core.events import MAX_LABEL_CHARACTERS, CounterRow

#: The name of the counters in the store.
REFUSED_REQUEST: Final = "refused_request"
#: The statuses of requests that are counted as refused.
REFUSED_STATUSES: Final = frozenset({401, 403, 413, 415, 429})
#: The source of requests to senders' routes if no source is known, such as those with an unknown write key.
NO_SOURCE: Final = "unknown"


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """The check that refused a request."""

    cause: str
    #: The settings, or keys of a source's file, that configure the check; "" if the check has no setting.
    setting: str = ""

    def note(self, scope: MutableMapping[str, Any], source: str = "") -> None:
        """Store the check and the source in the state of a request, for the log and the counts."""
        scope.setdefault("state", {})["refused"] = source, self


class RefusedRequest(NamedTuple):
    """The labels of counted refusals. All values come from settings and code, so their number is bounded."""

    #: The name of the source; "" for the console, the interface for programs and metrics.
    source: str
    status: int
    cause: str
    setting: str

    @classmethod
    def from_counter(cls, counter: CounterRow) -> Self:
        """Return the labels from a counter of the store."""
        status, _, rest = counter.label.partition(" ")
        cause, _, setting = rest.partition(": ")
        return cls(counter.source, int(status), cause, setting)

    def counter(self, count: int) -> CounterRow:
        """Return the counter for `count` of these requests."""
        label = f"{self.status} {self.cause}: {self.setting}"[:MAX_LABEL_CHARACTERS]
        return CounterRow(name=REFUSED_REQUEST, source=self.source, label=label, count=count)
