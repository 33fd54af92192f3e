"""Several ad accounts through the running application: one event, two ad accounts, and everything told by account."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app import assemble
from app.main import create_app
from app.pipeline.receipts import BACKLOG_FULL
from tests.assembled import settings
from tests.waiting import until_async

FILES = {
    "us": 'name: US\nad_account_id: "1001"\nmode: sandbox\nsettings: {default_currency: USD, batch_max_wait_s: 0}\n',
    "fr": 'name: FR\nad_account_id: "1002"\nmode: sandbox\nsettings: {default_currency: EUR, batch_max_wait_s: 0}\n'
    "presets: [Order Completed]\n",
}


def order(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"order-{number}",
        "timestamp": time.time(),
        "userId": "u-1",
        "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "203.0.113.9"},
        "properties": {"order_id": f"SO-{number}", "revenue": 20, "email": "ann@shop.example"},
    }


@asynccontextmanager
async def serving(folder: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    destinations = folder / "destinations"
    destinations.mkdir()
    for name, text in FILES.items():
        (destinations / f"{name}.yaml").write_text(text, encoding="utf-8")
    app = create_app(
        settings(
            outbox_url=f"sqlite:///{folder}/pinrelay.db",
            destinations_dir=(destinations,),
            retention_days="payload:1",
            **changes,
        )
    )
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40_000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client,
    ):
        yield client


async def deliveries(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/api/v1/deliveries", params=query)).json()["deliveries"]
    return found


async def all_delivered(client: httpx.AsyncClient, count: int) -> None:
    async def are() -> bool:
        return len(await deliveries(client, state="delivered")) == count

    await until_async(are, 30, f"{count} deliveries")


async def payload_of(client: httpx.AsyncClient, account: str) -> dict[str, Any]:
    (found,) = await deliveries(client, ad_account_id=account)
    shown = (await client.get(f"/api/v1/deliveries/{found['delivery_id']}")).json()
    payload: dict[str, Any] = httpx.Response(200, content=shown["payload"]).json()
    return payload


async def test_one_order_goes_to_two_ad_accounts_each_with_its_own_currency(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        receipt = (await client.post("/webhook", json=order(1))).json()
        (event,) = receipt["events"]
        told = [(line["preset"], line["destination"], line["outcome"]) for line in event["deliveries"]]
        assert sorted(told) == sorted(("Order Completed", name, "enqueued") for name in ("FR", "US"))

        await all_delivered(client, 2)
        currencies = {
            account: (await payload_of(client, account))["custom_data"]["currency"] for account in ("1001", "1002")
        }
        assert currencies == {"1001": "USD", "1002": "EUR"}

        again = (await client.post("/webhook", json=order(1))).json()["events"][0]["deliveries"]
        assert {line["outcome"] for line in again} == {"duplicate"}


async def test_a_switch_of_one_ad_account_holds_its_deliveries_and_no_others(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert (await client.post("/api/v1/switch", json={"on": False, "ad_account_id": "1002"})).status_code == 200
        await client.post("/webhook", json=order(1))
        await all_delivered(client, 1)
        (sent,) = await deliveries(client, state="delivered")
        assert sent["ad_account_id"] == "1001"

        ready = (await client.get("/readyz")).json()
        delivery = ready["delivery"]
        assert (ready["mode"], delivery["state"], delivery["pending"]) == ("sandbox", "switched off", 1)
        told = {each["name"]: (each["state"], each["pending"]) for each in delivery["destinations"]}
        assert told == {"US": ("sending", 0), "FR": ("switched off", 1)}
        metrics = (await client.get("/metrics")).text
        assert 'pinrelay_backlog_deliveries{destination="FR",state="pending"} 1.0' in metrics
        assert 'pinrelay_delivery_state{destination="US",state="switched off"} 0.0' in metrics
        overview, mappings = [(await client.get(f"/console{page}")).text for page in ("", "/mappings")]
        assert "By ad account" in overview
        assert "FR: Sending is switched off." in overview
        assert "Switch on<span" in mappings

        assert 'pinrelay_destination_deliveries_total{destination="US",outcome="delivered"} 1.0' in metrics
        await client.post("/api/v1/switch", json={"on": True, "ad_account_id": "1002"})
        await all_delivered(client, 2)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"on": True, "ad_account_id": "7"}, 404),
        ({"on": True, "ad_account_id": "1001", "preset": "Order Completed"}, 400),
    ],
)
async def test_a_switch_that_there_is_not_is_refused(tmp_path: Path, asked: dict[str, Any], status: int) -> None:
    async with serving(tmp_path) as client:
        assert (await client.post("/api/v1/switch", json=asked)).status_code == status


async def test_the_console_switches_and_filters_by_ad_account(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        here = {"Origin": "http://127.0.0.1:8080"}
        form = {"ad_account_id": "1002", "on": "no"}
        assert (await client.post("/console/mappings/switch", data=form, headers=here)).status_code == 303
        assert "switched off" in (await client.get("/console/mappings")).text
        form["ad_account_id"] = "7"
        assert (await client.post("/console/mappings/switch", data=form, headers=here)).status_code == 404
        await client.post("/webhook", json=order(1))
        page = (await client.get("/console/deliveries", params={"ad_account_id": "1002"})).text
        assert '<option value="1002" selected>FR</option>' in page
        tried = await client.get("/console/tester", params={"example": "Order Completed"})
        assert "Order Completed (FR)" in tried.text
        event = {"event": httpx.Response(200, json=order(2)).text, "send": "Order Completed (FR)"}
        sent = await client.post("/console/tester", data=event, headers=here)
        assert "Answer 200" in sent.text


async def test_a_changed_file_of_an_ad_account_is_told_until_the_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert "restart" not in (await client.get("/readyz")).json()
        path = next((tmp_path / "destinations").glob("*.yaml"))
        path.write_text(path.read_text(encoding="utf-8") + "# another\n", encoding="utf-8")

        async def told() -> str:
            return str((await client.get("/readyz")).json().get("restart", ""))

        notice = await until_async(told, what="the change is told")
        assert notice == f"DESTINATIONS_DIR: changed since the start: {path.name}. Restart to apply it."
        for page in ("", "/deliveries"):
            assert notice in (await client.get(f"/console{page}")).text


async def test_a_full_ad_account_is_told_and_takes_nothing_from_the_other(tmp_path: Path) -> None:
    ((_, payload),) = assemble.pipeline(settings(default_currency="EUR")).map_event(orjson.dumps(order(1)), time.time())
    async with serving(tmp_path, outbox_max_backlog_bytes=len(payload)) as client:
        await client.post("/api/v1/switch", json={"on": False, "ad_account_id": "1002"})
        await client.post("/webhook", json=order(1))
        await all_delivered(client, 1)
        answer = await client.post("/webhook", json=order(2))
        assert answer.status_code == 200
        (event,) = answer.json()["events"]
        outcomes = {line["destination"]: (line["outcome"], line["reason"]) for line in event["deliveries"]}
        assert outcomes["US"][0] == "enqueued"
        assert outcomes["FR"] == ("withheld", BACKLOG_FULL)
        await all_delivered(client, 2)

        ready = (await client.get("/readyz")).json()
        of_each = {each["name"]: each for each in ready["delivery"]["destinations"]}
        assert (ready["ready"], of_each["US"]["state"], of_each["FR"]["state"]) == (True, "sending", "full")
        told = f"{len(payload)} bytes wait, of {len(payload)} that may (OUTBOX_MAX_BACKLOG_BYTES)"
        assert f"FR: The backlog is full: {told}." in (await client.get("/console")).text
        metrics = (await client.get("/metrics")).text
        assert 'pinrelay_delivery_state{destination="FR",state="full"} 1.0' in metrics
        assert 'pinrelay_destination_deliveries_total{destination="FR",outcome="withheld"} 1.0' in metrics
        ((_, note),) = (await client.get("/api/v1/messages/order-2")).json()["dropped_events"]
        assert (note["ad_account_id"], note["outcome"], note["source"]) == ("1002", "withheld", "default")
