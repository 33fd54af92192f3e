"""POST /webhook: its answers, exactly."""

import gzip
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from httpx import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.source.responses import REFUSALS
from tests.source.door import NOW, NOW_TEXT, Ledger, any_json, client, webhook


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def http(ledger: Ledger) -> AsyncIterator[AsyncClient]:
    async with client(webhook(ledger)) as http:
        yield http


def event(name: str, message_id: str = "m-1") -> dict[str, Any]:
    return {"type": "track", "event": name, "messageId": message_id}


async def test_a_single_event_is_answered_by_its_receipt(http: AsyncClient, ledger: Ledger) -> None:
    answer = await http.post("/webhook", json=event("Half Broken"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "counts": {"accepted": 1, "refused": 0},
        "events": [
            {
                "message_id": "m-1",
                "deliveries": [
                    {"preset": "Checkout", "outcome": "invalid", "reason": "no user", "warnings": []},
                    {"preset": "Page Visit", "outcome": "enqueued", "reason": "", "warnings": ["currency: left out"]},
                ],
            }
        ],
    }
    assert ledger.kept == [{**event("Half Broken"), "receivedAt": NOW_TEXT, "timestamp": NOW_TEXT, "arrivedAt": NOW}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (event("Order Completed"), 200),
        (event("Half Broken"), 200),
        (event("Unknown"), 200),
        (event("Again"), 200),
        (event("Private"), 200),
        (event("nobody says anything of it"), 200),
        (event("Broken"), 422),
        ({"messageId": "m-1"}, 422),
        ({}, 422),
        (5, 422),
        (None, 422),
        ([event("Broken")], 200),
        ([5], 200),
        ([], 200),
        ({"batch": [event("Broken")]}, 200),
    ],
    ids=str,
)
async def test_only_a_single_event_that_nothing_can_use_is_422(body: Any, status: int, http: AsyncClient) -> None:
    answer = await http.post("/webhook", content=orjson.dumps(body))

    assert answer.status_code == status
    assert answer.json().keys() == {"counts", "events"}


async def test_an_array_keeps_its_order_and_its_good_events(http: AsyncClient) -> None:
    body = [event("Order Completed", "m-1"), 5, event("Broken", "m-3"), {"messageId": "m-4"}]
    answer = await http.post("/webhook", json=body)

    assert answer.status_code == 200
    assert [told["message_id"] for told in answer.json()["events"]] == ["m-1", None, "m-3", "m-4"]
    assert answer.json()["events"][1]["deliveries"] == [
        {"preset": None, "outcome": "refused", "reason": "the event is not a JSON object", "warnings": []}
    ]


@pytest.mark.parametrize("path", ["/webhook", "/webhook/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_every_method_that_segment_can_be_set_to_is_taken_with_and_without_a_slash(
    method: str, path: str, http: AsyncClient, ledger: Ledger
) -> None:
    answer = await http.request(method, path, json=event("Order Completed"))

    assert answer.status_code == 200
    assert [kept["event"] for kept in ledger.kept] == ["Order Completed"]


async def test_any_content_type_and_gzip_are_read(http: AsyncClient) -> None:
    body = gzip.compress(orjson.dumps(event("Order Completed")))
    answer = await http.post("/webhook", content=body, headers={"content-type": "text/plain"})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("bounds", "content", "status", "code"),
    [
        ({}, b'{"type": "secret', 400, "broken_json"),
        ({}, b"", 400, "broken_json"),
        ({}, b"[" * 5_000 + b"]" * 5_000, 400, "too_deep"),
        ({"max_decompressed_bytes": 10}, b'["secret"] ', 413, "too_large"),
        ({"max_decompressed_bytes": 1}, b"secret" * 100, 413, "too_large"),
        ({"max_decompressed_bytes": 10}, gzip.compress(b'["secret"] ', mtime=0), 413, "too_large"),
        ({"max_events_per_request": 1}, b'["secret", 2]', 413, "too_many_events"),
    ],
)
async def test_a_request_is_turned_away_without_echoing_it(
    bounds: dict[str, Any], content: bytes, status: int, code: str, ledger: Ledger
) -> None:
    async with client(webhook(ledger, **bounds)) as http:
        answer = await http.post("/webhook", content=content)

    assert answer.status_code == status
    assert answer.json().keys() == {"code", "message", "error"}
    assert answer.json()["code"] == code
    assert "secret" not in answer.text
    assert (answer.headers.get("connection") == "close") is (code == "too_large")
    assert not ledger.kept
    assert not ledger.refused


async def test_a_body_as_large_as_the_bound_is_taken(ledger: Ledger) -> None:
    async with client(webhook(ledger, max_decompressed_bytes=2)) as http:
        assert (await http.post("/webhook", content=b"[]")).status_code == 200


async def test_a_store_that_cannot_commit_asks_to_come_again(http: AsyncClient, ledger: Ledger) -> None:
    ledger.is_full = True
    answer = await http.post("/webhook", json=[event("Order Completed")])

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["code"] == "unavailable"


def signature(secret: bytes, body: bytes) -> dict[str, str]:
    return {"x-signature": hmac.new(secret, body, "sha1").hexdigest()}


BODY = orjson.dumps(event("Order Completed"))
HEADER = {"X-Secret": "hidden"}


@pytest.mark.parametrize(
    ("rules", "headers", "status"),
    [
        pytest.param({"is_open": True}, {}, 200, id="nothing is asked for"),
        pytest.param({"is_open": False}, {}, 401, id="only other doors have keys: closed"),
        pytest.param({"secrets": (b"one",)}, signature(b"one", BODY), 200, id="signed"),
        pytest.param({"secrets": (b"two", b"one")}, signature(b"one", BODY), 200, id="signed by the old secret"),
        pytest.param({"secrets": (b"two", b"one")}, signature(b"two", BODY), 200, id="signed by the new secret"),
        pytest.param({"secrets": (b"one",)}, signature(b"two", BODY), 401, id="signed by a stranger"),
        pytest.param({"secrets": (b"one",)}, {}, 401, id="not signed"),
        pytest.param({"header": "x-secret: hidden"}, HEADER, 200, id="with the header"),
        pytest.param({"header": "x-secret: hidden"}, {"X-Secret": "else"}, 401, id="with another value"),
        pytest.param({"header": "x-secret: hidden"}, {}, 401, id="without the header"),
        pytest.param(
            {"secrets": (b"one",), "header": "x-secret: hidden"}, signature(b"one", BODY) | HEADER, 200, id="both"
        ),
        pytest.param(
            {"secrets": (b"one",), "header": "x-secret: hidden"}, signature(b"one", BODY), 401, id="signature alone"
        ),
        pytest.param({"secrets": (b"one",), "header": "x-secret: hidden"}, HEADER, 401, id="header alone"),
    ],
)
async def test_every_secret_that_is_set_must_be_proven(
    rules: dict[str, Any], headers: dict[str, str], status: int, ledger: Ledger
) -> None:
    async with client(webhook(ledger, **{"is_open": False, **rules})) as http:
        answer = await http.post("/webhook", content=BODY, headers=headers)

    assert answer.status_code == status
    assert len(ledger.kept) == (status == 200)
    assert ("/webhook is closed" in answer.text) == (rules == {"is_open": False})


_JSON = any_json("type", "event", "batch", "json", "context", "messageId", "timestamp", "sentAt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary() | st.builds(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"), _JSON))
async def test_no_body_of_any_shape_is_our_fault(http: AsyncClient, content: bytes) -> None:
    answer = await http.post("/webhook", content=content)

    assert answer.status_code in {200, 400, 422}
    assert isinstance(answer.json(), dict)


def test_the_openapi_document_names_every_answer(ledger: Ledger) -> None:
    paths = webhook(ledger).openapi()["paths"]

    assert paths.keys() == {"/webhook"}
    assert paths["/webhook"].keys() == {"post", "put", "patch"}
    for operation in paths["/webhook"].values():
        assert operation["responses"].keys() == {"200", "400", "401", "408", "413", "415", "422", "500", "503"}
        assert operation["requestBody"]["required"]
    assert {refusal.status for refusal in REFUSALS} == {400, 401, 404, 405, 408, 413, 415, 421, 429, 500, 503}


@pytest.mark.parametrize(
    ("body", "several", "status"),
    [
        pytest.param(event("x" * 300_000), False, 422, id="one event"),
        pytest.param({"batch": [event("Unknown"), event("x" * 300_000)]}, True, 200, id="a batch"),
        pytest.param([event("Unknown"), event("x" * 300_000)], True, 200, id="an array"),
    ],
)
async def test_an_event_that_is_too_large_to_be_parsed_is_refused_in_its_place(
    http: AsyncClient,
    ledger: Ledger,
    body: Any,
    several: bool,  # noqa: FBT001 - a column
    status: int,
) -> None:
    answer = await http.post("/webhook", content=b" " + orjson.dumps(body))

    assert answer.status_code == status
    assert [refused.reason for refused in ledger.refused] == ["the event is larger than 262144 bytes"]
    assert len(ledger.kept) == several


async def test_lines_and_a_cloudevent_are_read(http: AsyncClient, ledger: Ledger) -> None:
    lines = orjson.dumps(event("A", "m-1")) + b"\n{\n" + orjson.dumps(event("B", "m-2"))
    answer = await http.post("/webhook", content=lines, headers={"content-type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["counts"]) == (200, {"accepted": 2, "refused": 1})

    wrapped = {"specversion": "1.0", "id": "m-3", "source": "/shop", "type": "shop.event", "data": event("C", "")}
    answer = await http.post("/webhook", json=wrapped, headers={"content-type": "application/cloudevents+json"})
    assert answer.status_code == 200
    assert [kept["event"] for kept in ledger.kept] == ["A", "B", "C"]
