"""Identity memory through the running application, over HTTP: two processes' worth of it on one store, and restarts."""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.errors import SettingsError
from app.main import Role, create_app
from app.outbox import open_outbox
from app.policies import outbox_rules
from app.receiving.encounters import own_time
from tests.assembled import settings
from tests.identity.journeys import SETTINGS, anonymous_ids_of_the_deleted, rows, shown

#: Batches are of so many events; after so many of them a process starts anew.
TOGETHER, RESTART_AFTER = 25, 15


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def serving(folder: Path, clock: Clock, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The application that receives, over the store in `folder`."""
    app = create_app(configured(folder, **changes), role=Role.RECEIVE, clock=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client,
    ):
        yield client


def configured(folder: Path, **changes: Any) -> Any:
    standard = {**SETTINGS, "max_event_age_days": 365}
    return settings(outbox_url=f"sqlite:///{folder}/pinrelay.db", **standard | changes)


async def payloads(folder: Path) -> dict[str, Any]:
    """Every finished event that waits, by message id."""
    outbox = open_outbox(f"sqlite:///{folder}/pinrelay.db", outbox_rules(configured(folder)), clock=lambda: 0)
    found = {}
    for row in rows():
        message = await outbox.message(row.event["messageId"])
        for each in message.deliveries:
            delivery = await outbox.delivery(each.delivery_id)
            assert delivery is not None
            assert delivery.payload is not None
            found[each.message_id] = orjson.loads(delivery.payload)
    await outbox.close()
    return found


async def test_the_journeys_pass_over_http_with_two_processes_and_restarts(tmp_path: Path) -> None:
    clock = Clock()
    told: dict[str, Any] = {}
    parts = [rows()[start : start + TOGETHER] for start in range(0, len(rows()), TOGETHER)]
    for start in range(0, len(parts), RESTART_AFTER):
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(serving(tmp_path, clock)) for _ in range(2)]
            for number, part in enumerate(parts[start : start + RESTART_AFTER]):
                clock.now = max(own_time(row.event, math.inf) for row in part)
                answer = await clients[number % 2].post("/webhook", json=[row.event for row in part])
                assert answer.status_code == 200
                told |= {each["message_id"]: each["deliveries"] for each in answer.json()["events"]}
    sent = await payloads(tmp_path)
    wrong = []
    for row in rows():
        if row.expected is not None:
            (line,) = told[row.event["messageId"]]
            event = sent.get(row.event["messageId"])
            if event is None and row.event.get("anonymousId") in anonymous_ids_of_the_deleted():
                continue  # it waited to be sent when its person asked for erasure
            found = shown(line | {"event": event})
            if found != row.expected:
                wrong.append((row.event["messageId"], found, row.expected))
    assert wrong == []


PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
IDENTIFY = {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}}
PAGE = {"type": "page", "anonymousId": "x", "context": PERSON}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/page"])
async def test_a_public_write_key_is_told_nothing_of_what_is_remembered(tmp_path: Path, path: str) -> None:
    clock, answers = Clock(), []
    clock.now = 1_800_000_000
    keys = {"write_keys": "shop:a-public-key-of-pages", "webhook_header": "x-proof: a-secret-of-the-server"}
    async with serving(tmp_path, clock, **keys) as client:
        for number in range(2):
            page = PAGE | {"messageId": f"p-{number}"}
            body = {"batch": [page]} if path == "/v1/batch" else page
            answer = await client.post(path, json=body, auth=("a-public-key-of-pages", ""))
            answers.append((answer.status_code, answer.content))
            proof = {"x-proof": "a-secret-of-the-server"}
            await client.post("/webhook", json=IDENTIFY | {"messageId": f"i-{number}"}, headers=proof)
        told = await client.post("/webhook", json=PAGE | {"messageId": "p-2"}, headers=proof)
    assert answers[0] == answers[1]
    assert set(told.json()["events"][0]["deliveries"][0]["memory"]) == {"em", "external_id"}


async def test_memory_needs_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REMEMBER_SECRET"):
        create_app(configured(tmp_path, remember_secret=None))
