"""Metrics for Prometheus, correct with several worker processes.

Each process has its counters, and a scrape sums them over all processes of a `pinrelay serve`
(PROMETHEUS_MULTIPROC_DIR). The backlog of the outbox is read at each scrape. Names follow Prometheus' rules: a unit as
suffix, `_total` for counters.
"""

import collections
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app import __version__
from app.core.events import CounterRow, EventKey, InventoryCount, Measure, Outcome
from app.core.pages import Backlog
from app.core.refusals import RefusedRequest

#: Seconds: from a fast commit to the slowest call.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

#: No query uses the time at which a process created a counter, and each counter would be written twice.
disable_created_metrics()  # type: ignore[no-untyped-call]

_CACHED_CHILDREN = 4_096
#: Maximum number of event names with a separate series. The second half is reserved for names that were frequent
#: between two writes of the inventory.
MAX_NAMED = 500
_OFTEN = 5
_OTHER_NAMES = "(other names)"
_OUTCOMES = frozenset(Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """Figures of an ad account at the time of the scrape."""

    #: The destination's name; "" if the settings configure a single ad account.
    destination: str = ""
    backlog: Backlog
    #: Why Pinterest refuses the ad account; "" if Pinterest accepts it.
    blocked: str = ""
    #: For every state of delivery: its duration in seconds; `None` if the state is not active.
    states: Mapping[str, float | None] = field(default_factory=dict)


class Metrics:
    """All counters of one process."""

    def __init__(self, destinations: Mapping[str, str] = MappingProxyType({})) -> None:
        """Use the names of destinations, by ad account. Ad accounts without a name have no series by destination."""
        self._destinations = {account: name for account, name in destinations.items() if name}
        self._registry = CollectorRegistry()
        self._events = self._counter("pinrelay_events", "Received events by outcome.", "outcome")
        self._deliveries = self._counter(
            "pinrelay_deliveries", "Deliveries by preset and outcome.", "preset", "outcome"
        )
        self._warnings = self._counter("pinrelay_warnings", "Repairs and warnings by field.", "preset", "field")
        self._quality = self._counter(
            "pinrelay_quality", "Enqueued events by quality component.", "preset", "component"
        )
        self._memory = self._counter(
            "pinrelay_memory", "Events completed from memory; full: requests while memory was full.", "preset", "group"
        )
        self._calls = self._counter("pinrelay_pinterest_calls", "Calls to Pinterest by status.", "status")
        self._of_sources = self._counter(
            "pinrelay_source_events", "Events by named source and outcome.", "source", "outcome"
        )
        self._of_destinations = self._counter(
            "pinrelay_destination_deliveries", "Deliveries by named destination and outcome.", "destination", "outcome"
        )
        self._destination_calls = self._counter(
            "pinrelay_destination_calls", "Calls to Pinterest by named destination.", "destination", "status"
        )
        self._names = _Names(self._counter)
        self._refusals = self._counter(
            "pinrelay_outbox_unavailable", "Requests refused because the outbox could not store them.", "why"
        )
        self._refused = self._counter(
            "pinrelay_refused_requests",
            "Requests refused with 401, 403, 413, 415 or 429 by source and cause.",
            *("source", "status", "cause"),
        )
        #: The same since the start of this process, also by setting.
        self.refused_requests: collections.Counter[RefusedRequest] = collections.Counter()
        self._call_s = self._histogram("pinrelay_pinterest_call_seconds", "Duration of a call to Pinterest.")
        self._request_s = self._histogram("pinrelay_request_seconds", "Time from request to answer.", "route", "status")
        # prometheus-client takes a lock at each look-up of a child, which is the largest cost of a count
        self._child = lru_cache(_CACHED_CHILDREN)(self._find_child)
        self._request_child = lru_cache(_CACHED_CHILDREN)(self._request_s.labels)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=_BUCKETS, registry=self._registry)

    def count(self, counters: Iterable[CounterRow]) -> None:
        """Add counters, as the outbox does."""
        for counter in counters:
            self._child(counter.name, counter.preset, counter.label).inc(counter.count)
            if counter.ad_account_id in self._destinations:
                self._count_destination(self._destinations[counter.ad_account_id], counter)

    def _find_child(self, name: str, preset: str, label: str) -> Counter:
        match name:
            case "accepted" | "refused":
                return self._events.labels(name)
            case "warning":
                return self._warnings.labels(preset, label)
            case "quality":
                return self._quality.labels(preset, label)
            case "memory" | "memory_full":
                return self._memory.labels(preset, label if name == "memory" else "full")
            case "calls":
                return self._calls.labels(label)
            case _ if name in _OUTCOMES:
                return self._deliveries.labels(preset, name)
            case _:
                message = f"no metric counts {name!r}: add it to Metrics"
                raise ValueError(message)

    def count_source(self, source: str, counts: Mapping[Outcome, int]) -> None:
        """Count the outcomes of a request of a named source: of its events and their deliveries."""
        for outcome, count in counts.items():
            self._of_sources.labels(source, outcome.value).inc(count)

    def _count_destination(self, destination: str, counter: CounterRow) -> None:
        if counter.name == "calls":
            self._destination_calls.labels(destination, counter.label).inc(counter.count)
        elif counter.name in _OUTCOMES:
            self._of_destinations.labels(destination, counter.name).inc(counter.count)

    def count_names(self, counts: Sequence[InventoryCount]) -> None:
        """Count events by name as in the inventory, except presets and properties.

        Invented names cannot create series without limit: half of the places are reserved for frequent names.
        """
        self._names.count(counts)

    def observe_call(self, duration_s: float) -> None:
        """Record the duration of a call to Pinterest."""
        self._call_s.observe(duration_s)

    def observe_request(self, route: str, status: int, duration_s: float) -> None:
        """Record the duration of a request; `route` is the pattern, not the path."""
        self._request_child(route, str(status)).observe(duration_s)

    def refused_for_outbox(self, why: str) -> None:
        """Count a request that was answered 503; `why` is that of the OutboxUnavailable, else `other`."""
        self._refusals.labels(why).inc()

    def refused_request(self, refused: RefusedRequest) -> None:
        """Count a refused request."""
        self._refused.labels(refused.source, str(refused.status), refused.cause).inc()
        self.refused_requests[refused] += 1

    def families(self, accounts: Sequence[AccountFigures], *, why: str = "", now: float) -> list[Metric]:
        """Return all metrics of this process, as in `render`; with several processes, each has its own."""
        return [*self._registry.collect(), *_gauges(accounts, why, now)]

    def render(
        self, accounts: Sequence[AccountFigures], *, why: str = "", now: float, accept: str = ""
    ) -> tuple[bytes, str]:
        """Return all metrics and their content type.

        The format is Prometheus' text format, or OpenMetrics if the header `Accept` asks for OpenMetrics.
        `accounts` is empty if the outbox cannot be read. `why` is the reason if no event can be stored, otherwise "".
        """
        counters = self._registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            counters = CollectorRegistry()
            MultiProcessCollector(counters)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        registry.register(_ReadyMetrics([*counters.collect(), *_gauges(accounts, why, now)]))
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type


class _Names:
    """Counts by the name that events arrive under."""

    def __init__(self, counter: Callable[..., Counter]) -> None:
        of_name = "source", "type", "event"
        self._events = counter(
            "pinrelay_named_events",
            "Events by name and outcome; the outcome received counts each once.",
            *of_name,
            "outcome",
        )
        self._found = counter(
            "pinrelay_named_found", "Sampled events by name, with the data found in them.", *of_name, "found"
        )
        #: Event names with a separate series: of public events, and of other events.
        self._own: dict[bool, set[EventKey]] = {True: set(), False: set()}

    def count(self, counts: Sequence[InventoryCount]) -> None:
        public = {key for key, measure, _, _ in counts if measure is Measure.PUBLIC}
        for key, measure, _, number in counts:
            own = self._own[key in public]
            places = MAX_NAMED if number >= _OFTEN else MAX_NAMED // 2
            if measure is Measure.RECEIVED and len(own) < places:
                own.add(key)
        for key, measure, label, number in counts:
            is_own = key in self._own[False] or key in self._own[True]
            event = key.name if is_own and (key.type or not key.name) else _OTHER_NAMES
            if measure in (Measure.RECEIVED, Measure.OUTCOME):
                self._events.labels(key.source, key.type, event, label or measure.value).inc(number)
            elif measure in (Measure.SAMPLED, Measure.FOUND):
                self._found.labels(key.source, key.type, event, label or measure.value).inc(number)


class _ReadyMetrics:
    """A collector of prometheus-client for metrics that exist already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauges(accounts: Sequence[AccountFigures], why: str, now: float) -> Iterator[Metric]:
    build = _gauge("pinrelay_build_info", "Always 1; the label has the running version.", "version")
    build.add_metric([__version__], 1)
    yield build
    up = GaugeMetricFamily("pinrelay_outbox_up", "1 if the outbox can store events.")
    up.add_metric([], 1 if accounts and not why else 0)
    yield up
    refuses = GaugeMetricFamily(
        "pinrelay_outbox_refuses", "1 while the outbox cannot store events, by reason.", labels=["why"]
    )
    refuses.add_metric([why], 1 if why else 0)
    yield refuses
    # Without named destinations the label is omitted, so the series of a single ad account stay the same.
    own = ["destination"] if any(each.destination for each in accounts) else []
    stopped = _gauge("pinrelay_destination_blocked", "1 while Pinterest refuses all calls, by reason.", *own, "reason")
    holds = _gauge("pinrelay_delivery_state", "1 for each current problem of delivery.", *own, "state")
    lasting = _gauge("pinrelay_delivery_state_seconds", "How long each problem of delivery has lasted.", *own, "state")
    waiting = _gauge("pinrelay_backlog_deliveries", "Deliveries in the outbox by state.", *own, "state")
    size = _gauge("pinrelay_backlog_bytes", "Bytes of payloads that wait.", *own)
    age = _gauge("pinrelay_backlog_oldest_age_seconds", "Age of the oldest waiting delivery.", *own)
    full = _gauge(
        "pinrelay_backlog_full_seconds",
        "Time until the backlog is full at the last hour's rate; absent if never.",
        *own,
    )
    for each in accounts:
        name, backlog = [each.destination] if own else [], each.backlog
        stopped.add_metric([*name, each.blocked], 1 if each.blocked else 0)
        for state, lasts_s in each.states.items():
            holds.add_metric([*name, state], 0 if lasts_s is None else 1)
            lasting.add_metric([*name, state], max(0.0, lasts_s or 0))
        for state, count in (("pending", backlog.pending), ("claimed", backlog.claimed), ("dead", backlog.dead)):
            waiting.add_metric([*name, state], count)
        size.add_metric(name, backlog.size_bytes)
        age.add_metric(name, 0 if backlog.oldest_at is None else max(0.0, now - backlog.oldest_at))
        if backlog.full_in_s is not None:
            full.add_metric(name, backlog.full_in_s)
    yield from (stopped, holds, lasting, waiting, size, age, full)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)
