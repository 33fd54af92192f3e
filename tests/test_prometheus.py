"""Alert rules and dashboard: every rule fires when it should and only then, and every metric they name exists."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.core.events import CounterRow, EventKey, InventoryCount, Measure
from app.core.metrics import AccountFigures, Metrics
from app.core.pages import Backlog
from app.core.refusals import RefusedRequest
from tests.process import ROOT

RULES = ROOT / "docs/prometheus-alerts.yaml"
DASHBOARD = ROOT / "docs/grafana-dashboard.json"
#: Of promtool: one thread, and memory freed seldom. It takes a third less CPU so.
FRUGAL = {"GOMAXPROCS": "1", "GOGC": "400"}
CASES = sorted((ROOT / "tests/cases").glob("prometheus_alerts*.yaml"))

with_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="there is no promtool: .ci/install-test-tools installs it"
)


@pytest.mark.whole
@with_promtool
@pytest.mark.parametrize("arguments", [("check", "rules", RULES), ("test", "rules", *CASES)], ids=["check", "test"])
def test_promtool_finds_no_fault_in_the_rules(arguments: tuple[Any, ...]) -> None:
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | FRUGAL, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_both_firing_and_silent() -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    cases = [case for file in CASES for case in yaml.safe_load(file.read_text())["tests"]]
    tests = [one for case in cases for one in case["alert_rule_test"]]
    assert {test["alertname"] for test in tests if test.get("exp_alerts")} == alerts
    assert {test["alertname"] for test in tests if not test.get("exp_alerts")} == alerts


@pytest.mark.slow
def test_the_rules_name_only_what_there_is() -> None:
    for rule in rules():
        assert set(names(rule["expr"])) <= rendered() | recorded(), rule


@pytest.mark.slow
def test_the_dashboard_names_only_what_there_is() -> None:
    queries = list(expressions(json.loads(DASHBOARD.read_text())))
    assert len(queries) > 10
    for query in queries:
        assert set(names(query)), query
        assert set(names(query)) <= rendered() | recorded(), query


def test_the_dashboard_shows_every_metric_that_is_no_part_of_another() -> None:
    shown = {name for query in expressions(json.loads(DASHBOARD.read_text())) for name in names(query)}
    parts = ("_bucket", "_count", "_sum")
    assert {name for name in rendered() if not name.endswith(parts)} <= shown


def test_labels_that_are_asked_for_exist() -> None:
    asked = {label for rule in rules() for label in re.findall(r'(\w+)="', rule["expr"])}
    asked |= {
        label for query in expressions(json.loads(DASHBOARD.read_text())) for label in re.findall(r'(\w+)=~?"', query)
    }
    assert asked - {"job"} <= {label for sample in samples() for label in sample.labels}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def expressions(node: Any) -> Iterator[str]:
    """Yield the queries of panels and variables, wherever they stand."""
    if isinstance(node, dict):
        yield from (text for key, text in node.items() if key in {"expr", "query"} and "pinrelay" in str(text))
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from expressions(child)


def names(expression: str) -> list[str]:
    return re.findall(r"\bpinrelay[\w:]*", expression)


def samples() -> list[Any]:
    """Render one of everything that Pinrelay counts."""
    metrics = Metrics({"1": "US"})
    metrics.count(
        CounterRow(name=name, preset="P", label="l", ad_account_id="1")
        for name in ("accepted", "delivered", "warning", "quality", "calls")
    )
    key = EventKey("s", "track", "E")
    metrics.count_names([InventoryCount(key, measure, "", 1) for measure in Measure])
    metrics.observe_call(1)
    metrics.observe_request("/webhook", 200, 0.1)
    metrics.refused_for_outbox("locked")
    metrics.refused_request(RefusedRequest("shopify", 401, "bad signature", "SHOPIFY_WEBHOOK_SECRET"))
    backlog = Backlog(pending=1, oldest_at=0, full_in_s=60)
    figures = AccountFigures(destination="US", backlog=backlog, blocked="reason", states={"failing": 1.0})
    text = metrics.render([figures], now=1)[0].decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def rendered() -> set[str]:
    return {sample.name for sample in samples()}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
