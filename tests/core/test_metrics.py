"""Metrics: what is counted, under Prometheus' naming rules."""

import re
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from app.core.events import CounterRow, EventKey, InventoryCount, Measure, Outcome
from app.core.metrics import MAX_NAMED, AccountFigures, Metrics
from app.core.pages import Backlog
from tests.insights.inventory.build import counts_of


def samples(rendered: tuple[bytes, str]) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(rendered[0].decode())
        for sample in family.samples
    }


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def one(**figures: Any) -> list[AccountFigures]:
    """The figures of the only ad account, which has no name."""
    return [AccountFigures(**({"backlog": Backlog()} | figures))]


@pytest.mark.parametrize(
    ("counter", "sample"),
    [
        (CounterRow(name="accepted", count=3), "pinrelay_events_total[('outcome', 'accepted')]"),
        (
            CounterRow(name="delivered", preset="Lead", label="200", count=3),
            "pinrelay_deliveries_total[('outcome', 'delivered'), ('preset', 'Lead')]",
        ),
        (
            CounterRow(name="warning", preset="Lead", label="phone", count=3),
            "pinrelay_warnings_total[('field', 'phone'), ('preset', 'Lead')]",
        ),
        (
            CounterRow(name="quality", preset="Lead", label="hashed_email", count=3),
            "pinrelay_quality_total[('component', 'hashed_email'), ('preset', 'Lead')]",
        ),
        (
            CounterRow(name="memory", preset="Lead", label="em", count=3),
            "pinrelay_memory_total[('group', 'em'), ('preset', 'Lead')]",
        ),
        (CounterRow(name="memory_full", count=3), "pinrelay_memory_total[('group', 'full'), ('preset', '')]"),
        (CounterRow(name="calls", label="429", count=3), "pinrelay_pinterest_calls_total[('status', '429')]"),
    ],
    ids=lambda value: value.name if isinstance(value, CounterRow) else "",
)
def test_a_counter_is_counted_under_its_name(counter: CounterRow, sample: str) -> None:
    metrics = Metrics()
    metrics.count([counter])
    assert samples(metrics.render([], now=0))[sample] == 3


def test_every_exit_is_counted_and_an_unknown_name_raises() -> None:
    metrics = Metrics()
    metrics.count(CounterRow(name=name) for name in Outcome)
    with pytest.raises(ValueError, match="no metric counts 'deliverd'"):
        metrics.count([CounterRow(name="deliverd")])


def test_requests_calls_and_refusals_are_observed() -> None:
    metrics = Metrics()
    metrics.observe_call(0.2)
    metrics.observe_request("/webhook", 200, 0.01)
    metrics.refused_for_outbox("disk full")
    found = samples(metrics.render([], now=0))
    assert found["pinrelay_pinterest_call_seconds_count[]"] == 1
    assert found["pinrelay_request_seconds_count[('route', '/webhook'), ('status', '200')]"] == 1
    assert found["pinrelay_outbox_unavailable_total[('why', 'disk full')]"] == 1


def test_the_backlog_and_the_blocked_state_are_read_when_asked_for() -> None:
    found = samples(
        Metrics().render(
            one(backlog=Backlog(pending=2, dead=1, size_bytes=700, oldest_at=40.0), blocked="refused"),
            now=100.0,
        )
    )
    assert found["pinrelay_outbox_up[]"] == 1
    assert found["pinrelay_backlog_deliveries[('state', 'pending')]"] == 2
    assert found["pinrelay_backlog_bytes[]"] == 700
    assert found["pinrelay_backlog_oldest_age_seconds[]"] == 60
    assert found["pinrelay_destination_blocked[('reason', 'refused')]"] == 1


def test_each_state_of_delivery_is_told_with_how_long_it_has_lasted() -> None:
    found = samples(Metrics().render(one(states={"failing": 90.0, "blocked": None}), now=0))
    assert found["pinrelay_delivery_state[('state', 'failing')]"] == 1
    assert found["pinrelay_delivery_state_seconds[('state', 'failing')]"] == 90
    assert found["pinrelay_delivery_state[('state', 'blocked')]"] == 0
    assert found["pinrelay_delivery_state_seconds[('state', 'blocked')]"] == 0


def test_an_outbox_that_cannot_be_read_is_down_and_an_empty_one_has_no_age() -> None:
    assert samples(Metrics().render([], now=0))["pinrelay_outbox_up[]"] == 0
    full = samples(Metrics().render(one(), why="disk full", now=0))
    assert full["pinrelay_outbox_up[]"] == 0
    assert full["pinrelay_outbox_refuses[('why', 'disk full')]"] == 1
    assert samples(Metrics().render(one(), now=9.0))["pinrelay_backlog_oldest_age_seconds[]"] == 0


def test_what_becomes_of_deliveries_to_a_named_destination_is_counted_by_exit_and_its_calls_by_status() -> None:
    metrics = Metrics({"1": "US", "2": ""})
    for name, label, count in (
        ("invalid", "no user", 1),
        ("delivered", "200", 3),
        ("calls", "200", 2),
        ("warning", "", 1),
    ):
        metrics.count([CounterRow(name=name, label=label, ad_account_id=which, count=count) for which in ("1", "2")])
    found = {name: value for name, value in samples(metrics.render([], now=0)).items() if "_destination_" in name}
    told = {name: value for name, value in found.items() if "_total" in name}
    assert told == {
        "pinrelay_destination_deliveries_total[('destination', 'US'), ('outcome', 'invalid')]": 1,
        "pinrelay_destination_deliveries_total[('destination', 'US'), ('outcome', 'delivered')]": 3,
        "pinrelay_destination_calls_total[('destination', 'US'), ('status', '200')]": 2,
    }


def test_ad_accounts_with_names_are_measured_apart() -> None:
    figures = [
        AccountFigures(destination=name, backlog=Backlog(pending=count), blocked=why, states={"blocked": lasting})
        for name, count, why, lasting in (("US", 2, "", None), ("FR", 3, "refused", 60.0))
    ]
    found = samples(Metrics().render(figures, now=0))
    assert found["pinrelay_backlog_deliveries[('destination', 'US'), ('state', 'pending')]"] == 2
    assert found["pinrelay_backlog_deliveries[('destination', 'FR'), ('state', 'pending')]"] == 3
    assert found["pinrelay_destination_blocked[('destination', 'FR'), ('reason', 'refused')]"] == 1
    assert found["pinrelay_delivery_state[('destination', 'US'), ('state', 'blocked')]"] == 0


def test_events_are_counted_by_name_and_invented_names_make_only_so_many_series() -> None:
    metrics = Metrics()
    order = EventKey("shop", "track", "Order Completed")
    for n in range(MAX_NAMED):
        metrics.count_names(counts_of(EventKey("shop", "track", f"invented {n}"), 1))
    metrics.count_names(
        counts_of(
            order,
            9,
            outcomes={"invalid": 2},
            presets={"Checkout": 9},
            sampled=9,
            found={"value": 8},
            properties={"properties.total number": 9},
        )
        + counts_of(EventKey("shop", "", "*"), 7)
    )
    text = metrics.render((), now=0)[0].decode()
    found = dict(re.findall(r"^(pinrelay_named_\w+_total\{.*\}) (\S+)$", text, re.MULTILINE))
    assert {line: value for line, value in found.items() if "Order Completed" in line} == {
        named("events", "Order Completed", outcome="invalid"): "2.0",
        named("events", "Order Completed", outcome="received"): "9.0",
        named("found", "Order Completed", found="sampled"): "9.0",
        named("found", "Order Completed", found="value"): "8.0",
    }
    assert sum("invented" in line for line in found) == MAX_NAMED // 2
    assert found[named("events", "(other names)", outcome="received")] == f"{MAX_NAMED // 2:.1f}"
    assert found[named("events", "(other names)", type="", outcome="received")] == "7.0"


def named(metric: str, event: str, **labels: str) -> str:
    """Return a line's name as Prometheus' format has it: labels in the order of the alphabet."""
    shown = {"source": "shop", "type": "track", "event": event} | labels
    told = ",".join(f'{name}="{shown[name]}"' for name in sorted(shown))
    return f"pinrelay_named_{metric}_total{{{told}}}"


def test_names_of_public_events_take_no_series_of_trusted_ones() -> None:
    metrics = Metrics()
    for n in range(2 * MAX_NAMED):
        key = EventKey("page", "track", f"invented {n}")
        metrics.count_names([*counts_of(key, 9), InventoryCount(key, Measure.PUBLIC, "", 9)])
    metrics.count_names(counts_of(EventKey("shop", "track", "Order Completed"), 1))
    text = metrics.render((), now=0)[0].decode()
    assert text.count('event="invented') == MAX_NAMED
    assert f"{named('events', 'Order Completed', outcome='received')} 1.0" in text


_OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.mark.parametrize(
    ("accept", "content_type", "end"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("text/html,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8", ""),
        (_OPEN_METRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", "# EOF\n"),
    ],
)
def test_a_scraper_gets_the_format_that_it_accepts(accept: str, content_type: str, end: str) -> None:
    metrics = Metrics()
    metrics.count([CounterRow(name="accepted", count=3)])
    metrics.observe_call(0.2)
    text, found = metrics.render(one(), now=0, accept=accept)
    assert found == content_type
    assert text.decode().endswith(end)
    read = openmetrics.text_string_to_metric_families if end else text_string_to_metric_families
    values = {sample.name: sample.value for family in read(text.decode()) for sample in family.samples}
    assert {"pinrelay_events_total": 3, "pinrelay_pinterest_call_seconds_count": 1}.items() <= values.items()
    assert not [name for name in values if name.endswith("_created")]
