"""Examples for the OpenAPI document: what a real application answers. `make reference` writes them."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from app import __version__
from app.access.sessions import MAX_DELAYED
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.core.refusals import RefusedRequest
from app.core.shared_values import INCIDENTS, Incident
from app.outbox import open_outbox
from app.web.openapi import EXAMPLES_FILE
from tests.outbox.build import At, new, rules
from tests.outbox.new_store import new_store
from tests.web.client import client_of

NOW: Final = 1_795_000_000.0
PASSWORD: Final = "console-password-9b1c"
_ACCOUNT: Final = SANDBOX_AD_ACCOUNT_ID
SETTINGS: Final[dict[str, Any]] = {
    "quarantine_hours": 1,
    "quarantine_key": "a key of the quarantine, long enough",
    "remember_days": 90,
    "remember_secret": "a secret of the installation, long",
}
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
SHOP = {"type": "track", "timestamp": NOW - 60, "userId": "u-1", "context": PERSON}
EVENTS = [
    {
        **SHOP,
        "event": "Order Completed",
        "messageId": "m-1",
        "properties": {"order_id": "SO-1001", "revenue": 25.5, "currency": "EUR"},
    },
    {**SHOP, "event": "Order Completed", "messageId": "m-2", "context": {}, "userId": None, "anonymousId": "a-1"},
    {**SHOP, "event": "Newsletter Opened", "messageId": "m-3", "properties": {"campaign": "spring"}},
    {
        "type": "identify",
        "userId": "u-2",
        "messageId": "m-4",
        "traits": {"email": "ada@example.com"},
        "context": PERSON,
    },
]
#: Each operation, as it is asked for, in this order.
ASKED: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("get", "/api/v1/status", {}),
    ("get", "/api/v1/deliveries", {"params": {"limit": 2}}),
    ("get", "/api/v1/deliveries/{id}", {}),
    ("get", "/api/v1/messages/{message_id}", {}),
    ("get", "/api/v1/events/not-sent", {"params": {"outcome": "invalid"}}),
    ("post", "/api/v1/find", {"json": {"text": "SO-1001"}}),
    ("get", "/api/v1/events/counts", {"params": {"hours": 1}}),
    ("get", "/api/v1/events", {}),
    ("get", "/api/v1/events/properties", {"params": {"name": "Newsletter Opened"}}),
    ("get", "/api/v1/orders/revenue", {"params": {"days": 1}}),
    ("get", "/api/v1/deliveries/causes", {}),
    ("get", "/api/v1/incidents", {"params": {"state": "resolved"}}),
    ("get", "/api/v1/quarantine", {}),
    ("get", "/api/v1/quarantine/preview", {"params": {"outcome": "invalid"}}),
    ("post", "/api/v1/quarantine/replay", {"json": {"outcome": "invalid"}}),
    ("post", "/api/v1/quarantine/discard", {"json": {"all": True}}),
    ("post", "/api/v1/deliveries/redrive", {"json": {"preset": "Lead"}}),
    ("post", "/api/v1/deliveries/dismiss", {"json": {"preset": "Order Completed", "because": "sent by hand"}}),
    ("get", "/api/v1/audit", {"params": {"limit": 2}}),
    ("post", "/api/v1/reload", {"json": {}}),
    ("post", "/api/v1/switch", {"json": {"on": False}}),
    ("post", "/api/v1/forget", {"json": {"user_id": "u-2"}}),
]
#: What is refused, by status.
REFUSED: Final[dict[int, tuple[str, str, dict[str, Any]]]] = {
    400: ("post", "/api/v1/forget", {"json": {}}),
    403: ("get", "/api/v1/status", {"headers": {"X-Forwarded-For": "198.51.100.1"}}),
    404: ("post", "/api/v1/deliveries/redrive", {"json": {"preset": "Order Complet"}}),
    415: ("post", "/api/v1/reload", {"content": b"all=true"}),
    422: ("post", "/api/v1/deliveries/redrive", {"json": {"al": True, "preset": ""}}),
}


async def answers(folder: Path) -> dict[str, Any]:
    """Return what each operation answers: by `METHOD /path`, and by status what is refused."""
    began, url = time.monotonic(), new_store(folder, "pinrelay.db")

    def clock() -> float:  # one that stands still would be told as a clock that was set
        return round(NOW + time.monotonic() - began, 2)

    outbox = open_outbox(url, rules(), clock=lambda: NOW)
    for number, preset in enumerate(("Lead", "Order Completed")):
        made = new(
            preset=preset,
            message_id=f"dead-{number}",
            event_id=f"dead-{number}",
            ad_account_id=_ACCOUNT,
            event_time=int(NOW) - 90,
        )
        await At(outbox, NOW - 30).enqueue(made)
        (claimed,) = await outbox.claim(_ACCOUNT, limit=1, max_bytes=10**6, max_wait_s=0, lease_s=60, now=NOW - 20)
        await At(outbox, NOW - 10).kill(claimed, reason="currency is unknown")
    wrong = RefusedRequest("shopify", 401, "bad signature", "SHOPIFY_WEBHOOK_SECRET")
    await outbox.enqueue([], [], [wrong.counter(50)], now=NOW - 60)
    silence = Incident(
        id="57d9dbbd489c0615",
        key="silence: shopify",
        kind="silence",
        severity="critical",
        text="The source shopify is silent: no event for 3.0 hours, 600 expected.",
        source="shopify",
        since=NOW - 4 * 3_600,
        until=NOW - 3_600,
        events=600,
        money={"EUR": "1234.5"},
        told="resolved",
    )
    await INCIDENTS.of(silence.id).write(outbox, silence)
    await outbox.close()
    async with client_of(folder, clock=clock, **SETTINGS) as client:
        await _ask(client, "post", "/api/v1/switch", {"json": {"on": False}})
        (await client.post("/webhook", json=EVENTS)).raise_for_status()
    found: dict[str, Any] = {}
    async with client_of(folder, clock=clock, **SETTINGS) as client:  # what is counted by name is written now
        for method, path, asked in ASKED:
            told = await _ask(client, method, path.format(id=1, message_id="m-1"), asked)
            assert told.status_code == 200, (path, told.text)
            found[f"{method} {path}"] = told.json()
        for status, (method, path, asked) in REFUSED.items():
            found[str(status)] = (await _ask(client, method, path, asked)).json()
            assert found[str(status)]["status"] == status
    (folder / "locked").mkdir()
    async with client_of(folder / "locked", clock=clock, console_password=PASSWORD) as locked:
        tries = (locked.get("/api/v1/status", headers={"Authorization": "Bearer x"}) for _ in range(MAX_DELAYED + 1))
        found |= {str(told.status_code): told.json() for told in await asyncio.gather(*tries)}
    found["get /api/v1/status"]["version"] = "1.0.0" if found["get /api/v1/status"]["version"] == __version__ else ""
    return found


async def _ask(client: httpx.AsyncClient, method: str, path: str, asked: dict[str, Any]) -> httpx.Response:
    return await client.request(method, path, **asked)


def main() -> None:
    """Write the examples anew."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(answers(Path(folder)))
    EXAMPLES_FILE.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
