"""The endpoint answers as Pinterest does, and shows what it received."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.sandbox import Account, create_sandbox
from tests.rows import every_row
from tests.sandbox.conftest import TOKEN, client_of
from tests.sandbox.events import numbered, pinterest_event

EVENTS = "/v5/ad_accounts/549755885175/events"


async def post(client: httpx.AsyncClient, *events: Any, url: str = EVENTS, **more: Any) -> httpx.Response:
    return await client.post(url, json={"data": list(events)}, **more)


async def test_good_events_are_processed_in_order_with_warnings(sandbox: httpx.AsyncClient) -> None:
    answer = await post(sandbox, pinterest_event(), pinterest_event(event_id="2", user_data={"em": ["x"]}))

    assert answer.status_code == 200
    assert answer.json() == {
        "num_events_received": 2,
        "num_events_processed": 2,
        "events": [
            {"status": "processed", "error_message": None, "warning_message": None},
            {"status": "processed", "error_message": None, "warning_message": "'em' is not in sha256 hashed format"},
        ],
    }


async def test_refused_events_stand_in_their_places_and_the_others_are_processed(sandbox: httpx.AsyncClient) -> None:
    old = pinterest_event(event_id="old", event_time=1_678_203_524)
    answer = await post(sandbox, pinterest_event(event_id="1"), old, pinterest_event(event_id="3"))

    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, 953)
    assert (body["details"]["num_events_received"], body["details"]["num_events_processed"]) == (3, 2)
    assert [each["status"] for each in body["details"]["events"]] == ["processed", "failed", "processed"]
    assert "in the past" in body["details"]["events"][1]["error_message"]
    assert [event["event_id"] for event in (await sandbox.get("/events")).json()] == ["3", "1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data": [', "The request was invalid."),
        (b'{"data": []}', "Invalid request: data: array is too short, at least 1"),
        (b'{"data": [7]}', "Invalid request: integer is not of type 'object'"),
        (b'{"events": []}', "Invalid request: 'data' is a required property"),
    ],
)
async def test_a_body_that_breaks_the_schema_is_refused_whole(
    content: bytes, message: str, sandbox: httpx.AsyncClient
) -> None:
    answer = await sandbox.post(EVENTS, content=content)

    assert answer.status_code == 400
    assert answer.json() == {"code": 4196, "message": message}


@every_row(
    ("header", "url", "status", "code"),
    [
        (f"Bearer {TOKEN}", "/v5/ad_accounts/42/events", 200, None),
        (f"bearer {TOKEN}", "/v5/ad_accounts/42/events", 200, None),
        ("Bearer wrong", "/v5/ad_accounts/42/events", 401, 2),
        ("Bearer ", "/v5/ad_accounts/42/events", 401, 2),
        (f"Basic {TOKEN}", "/v5/ad_accounts/42/events", 401, 2),
        (f"Bearer {TOKEN}", "/v5/ad_accounts/43/events", 403, 29),
        (f"Bearer {TOKEN}", "/v5/ad_accounts/x42/events", 400, 4196),
        (f"Bearer {TOKEN}", "/v5/ad_accounts/1234567890123456789/events", 400, 4196),
        (f"Bearer {TOKEN}", "/v5/ad_accounts/42/events?test=yes", 400, 4196),
        (f"Bearer {TOKEN}", "/v5/ad_accounts/42/events?test=false", 200, None),
    ],
)
async def test_who_asks_for_which_account_is_checked(header: str, url: str, status: int, code: int | None) -> None:
    async with client_of(create_sandbox(account=Account(ad_account_id="42", token=SecretStr(TOKEN)))) as client:
        answer = await post(client, pinterest_event(), url=url, headers={"Authorization": header})

    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_without_a_configured_account_any_token_does_but_none(sandbox: httpx.AsyncClient) -> None:
    assert (await post(sandbox, pinterest_event(), headers={"Authorization": "Bearer any"})).status_code == 200
    assert (await post(sandbox, pinterest_event(), headers={"Authorization": ""})).status_code == 401


async def test_the_advertisers_own_event_names_are_taken() -> None:
    async with client_of(create_sandbox(account=Account(event_names=("quiz_done",)))) as client:
        assert (await post(client, pinterest_event(event_name="quiz_done"))).status_code == 200


async def test_test_events_are_judged_and_not_recorded(sandbox: httpx.AsyncClient) -> None:
    answer = await post(sandbox, pinterest_event(), url=f"{EVENTS}?test=true")

    assert answer.json()["num_events_processed"] == 1
    state = (await sandbox.get("/")).json()
    assert (state["received"], state["calls"], state["test_calls"]) == (0, 1, 1)


async def test_a_body_over_the_limit_is_refused_whole() -> None:
    async with client_of(create_sandbox(max_body_bytes=1_000)) as client:
        assert (await post(client, *numbered(10))).status_code == 413
        assert (await post(client, *numbered(1))).status_code == 200


async def test_what_was_received_can_be_looked_at(sandbox: httpx.AsyncClient, tmp_path: Path) -> None:
    await post(sandbox, *numbered(150))
    await post(sandbox, *numbered(2))

    state = (await sandbox.get("/")).json()
    assert state == {
        "received": 152,
        "duplicates": 2,
        "offline_duplicates": 0,
        "calls": 2,
        "test_calls": 0,
        "by_status": {"200": 2},
        "by_event_name": {"checkout": 152},
    }
    assert len((await sandbox.get("/events")).json()) == 100
    assert len((await sandbox.get("/events?limit=120")).json()) == 120
    assert len((await sandbox.get("/events?event_id=order-1")).json()) == 2
    assert [event["event_id"] for event in (await sandbox.get("/duplicates")).json()] == ["order-1", "order-0"]
    assert [call["events"] for call in (await sandbox.get("/calls?limit=x")).json()] == [2, 150]


async def test_a_file_is_closed_with_the_application(tmp_path: Path) -> None:
    app = create_sandbox(path=tmp_path / "received.ndjson")
    async with app.router.lifespan_context(app), client_of(app) as client:
        await post(client, pinterest_event())

    app = create_sandbox(path=tmp_path / "received.ndjson")
    async with app.router.lifespan_context(app), client_of(app) as client:
        assert (await client.get("/")).json()["received"] == 1


@pytest.mark.parametrize(
    ("step", "status", "code", "header"),
    [
        ({"status": 429, "retry_after": 7}, 429, 8, "7"),
        ({"status": 503, "retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 503, 4197, "Wed, 21 Oct 2026 07:28:00 GMT"),
        ({"status": 401}, 401, 2, None),
        ({"status": 403}, 403, 29, None),
        ({"status": 500}, 500, 0, None),
        ({"poison": "^order-1$"}, 400, 4196, None),
    ],
    ids=str,
)
async def test_told_to_fail_it_fails_and_records_nothing(
    step: dict[str, Any], status: int, code: int, header: str | None, sandbox: httpx.AsyncClient
) -> None:
    assert (await sandbox.put("/script", json={"steps": [step]})).status_code == 204

    answer = await post(sandbox, *numbered(2))

    assert (answer.status_code, answer.json()["code"], answer.headers.get("Retry-After")) == (status, code, header)
    assert (await sandbox.get("/")).json()["received"] == 0
    assert (await post(sandbox, *numbered(2))).status_code == 200


async def test_told_to_fail_some_events_it_processes_the_others(sandbox: httpx.AsyncClient) -> None:
    await sandbox.put("/script", json={"steps": [{"reject": "[13]$"}]})

    answer = await post(sandbox, *numbered(5))

    statuses = [each["status"] for each in answer.json()["details"]["events"]]
    assert (answer.status_code, statuses) == (422, ["processed", "failed", "processed", "failed", "processed"])
    assert (await sandbox.get("/")).json()["received"] == 3


async def test_told_to_answer_a_text_it_does_and_may_have_processed_all_the_same(sandbox: httpx.AsyncClient) -> None:
    steps = [{"body": "<html>"}, {"body": "", "status": 502, "record": True}, {"status": 500, "record": True}]
    await sandbox.put("/script", json={"steps": steps})

    answers = [await post(sandbox, event) for event in numbered(3)]

    assert [(answer.status_code, answer.text) for answer in answers[:2]] == [(200, "<html>"), (502, "")]
    assert (await sandbox.get("/")).json()["received"] == 2


@pytest.mark.slow
async def test_told_to_wait_it_waits(sandbox: httpx.AsyncClient) -> None:
    await sandbox.put("/script", json={"steps": [{"delay_s": 0.05}]})

    answer = await post(sandbox, pinterest_event())

    assert answer.status_code == 200


async def test_orders_that_make_no_sense_are_refused_with_their_place(sandbox: httpx.AsyncClient) -> None:
    answer = await sandbox.post("/script", json={"steps": [{"stats": 1}]})

    assert answer.status_code == 400
    assert answer.json() == {"faults": ["/steps/0/stats: Extra inputs are not permitted"]}
