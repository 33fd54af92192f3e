"""A cancelled order need not count: held, withdrawn by a cancellation, and told at every place that tells."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.main import create_app
from tests.assembled import SHIPPED, settings
from tests.waiting import until_async

PRESET = """
name: Order Completed
subscribe: type = "track" AND event = "Order Completed"
action: report_conversion_event
hold: HOLD
withdrawn_by: type = "track" AND event = "Order Cancelled"
mapping:
  event_name: checkout
"""


def track(event: str, message_id: str, order_id: str) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "messageId": message_id,
        "timestamp": time.time(),
        "userId": "u-1",
        "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "203.0.113.9"},
        "properties": {"order_id": order_id, "revenue": 20, "currency": "EUR", "email": "ann@shop.example"},
    }


@asynccontextmanager
async def serving(folder: Path, hold: str) -> AsyncIterator[httpx.AsyncClient]:
    presets = folder / "presets"
    presets.mkdir(exist_ok=True)
    (presets / "order.yaml").write_text(PRESET.replace("HOLD", hold), encoding="utf-8")
    mine = settings(
        **(SHIPPED | {"presets_dir": (presets,)}), outbox_url=f"sqlite:///{folder}/pinrelay.db", batch_max_wait_s=0
    )
    app = create_app(mine)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 40_000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client,
    ):
        yield client


async def outcomes(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[list[str]]:
    receipt = (await client.post("/webhook", json=list(events))).json()
    return [[line["outcome"] for line in event["deliveries"]] for event in receipt["events"]]


async def test_an_order_that_is_cancelled_within_its_hold_is_withdrawn_and_told_everywhere(tmp_path: Path) -> None:
    async with serving(tmp_path, "30m") as client:
        order, other = track("Order Completed", "m-1", "SO-1"), track("Order Completed", "m-2", "SO-2")
        assert await outcomes(client, order, other) == [["enqueued"], ["enqueued"]]
        assert (await client.get("/api/v1/status")).json()["pending"] == 2

        tried = await client.get("/console/tester")
        assert tried.status_code == 200
        assert await outcomes(client, track("Order Cancelled", "c-1", "SO-1")) == [["matched"]]

        status = (await client.get("/api/v1/status")).json()
        assert (status["pending"], status["oldest_age_s"]) == (1, 0)
        message = (await client.get("/api/v1/messages/m-1")).json()
        ((_, note),) = message["dropped_events"]
        assert (note["outcome"], note["reason"]) == ("withdrawn", "withdrawn by message c-1")
        assert message["deliveries"] == []
        assert "withdrawn by message c-1" in (await client.get("/console/message", params={"id": "m-1"})).text
        assert await outcomes(client, order) == [["duplicate"]]
        assert 'outcome="withdrawn",preset="Order Completed"} 1.0' in (await client.get("/metrics")).text


async def test_a_cancellation_is_known_by_its_message_id_whether_it_withdrew_anything_or_came_too_late(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, "30m") as client:
        await outcomes(client, track("Order Completed", "m-1", "SO-1"))
        for message_id, order_id in ("c-1", "SO-1"), ("c-2", "SO-1"), ("c-3", "SO-9"):
            await outcomes(client, track("Order Cancelled", message_id, order_id))
            ((_, note),) = (await client.get(f"/api/v1/messages/{message_id}")).json()["dropped_events"]
            assert (note["outcome"], note["preset"], note["name"]) == ("matched", "Order Completed", "Order Cancelled")
            late = " too late: none of its deliveries waits, it was sent before or never came"
            told = ": its waiting deliveries are not sent" if message_id == "c-1" else late
            assert note["reason"] == f"order {order_id} is cancelled{told}"
            page = (await client.get("/console/message", params={"id": message_id})).text
            assert "cancellation</span>" in page
            assert f"order {order_id} is cancelled" in page
        assert (await client.get("/api/v1/orders/revenue?days=1")).json()["currencies"][0]["received"]["orders"] == 1


async def test_order_and_cancellation_in_one_request_leave_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, "30m") as client:
        both = track("Order Completed", "m-1", "SO-1"), track("Order Cancelled", "c-1", "SO-1")
        assert await outcomes(client, *both) == [["enqueued"], ["matched"]]
        assert (await client.get("/api/v1/status")).json()["pending"] == 0
        assert await outcomes(client, track("Order Cancelled", "c-2", "")) == [["unmatched"]]


async def test_what_is_held_is_delivered_when_nobody_cancels_it(tmp_path: Path) -> None:
    async with serving(tmp_path, "1s") as client:
        await outcomes(client, track("Order Completed", "m-1", "SO-1"))

        async def delivered() -> bool:
            found = (await client.get("/api/v1/deliveries", params={"state": "delivered"})).json()["deliveries"]
            return len(found) == 1

        await until_async(delivered, 30, "the held delivery")
