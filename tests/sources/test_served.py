"""A named source in the whole application: from the signed request to the ledger, and changes while it runs."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml

from app.main import create_app
from tests import assembled
from tests.disks import bytes_of
from tests.outbox.new_store import new_store
from tests.sources.sending import NOW
from tests.sources.test_cases import CASES
from tests.sources.test_named_sources import MAPPED, SECRET
from tests.waiting import until_async

ORDER = CASES["shopify-order-paid"]


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The secret of Shopify stands in a file that a variable names."""
    secret = tmp_path / "secret"
    secret.write_text(ORDER["secrets"]["SHOPIFY_WEBHOOK_SECRET"], encoding="utf-8")
    monkeypatch.setenv("SHOPIFY_WEBHOOK_SECRET_FILE", str(secret))
    return secret


def app_of(folder: Path, **settings: Any) -> Any:
    url = new_store(folder, "outbox.db")
    return create_app(assembled.settings(outbox_url=url, batch_max_wait_s=0, **settings), clock=lambda: NOW, environ={})


def client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("127.0.0.1", 0)), base_url="http://localhost")


async def send(http: httpx.AsyncClient, request: dict[str, Any]) -> httpx.Response:
    return await http.post("/webhook/shopify", headers=request["headers"], content=orjson.dumps(request["body"]))


def on_disk(folder: Path) -> bytes:
    return b"".join(bytes_of(path) for path in folder.glob("outbox.db*")).lower()


@pytest.mark.slow
async def test_a_shopify_order_is_in_the_ledger_with_its_source_and_once(tmp_path: Path, in_environment: Path) -> None:
    app = app_of(tmp_path, sources=("shopify",))
    async with app.router.lifespan_context(app), client(app) as http:
        first, again = await send(http, ORDER["request"]), await send(http, ORDER["request"])
        found = (await http.get("/api/v1/messages/shopify-order-5471610093881")).json()
        shown = (await http.get(f"/console/delivery?id={found['deliveries'][0]['delivery_id']}")).text
        metrics = (await http.get("/metrics")).text

    assert first.json()["counts"] == {"accepted": 1, "enqueued": 1}
    assert again.json()["counts"] == {"accepted": 1, "duplicate": 1}
    assert [each["source"] for each in found["deliveries"]] == ["shopify"]
    assert '<dt>Source</dt><dd><code>shopify</code> <span class="hint">trusted</span></dd>' in shown
    assert 'pinrelay_source_events_total{outcome="duplicate",source="shopify"} 1.0' in metrics
    assert 'pinrelay_source_events_total{outcome="accepted",source="shopify"} 2.0' in metrics


HELD = """
name: Order Completed
subscribe: type = "track" AND event = "Order Completed"
action: report_conversion_event
hold: 30m
withdrawn_by: type = "track" AND event = "Order Cancelled"
mapping: {event_name: checkout}
"""


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
async def test_an_order_that_a_shop_cancels_while_it_is_held_is_withdrawn(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, cancelled = CASES[f"{shop}-order-paid"], CASES[f"{shop}-order-cancelled"]
    ((variable, secret),) = order["secrets"].items()
    monkeypatch.setenv(variable, secret)
    (tmp_path / "order.yaml").write_text(HELD, encoding="utf-8")
    app = app_of(tmp_path, sources=(shop,), presets_dir=(tmp_path,))
    async with app.router.lifespan_context(app), client(app) as http:
        for case in (order, cancelled):
            content = orjson.dumps(case["request"]["body"])
            answer = await http.post(f"/webhook/{shop}", headers=case["request"]["headers"], content=content)
            assert answer.status_code == 200
        counts = (await http.get("/api/v1/events/counts")).json()["counts"]
        assert (await http.get("/api/v1/status")).json()["pending"] == 0
    assert {each["name"]: each["count"] for each in counts if each["name"] in ("enqueued", "withdrawn")} == {
        "enqueued": 1,
        "withdrawn": 1,
    }


@pytest.mark.slow
async def test_a_cancellation_that_came_too_late_says_so_in_its_receipt_and_in_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "order.yaml").write_text(HELD, encoding="utf-8")
    app = app_of(tmp_path, sources=(), presets_dir=(tmp_path,))
    reasons: dict[str, str] = {}
    async with app.router.lifespan_context(app), client(app) as http:
        order = event("Order Completed", "m-1", "SO-1")
        for events in ([order], *([event("Order Cancelled", f"c-{n}", "SO-1")] for n in (1, 2))):
            receipt = (await http.post("/webhook", json=events)).json()
            reasons |= {each["message_id"]: each["deliveries"][0].get("reason") for each in receipt["events"]}
        both = [event("Order Completed", "m-2", "SO-2"), event("Order Cancelled", "c-3", "SO-2")]
        several = [*both, event("Order Cancelled", "c-4", "SO-9")]
        receipt = (await http.post("/webhook", json=several)).json()
        reasons |= {each["message_id"]: each["deliveries"][0].get("reason") for each in receipt["events"]}
        kept = {
            each: [
                event["reason"] for _, event in (await http.get(f"/api/v1/messages/{each}")).json()["dropped_events"]
            ]
            for each in reasons
            if each.startswith("c")
        }
    in_time, late = (
        "its waiting deliveries are not sent",
        "none of its deliveries waits, it was sent before or never came",
    )
    assert {name: reason for name, reason in reasons.items() if name.startswith("c")} == {
        "c-1": f"order SO-1 is cancelled: {in_time}",
        "c-2": f"order SO-1 is cancelled too late: {late}",
        "c-3": f"order SO-2 is cancelled: {in_time}",
        "c-4": f"order SO-9 is cancelled too late: {late}",
    }
    assert kept == {name: [reason] for name, reason in reasons.items() if name.startswith("c")}


def event(name: str, message_id: str, order_id: str) -> dict[str, Any]:
    return {
        "type": "track",
        "event": name,
        "messageId": message_id,
        "context": {"traits": {"email": "ada@example.com"}},
        "properties": {"order_id": order_id, "total": 5, "currency": "EUR"},
    }


@pytest.mark.slow
async def test_nothing_of_a_person_that_a_shop_sends_reaches_the_disk(tmp_path: Path, in_environment: Path) -> None:
    app = app_of(tmp_path, sources=("shopify",))
    async with app.router.lifespan_context(app), client(app) as http:
        assert (await send(http, ORDER["request"])).json()["counts"]["enqueued"] == 1
        waiting = on_disk(tmp_path)  # perhaps in the middle of a checkpoint
    kept = on_disk(tmp_path)
    assert b"shopify-order-5471610093881" in kept
    for value in ("jon@example.com", "louisville", "502-555-0199", "5025550199", *ORDER["secrets"].values()):
        assert value.encode() not in waiting + kept


@pytest.mark.slow
async def test_another_secret_is_taken_up_without_a_restart(tmp_path: Path, in_environment: Path) -> None:
    app = app_of(tmp_path, sources=("shopify",))
    async with app.router.lifespan_context(app), client(app) as http:
        assert (await send(http, ORDER["request"])).status_code == 200
        new = in_environment.with_suffix(".new")
        new.write_text("another-secret-of-this-shop", encoding="utf-8")
        new.replace(in_environment)

        async def is_refused() -> bool:
            return (await send(http, ORDER["request"])).status_code == 401

        await until_async(is_refused, what="the old secret is refused")


@pytest.mark.slow
async def test_a_reload_takes_up_the_files_of_sources_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.setenv("SHOP_SECRET", SECRET)

    def write(spec: dict[str, Any]) -> None:
        (folder / "shop.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")

    write(MAPPED)
    app = app_of(tmp_path, sources_dir=(folder,))
    async with app.router.lifespan_context(app), client(app) as http:

        async def outcomes() -> Any:
            answer = await http.post("/webhook/shop", headers={"x-key": SECRET}, json={"what": "Ping"})
            return answer.json()["counts"]

        async def generation() -> Any:
            return (await http.get("/readyz")).json()["generation"]

        assert await outcomes() == {"accepted": 1, "unmatched": 1}
        before = await generation()
        write(MAPPED | {"kind": "odd"})
        kept = await http.post("/api/v1/reload", json={})
        assert (kept.status_code, await outcomes()) == (400, {"accepted": 1, "unmatched": 1})
        assert "shop.yaml: /kind" in kept.text
        assert await generation() == before
        write(MAPPED | {"enabled": False})
        assert (await http.post("/api/v1/reload", json={})).status_code == 200
        assert await outcomes() == {"accepted": 1, "withheld": 1}
        assert await generation() != before, "so that other processes read the files too"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "status"),
    [({}, 200), ({"sources": ("shopify",)}, 401), ({"webhook_header": "X-Key: value-of-it"}, 401)],
)
@pytest.mark.usefixtures("in_environment")
async def test_the_default_source_asks_for_a_proof_where_any_source_does(
    tmp_path: Path, settings: dict[str, Any], status: int
) -> None:
    app = app_of(tmp_path, **settings)
    async with app.router.lifespan_context(app), client(app) as http:
        assert (await http.post("/webhook", json=[])).status_code == status


@pytest.mark.slow
async def test_where_no_source_is_named_there_is_no_such_path(tmp_path: Path) -> None:
    app = app_of(tmp_path)
    async with app.router.lifespan_context(app), client(app) as http:
        answer = await http.post("/webhook/shopify", json={})
        described = (await http.get("/openapi.json")).json()
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "/webhook/{source}" not in described["paths"]
