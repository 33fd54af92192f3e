"""Refused requests are counted by all processes, kept by the hour, and shown to operators on every surface."""

import asyncio
import hmac
import json
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx
import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from typer.testing import CliRunner

from app.cli import cli
from app.config.settings import SenderSettings
from app.core.log import configure_logging, log_takers
from app.core.metrics import Metrics
from app.core.refusals import RefusedRequest
from app.core.values.times import DAY_S
from app.errors import OutboxUnavailable
from app.insights.alerts.overall import REFUSED, refused_requests
from app.insights.refused_requests import RefusalKeeper, read_refused
from app.insights.tracing import open_tracing
from app.main import create_app
from app.outbox import Outbox
from app.source.auth import WriteKeys
from app.source.tracking_api import tracking_router
from app.web.application import Application
from tests.assembled import settings
from tests.outbox.build import NOW, At
from tests.outbox.conftest import Clock
from tests.process import ROOT
from tests.rows import every_row
from tests.source.door import Ledger, request_handler

WRONG = RefusedRequest("shopify", 401, "bad signature", "SHOPIFY_WEBHOOK_SECRET")
UNKNOWN = RefusedRequest("unknown", 401, "unknown key", "WRITE_KEYS")
VIEWER = RefusedRequest("", 403, "not an operator", "CONSOLE_USERS")


def counting(metrics: Metrics, outbox: Any, clock: Clock) -> RefusalKeeper:
    return RefusalKeeper(metrics, outbox, clock=clock, on_error=lambda exc: pytest.fail(str(exc)))


async def test_counts_of_several_processes_are_summed_for_24_hours(at: At, clock: Clock) -> None:
    outbox, processes = at.outbox, [Metrics(), Metrics()]
    keepers = [counting(each, outbox, clock) for each in processes]
    for metrics, times in zip(processes, (3, 4), strict=True):
        for _ in range(times):
            metrics.refused_request(WRONG)
    processes[1].refused_request(VIEWER)
    for keeper in (*keepers, *keepers):  # nothing is written twice
        await keeper.look()
    assert await read_refused(outbox, now=NOW) == {WRONG: 7, VIEWER: 1}
    clock.now += DAY_S / 2
    processes[0].refused_request(WRONG)
    await keepers[0].look()
    assert await read_refused(outbox, now=NOW + DAY_S - 3_600) == {WRONG: 8, VIEWER: 1}
    assert await read_refused(outbox, now=NOW + DAY_S + 3_600) == {WRONG: 1}
    hours = await outbox.counters(since=NOW - DAY_S, step_s=3_600, names=["refused_request"])
    assert [(at, counter.count) for at, counter in hours if counter.source] == [
        (NOW // 3_600 * 3_600, 7),
        ((NOW + DAY_S / 2) // 3_600 * 3_600, 1),
    ]


class Away:
    """An outbox that cannot be reached at first."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.is_away = True

    async def enqueue(self, *given: Any, now: float) -> None:
        if self.is_away:
            raise OutboxUnavailable("away")
        await self.outbox.enqueue(*given, now=now)


async def test_counts_wait_while_the_outbox_is_away(at: At, clock: Clock) -> None:
    metrics, outbox = Metrics(), Away(at.outbox)
    keeper = counting(metrics, outbox, clock)
    metrics.refused_request(WRONG)
    with pytest.raises(OutboxUnavailable):
        await keeper.look()
    outbox.is_away = False
    metrics.refused_request(WRONG)
    await keeper.look()
    assert await read_refused(at.outbox, now=NOW) == {WRONG: 2}


async def test_wrong_keys_without_end_are_one_count(at: At, clock: Clock) -> None:
    metrics, given = Metrics(), SenderSettings.model_construct(write_keys=(SecretStr("shop:k1"),))
    app = Application(metrics, open_tracing({}), settings=settings())
    app.include_busy_router(tracking_router(request_handler(Ledger()), given, WriteKeys.of(given)))

    async def try_keys(first: int, last: int) -> None:
        for number in range(first, last):
            query = b"writeKey=wrong-%d" % number
            scope = {"type": "http", "method": "POST", "path": "/v1/page", "headers": [], "query_string": query}
            await app(scope, no_body, ignore)

    await try_keys(0, 1_000)
    before = sys.getallocatedblocks()
    await try_keys(1_000, 100_000)
    assert sys.getallocatedblocks() - before < 5_000
    assert metrics.refused_requests == {UNKNOWN: 100_000}
    assert metrics.render([], now=NOW)[0].count(b"pinrelay_refused_requests_total{") == 1
    await counting(metrics, at.outbox, clock).look()
    assert await read_refused(at.outbox, now=NOW) == {UNKNOWN: 100_000}


async def no_body() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def ignore(_: Any) -> None:
    """Drop a message of an answer."""


@every_row(
    ("refused", "requests", "told"),
    [
        (WRONG, REFUSED - 1, ""),
        (WRONG, REFUSED, "3 requests of the source shopify were refused with 401 in the last 24 hours: bad signature."),
        (UNKNOWN, 5, "5 requests of an unknown source were refused with 401 in the last 24 hours: unknown key."),
        (RefusedRequest("default", 415, "x", ""), 9, "9 requests of /webhook were refused with 415"),
        (VIEWER, 1_000, ""),
    ],
)
def test_three_refused_requests_of_a_sender_need_a_person(refused: RefusedRequest, requests: int, told: str) -> None:
    alerts = refused_requests({refused: requests})
    assert [each.text.startswith(told) for each in alerts] == [True] * bool(told)
    assert all((f"Check {refused.setting}." in each.text) is bool(refused.setting) for each in alerts)


@asynccontextmanager
async def serving(outbox_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run one process that serves, with the source of Shopify."""
    app = create_app(settings(outbox_url=outbox_url, sources="shopify"))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        yield client


def shopify_order(number: int) -> tuple[bytes, dict[str, str]]:
    """Return the body of a paid order, and its headers with the signature of another shop's secret."""
    example = yaml.safe_load((ROOT / "sources/shopify.yaml").read_text("utf-8"))["tests"][0]
    body = orjson.dumps(example["event"] | {"id": number, "name": f"#{number}"})
    signature = b64encode(hmac.digest(b"secret of another shop", body, "sha256")).decode()
    return body, example["headers"] | {"X-Shopify-Hmac-SHA256": signature, "Content-Type": "application/json"}


def labels_of_rule(alert: str) -> list[dict[str, str]]:
    """Return the labels with which promtool sees the alert fire (`tests/test_prometheus.py`)."""
    cases = yaml.safe_load((ROOT / "tests/cases/prometheus_alerts.yaml").read_text("utf-8"))["tests"]
    tests = [test for case in cases for test in case["alert_rule_test"] if test["alertname"] == alert]
    return [fired["exp_labels"] for test in tests for fired in test.get("exp_alerts", ())]


@pytest.mark.usefixtures("restored_logging")
async def test_wrongly_signed_orders_of_a_shop_are_shown_everywhere(
    outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    monkeypatch.setenv("SHOPIFY_WEBHOOK_SECRET", "of-another-shop")
    lines: list[Mapping[str, Any]] = []
    configure_logging("json", "info")
    log_takers.append(lines.append)
    try:
        async with serving(outbox_url) as one, serving(outbox_url) as other:
            for number in range(50):
                client = other if number % 5 == 0 else one
                body, headers = shopify_order(number)
                answer = await client.post("/webhook/shopify", content=body, headers=headers)
                assert answer.status_code == 401
            figures = (await one.get("/metrics")).text
    finally:
        log_takers.remove(lines.append)
    async with serving(outbox_url) as client:
        overview = unescape((await client.get("/console")).text)
        status = (await client.get("/api/v1/status")).json()
    environ = {"OUTBOX_URL": outbox_url, "COLUMNS": "300"}
    printed = [
        await asyncio.to_thread(CliRunner().invoke, cli, ["status", *more], env=environ) for more in ([], ["--json"])
    ]

    logged = [line for line in lines if line["event"] == "request" and line["status"] == 401]
    assert [(line["source"], line["check"], line["setting"]) for line in logged] == [
        ("shopify", "bad signature", "SHOPIFY_WEBHOOK_SECRET")
    ] * 50
    labels = {"source": "shopify", "status": "401", "cause": "bad signature"}
    assert [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(figures)
        for sample in family.samples
        if sample.name == "pinrelay_refused_requests_total"
    ] == [(labels, 40)]
    assert labels | {"job": "pinrelay", "severity": "warning"} in labels_of_rule("PinrelayRequestsRefused")
    needs = overview.partition('id="part-needs"')[2].partition("</section>")[0]
    for text in ("50 requests of the source shopify", "401", "bad signature", "Check SHOPIFY_WEBHOOK_SECRET."):
        assert text in needs
    assert status["refused_requests"] == [WRONG._asdict() | {"requests": 50}]
    shown = "shopify 401 bad signature (SHOPIFY_WEBHOOK_SECRET)"
    assert f"{shown} 50" in printed[0].stdout
    assert json.loads(printed[1].stdout)["refused_requests"] == {shown: 50}
