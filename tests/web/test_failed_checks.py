"""Each refused request is logged with the check that failed and the setting that configures the check."""

import asyncio
import hmac
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.core.log import configure_logging, log_takers
from app.main import create_app
from tests.assembled import settings
from tests.outbox.new_store import new_store
from tests.process import ROOT

pytestmark = pytest.mark.usefixtures("restored_logging")

SECRET = "0123456789abcdef-secret"
KEY = "0123456789abcdef-key"
TOKEN = "0123456789abcdef-bob"
EVENT = {"type": "page", "messageId": "m", "userId": "u"}
TWO = orjson.dumps([EVENT, EVENT])
TOKENS = "CONSOLE_USERS, CONSOLE_PASSWORD"
LATE = str(int(time.time()) - 3_600)
OURS = {"auth": (KEY, "")}
FAR = {"headers": {"host": "pins.example"}}
BOB = {"authorization": f"Bearer {TOKEN}", "origin": "http://127.0.0.1"}
HOOK = {
    "name": "hook",
    "kind": "segment",
    "proofs": [{"kind": "standard_webhooks", "secret": [{"env": "NEW"}, {"env": "OLD"}]}],
}


class Row(NamedTuple):
    asked: str
    request: dict[str, Any]
    status: int
    #: "" for the surfaces of operators.
    source: str
    cause: str
    #: The beginning.
    setting: str


def signed(body: bytes) -> dict[str, Any]:
    return {"content": body, "headers": {"x-signature": hmac.digest(SECRET.encode(), body, "sha1").hex()}}


def row(asked: str, told: str, setting: str, **request: Any) -> Row:
    """Read `status source: cause`."""
    head, _, cause = told.partition(": ")
    status, _, source = head.partition(" ")
    return Row(asked, request, int(status), source, cause, setting)


#: What is configured, and requests that are refused then.
ROWS: dict[str, tuple[dict[str, Any], list[Row]]] = {
    "signatures and keys": (
        {
            "webhook_shared_secrets": SECRET,
            "write_keys": f"shop:{KEY}",
            "tag_check": True,
            "write_key_limits": "shop:1000:1",
            "max_events_per_request": 1,
            "max_decompressed_bytes": 1_000,
        },
        [
            row("POST /webhook", "401 default: missing signature", "WEBHOOK_SHARED_SECRETS"),
            row("POST /webhook", "401 default: bad signature", "WEBHOOK_SHARED_SECRETS", headers={"x-signature": "ab"}),
            row("POST /webhook", "413 default: too many events", "MAX_EVENTS_PER_REQUEST, ", **signed(TWO)),
            row("POST /webhook", "413 default: too large", "MAX_DECOMPRESSED_BYTES, ", **signed(b"x" * 2_000)),
            row(
                *("POST /webhook", "415 default: unsupported encoding", ""),
                headers={"x-signature": "ab", "content-encoding": "br"},
            ),
            row("POST /v1/page", "401 unknown: unknown key", "WRITE_KEYS", auth=("x", "")),
            row("POST /v1/page", "401 unknown: unknown key", "WRITE_KEYS", json=EVENT | {"writeKey": "x"}),
            row("POST /v1/page", "401 unknown: unknown key", "WRITE_KEYS", json=EVENT | {"context": {"writeKey": KEY}}),
            row("POST /v1/page", "401 unknown: missing key", "WRITE_KEYS", json=EVENT),
            row(
                "POST /v1/page",
                "415 shop: unsupported encoding",
                "",
                **OURS,
                content=b"x",
                headers={"content-encoding": "br"},
            ),
            row("GET /sourceConfig", "401 unknown: missing key", "WRITE_KEYS"),
            row("GET /sourceConfig?writeKey=x", "401 unknown: unknown key", "WRITE_KEYS"),
            row("POST /v1/tag", "401 unknown: missing key", "WRITE_KEYS", json={}),
            row("POST /v1/tag", "401 unknown: unknown key", "WRITE_KEYS", json={"writeKey": "x"}),
            row("POST /v1/page", "200 ", "", **OURS, json=EVENT),
            row("POST /v1/page", "429 shop: over quota", "WRITE_KEY_LIMITS, ", **OURS, json=EVENT),
        ],
    ),
    "a secret header": (
        {"webhook_header": f"X-Key: {SECRET}"},
        [
            row("POST /webhook", "401 default: missing secret", "WEBHOOK_HEADER"),
            row("POST /webhook", "401 default: wrong secret", "WEBHOOK_HEADER", headers={"x-key": "x"}),
        ],
    ),
    "a write key only": (
        {"write_keys": f"shop:{KEY}"},
        [row("POST /webhook", "401 default: no secret is set", "WEBHOOK_SHARED_SECRETS, WEBHOOK_HEADER")],
    ),
    "nothing": (
        {},
        [
            row("POST /webhook", "403 unknown: not from this machine", "WEBHOOK_SHARED_SECRETS, ", **FAR),
            row("GET /metrics", "403 : not from this machine", TOKENS, **FAR),
            row("GET /console", "403 : not from this machine", TOKENS, **FAR),
            row("GET /api/v1/status", "403 : not from this machine", TOKENS, **FAR),
            row("POST /api/v1/reload", "415 : content type", ""),
            row("POST /console/tester", "403 : not sent from the console", ""),
        ],
    ),
    "users": (
        {
            "host": "0.0.0.0",
            "write_keys": f"shop:{KEY}",
            "console_users": f"bob:{TOKEN}",
            "console_user_header": "X-User",
            "trusted_proxies": "10.0.0.1",
        },
        [
            row("GET /api/v1/status", "401 : missing token", TOKENS),
            row("GET /metrics", "401 : missing token", TOKENS),
            row("GET /console", "401 : wrong token", TOKENS, headers={"authorization": "Bearer x"}),
            row("POST /console/login", "401 : wrong token", TOKENS, headers=BOB, data={"password": "x"}),
            row("GET /console", "403 : user named by an untrusted proxy", "TRUSTED_PROXIES", headers={"x-user": "ada"}),
            row("POST /api/v1/reload", "403 : not an operator", "CONSOLE_USERS, ", headers=BOB, json={}),
            row(
                "POST /api/v1/find",
                "403 : not an operator",
                "CONSOLE_USERS, ",
                headers=BOB,
                json={"text": "a@b.example"},
            ),
            row(
                "POST /console/deliveries/redrive",
                "403 : not an operator",
                "CONSOLE_USERS, ",
                headers=BOB,
                data={"all": "1"},
            ),
            row("PUT /sandbox/script", "403 : not an operator", "CONSOLE_USERS, ", headers=BOB),
        ],
    ),
    "sources": (
        {"sources": "stripe,rudderstack,shopify,shopify_pixel,hook"},
        [
            row("POST /webhook/shopify", "401 shopify: missing signature", "SHOPIFY_WEBHOOK_SECRET"),
            row(
                *("POST /webhook/shopify", "401 shopify: bad signature", "SHOPIFY_WEBHOOK_SECRET"),
                headers={"x-shopify-hmac-sha256": "eA=="},
            ),
            row("POST /webhook/shopify_pixel", "401 shopify_pixel: missing key", "SHOPIFY_PIXEL_KEY"),
            row("POST /webhook/shopify_pixel?key=x", "401 shopify_pixel: unknown key", "SHOPIFY_PIXEL_KEY"),
            row("POST /webhook/rudderstack", "401 rudderstack: missing secret", "RUDDERSTACK_SECRET"),
            row(
                *("POST /webhook/rudderstack", "401 rudderstack: wrong secret", "RUDDERSTACK_SECRET"),
                headers={"x-pinrelay-key": "x"},
            ),
            row(
                *("POST /webhook/stripe", "401 stripe: clock", "the clock of this machine, tolerance_s of stripe"),
                headers={"stripe-signature": f"t={LATE},v1=ab"},
            ),
            row(
                *("POST /webhook/stripe", "401 stripe: bad signature", "STRIPE_WEBHOOK_SECRET"),
                headers={"stripe-signature": "t=NOW,v1=ab"},
            ),
            row("POST /webhook/hook", "401 hook: missing signature", "NEW, OLD", headers={"webhook-id": "1"}),
            row(
                *("POST /webhook/hook", "401 hook: clock", "the clock of this machine, tolerance_s of hook"),
                headers={"webhook-id": "1", "webhook-timestamp": LATE, "webhook-signature": "v1,eA=="},
            ),
        ],
    ),
}


@pytest.fixture
def lines() -> Iterator[list[Mapping[str, Any]]]:
    """Return the lines of the log, each as facts."""
    configure_logging("json", "info")
    found: list[Mapping[str, Any]] = []
    log_takers.append(found.append)
    yield found
    log_takers.remove(found.append)


@asynccontextmanager
async def serving(folder: Path, changes: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application with these settings, and with a source `hook` beside the shipped ones."""
    (folder / "hook.yaml").write_text(yaml.safe_dump(HOOK), encoding="utf-8")
    folders = {"sources_dir": (ROOT / "sources", folder)} if "sources" in changes else {}
    app = create_app(settings(outbox_url=new_store(folder, "o.db"), **changes, **folders))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


@pytest.mark.parametrize("configured", ROWS)
async def test_the_log_names_the_check_that_failed_and_its_setting(
    configured: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[Mapping[str, Any]],
    subtests: pytest.Subtests,
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    for name in (
        "SHOPIFY_WEBHOOK_SECRET",
        "SHOPIFY_PIXEL_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "RUDDERSTACK_SECRET",
        "NEW",
        "OLD",
    ):
        monkeypatch.setenv(name, "MDEyMzQ1Njc4OWFiY2RlZg==")
    changes, rows = ROWS[configured]
    async with serving(tmp_path, changes) as client:
        for number, each in enumerate(rows):
            method, _, path = each.asked.partition(" ")
            lines.clear()
            given = each.request.get("headers", {}).items()
            headers = {name: value.replace("NOW", f"{time.time():.0f}") for name, value in given}
            answer = await client.request(method, path, **each.request | {"headers": headers})
            await asyncio.sleep(0)  # requests are logged when a turn of the event loop is over
            (line,) = [line for line in lines if line["event"] == "request"]
            with subtests.test(f"{number}: {each.asked}"):
                assert answer.status_code == line["status"] == each.status
                assert line.get("check", "") == each.cause
                assert line.get("setting", "").startswith(each.setting)
                assert bool(line.get("setting")) is bool(each.setting)
                assert not any(secret in repr(line) for secret in (SECRET, KEY, TOKEN))
        shown = text_string_to_metric_families((await client.get("/metrics", headers=BOB)).text)
    counts = {
        (sample.labels["source"], sample.labels["status"], sample.labels["cause"]): sample.value
        for family in shown
        for sample in family.samples
        if sample.name == "pinrelay_refused_requests_total"
    }
    assert counts == Counter((each.source, str(each.status), each.cause) for each in rows if each.cause)
