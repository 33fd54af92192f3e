"""The sandbox takes requests to delete as strictly as Pinterest describes them, by a clock that can be set.

Fields, statuses and bounds as SDKs have them that are made of Pinterest's description 5.28 (beta).
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

from app.sandbox import Account, create_sandbox
from tests.sandbox.conftest import client_of
from tests.sandbox.test_ads_api import FORM, NOW, SIGNED

PATH = "/v5/ad_accounts/42/conversion_deletion_requests"
TARGETS = {"user_emails": ["ann@shop.example"], "epiks": ["dj0yJnU9"]}


@pytest.fixture
async def asking() -> AsyncIterator[httpx.AsyncClient]:
    account = Account(ad_account_id="42", token=SecretStr("pina_conversions"))
    async with client_of(create_sandbox(account=account, clock=lambda: NOW)) as client:
        yield client


async def ask(client: httpx.AsyncClient, **targets: Any) -> httpx.Response:
    return await client.post(PATH, json={"deletion_targets": targets or TARGETS})


async def set_clock(client: httpx.AsyncClient, ahead_s: float) -> None:
    assert (await client.put("/clock", json={"ahead_s": ahead_s})).status_code == 204


async def test_a_request_is_pending_for_72_hours_and_then_submitted(asking: httpx.AsyncClient) -> None:
    made = await ask(asking)
    assert made.status_code == 201
    assert made.json() == {
        "request_id": "1",
        "status": "PENDING",
        "created_time": "2026-11-18",
        "processed_time": None,
    }
    for ahead_s, status, processed in ((259_199, "PENDING", None), (259_200, "SUBMITTED", "2026-11-21")):
        await set_clock(asking, ahead_s)
        told = (await asking.get(f"{PATH}/1")).json()
        assert (told["status"], told["processed_time"]) == (status, processed)
    assert (await asking.delete(f"{PATH}/1")).status_code == 400
    assert (await asking.get("/deletions")).json()[0]["targets"] == TARGETS


async def test_within_72_hours_it_is_cancelled_once(asking: httpx.AsyncClient) -> None:
    await ask(asking, epiks=["dj0yJnU9"])
    await set_clock(asking, 259_199)
    assert (await asking.delete(f"{PATH}/1")).json()["status"] == "CANCELLED"
    assert (await asking.delete(f"{PATH}/1")).status_code == 400
    assert (await asking.get(f"{PATH}/1")).json()["status"] == "CANCELLED"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"deletion_targets": {}}',
        b'{"deletion_targets": []}',
        b'{"deletion_targets": {"user_emails": []}}',
        b'{"deletion_targets": {"user_emails": "a@b.com"}}',
        b'{"deletion_targets": {"user_emails": [""]}}',
        b'{"deletion_targets": {"user_emails": [7]}}',
        b'{"deletion_targets": {"user_emails": ["5c1d"]}}',
        b'{"deletion_targets": {"epiks": ["x"], "phones": ["1"]}}',
        b'{"deletion_targets": {"epiks": ["x"]}, "reason": "x"}',
    ],
)
async def test_what_the_schema_does_not_take_is_refused(asking: httpx.AsyncClient, body: bytes) -> None:
    answer = await asking.post(PATH, content=body)
    assert (answer.status_code, set(answer.json())) == (400, {"code", "message"})
    assert (await asking.get("/deletions")).json() == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{PATH}/1", {}, 200),
        (f"{PATH}/2", {}, 404),
        (f"{PATH}/x", {}, 400),
        ("/v5/ad_accounts/43/conversion_deletion_requests/1", {}, 403),
        ("/v5/ad_accounts/x/conversion_deletion_requests/1", {}, 400),
        (f"{PATH}/1", {"Authorization": "Bearer pina_conversions"}, 401),
        (f"{PATH}/1", {"Authorization": ""}, 401),
    ],
)
async def test_who_may_ask(asking: httpx.AsyncClient, path: str, headers: dict[str, str], status: int) -> None:
    await ask(asking)
    assert (await asking.get(path, headers=headers)).status_code == status
    assert (await asking.delete(path, headers=headers)).status_code == status


async def test_to_change_something_takes_the_scope_to_write() -> None:
    app = create_sandbox(account=Account(refresh_token=SecretStr("first")), clock=lambda: NOW)
    async with client_of(app) as client:
        for scope, made in (("ads:read", 403), ("ads:read,ads:write", 201), ("ads:read ads:write", 201)):
            token = (await client.post("/v5/oauth/token", data={**FORM, "scope": scope}, headers=SIGNED)).json()
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            answer = await client.post(PATH, json={"deletion_targets": TARGETS}, headers=headers)
            assert answer.status_code == made
            assert (await client.get(PATH, headers=headers)).status_code == 200


async def test_without_the_beta_it_is_forbidden() -> None:
    account = Account(refused_reports={"conversion_deletion_requests": 403}, reads_per_minute=3)
    async with client_of(create_sandbox(account=account, clock=lambda: NOW)) as client:
        assert (await ask(client)).status_code == 403
        assert [(await client.get(f"{PATH}/1")).status_code for _ in range(3)] == [403, 403, 429]


async def test_pages_lead_on_in_both_orders(asking: httpx.AsyncClient) -> None:
    for _ in range(3):
        await ask(asking)

    async def page(**asked: Any) -> tuple[list[str], str | None]:
        told = (await asking.get(PATH, params=asked)).raise_for_status().json()
        return [each["request_id"] for each in told["items"]], told["bookmark"]

    assert await page() == (["1", "2", "3"], None)
    first, bookmark = await page(page_size=2, order="DESCENDING")
    assert first == ["3", "2"]
    assert await page(page_size=2, order="DESCENDING", bookmark=bookmark) == (["1"], None)


@pytest.mark.parametrize(
    "asked", [{"page_size": "0"}, {"page_size": "251"}, {"bookmark": "?"}, {"order": "UP"}, {"limit": "3"}]
)
async def test_a_page_that_cannot_be_meant_is_refused(asking: httpx.AsyncClient, asked: dict[str, str]) -> None:
    assert (await asking.get(PATH, params=asked)).status_code == 400


@pytest.mark.parametrize(
    ("step", "status", "made"),
    [
        ({"status": 503}, 503, 0),
        ({"status": 503, "record": True}, 503, 1),
        ({"body": "<html>"}, 200, 0),
        ({"reset": True}, None, 0),
        ({"reset": True, "record": True}, None, 1),
        ({"half": True}, None, 1),
        ({"delay_s": 0.001}, 201, 1),
    ],
)
async def test_it_misbehaves_to_order(
    asking: httpx.AsyncClient, step: dict[str, Any], status: int | None, made: int
) -> None:
    assert (await asking.put("/script", json={"steps": [{**step, "to": "deletions"}]})).status_code == 204
    if status is None:
        with pytest.raises((ConnectionResetError, ClientDisconnect)):
            await ask(asking)
    else:
        assert (await ask(asking)).status_code == status
    assert len((await asking.get("/deletions")).json()) == made


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"ahead_s": "1"}', b'{"ahead_s": true}', b"x"])
async def test_a_clock_is_set_by_a_number(asking: httpx.AsyncClient, body: bytes) -> None:
    assert (await asking.put("/clock", content=body)).status_code == 400


async def test_a_call_to_delete_has_no_events_to_look_at(asking: httpx.AsyncClient) -> None:
    answer = await asking.put("/script", json={"steps": [{"to": "deletions", "reject": "x"}]})
    assert "of which a call to delete has none" in str(answer.json())
