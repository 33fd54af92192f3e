"""Segment's HTTP Tracking API, as SDKs use it."""

import base64
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from httpx import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.source.browser import OpenToPages
from tests.rows import every_row
from tests.source.door import NOW_TEXT, Ledger, any_json, client, tracking, webhook, zstd

SUCCESS = b'{"success": true}'
CALLS = ["track", "page", "screen", "identify", "group", "alias"]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def http(ledger: Ledger) -> AsyncIterator[AsyncClient]:
    async with client(tracking(ledger)) as http:
        yield http


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def batch(*events: Any, **members: Any) -> dict[str, Any]:
    return {"batch": list(events), "writeKey": "k1", **members}


def page(**members: Any) -> dict[str, Any]:
    return {"type": "page", "messageId": "m-1", "writeKey": "k1", **members}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", CALLS + [call[0] for call in CALLS])
async def test_a_call_is_of_the_type_of_its_path(path: str, slash: str, http: AsyncClient, ledger: Ledger) -> None:
    answer = await http.post(f"/v1/{path}{slash}", json={"writeKey": "k1", "userId": "u"})

    assert (answer.status_code, answer.content) == (200, SUCCESS)
    assert answer.headers["content-type"] == "application/json"
    assert ledger.kept[0]["type"] == next(call for call in CALLS if call.startswith(path))


@pytest.mark.parametrize("beginning", ["/api/s", "/api/s/s2s"])
@pytest.mark.parametrize("path", CALLS)
async def test_jitsus_sdks_send_with_a_header_of_their_own(
    beginning: str, path: str, http: AsyncClient, ledger: Ledger
) -> None:
    answer = await http.post(f"{beginning}/{path}", json={"userId": "u"}, headers={"x-write-key": "k1"})
    wrong = await http.post(f"{beginning}/{path}", json={"userId": "u"}, headers={"x-write-key": "k2"})

    assert (answer.status_code, answer.content, wrong.status_code) == (200, SUCCESS, 401)
    assert [event["type"] for event in ledger.kept] == [path]
    assert ledger.sources == ["shop"]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/s/event", "/api/s/s2s/event", "/api/s/batch", "/api/s/s2s/batch"])
async def test_jitsus_other_paths_take_events_that_name_their_type(
    path: str, http: AsyncClient, ledger: Ledger
) -> None:
    body = batch(page()) if path.endswith("batch") else page()
    answer = await http.post(path, json=body, headers={"x-write-key": "k1"})

    assert (answer.status_code, [event["type"] for event in ledger.kept]) == (200, ["page"])


async def test_an_empty_object_is_an_event_of_the_type_of_its_path(http: AsyncClient, ledger: Ledger) -> None:
    answer = await http.post("/v1/page", json={}, headers=basic("k1:"))

    assert answer.status_code == 200
    assert ledger.kept[0]["type"] == "page"


async def test_an_event_that_names_its_type_keeps_it(http: AsyncClient, ledger: Ledger) -> None:
    await http.post("/v1/t", json=page())

    assert ledger.kept[0]["type"] == "page"


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/", "/v1/import", "/v1/import/", "/v1/b", "/v1/b/"])
async def test_a_batch_lends_its_events_what_it_says_of_all(path: str, http: AsyncClient, ledger: Ledger) -> None:
    body = batch(
        {"type": "page", "timestamp": "2026-03-04T10:00:00Z", "context": {"os": 1}},
        {"type": "track", "event": "Broken", "integrations": {"All": True}},
        sentAt="2026-03-04T10:00:05Z",
        context={"ip": "203.0.113.41", "os": 2},
        integrations={"All": False},
    )
    answer = await http.post(path, json=body)

    assert (answer.status_code, answer.content) == (200, SUCCESS)
    first, second = ledger.kept
    assert first["timestamp"] == "2026-03-04T16:12:47.244Z"
    assert first["context"] == {"ip": "203.0.113.41", "os": 1}
    assert [first["integrations"], second["integrations"]] == [{"All": False}, {"All": True}]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "text/plain"}, orjson.dumps(batch(page()))),
        (
            {"content-type": "text/plain", "content-encoding": "gzip"},
            gzip.compress(orjson.dumps(batch(page())), mtime=0),
        ),
        ({}, orjson.dumps(batch(page()))),
        ({"content-type": "application/json"}, orjson.dumps([page()])),
        ({"content-encoding": "deflate"}, zlib.compress(orjson.dumps(batch(page())))),
        ({"content-encoding": "zstd"}, zstd.compress(orjson.dumps(batch(page())))),
        ({"content-type": "application/x-ndjson"}, orjson.dumps(page()) + b"\n" + orjson.dumps(page()) + b"\n"),
    ],
    ids=["browser", "Kotlin", "no content type", "bare array", "deflate", "zstd", "lines"],
)
async def test_any_content_type_and_packing_are_read(
    headers: dict[str, str], content: bytes, http: AsyncClient, ledger: Ledger
) -> None:
    answer = await http.post("/v1/b", content=content, headers=headers | basic("k1:"))

    assert answer.status_code == 200
    assert ledger.kept[0]["messageId"] == "m-1"


@pytest.mark.parametrize("packed", [zlib.compress, zstd.compress], ids=["deflate", "zstd"])
async def test_the_write_key_in_a_packed_body_is_found(
    packed: Callable[[bytes], bytes], http: AsyncClient, ledger: Ledger
) -> None:
    assert (await http.post("/v1/b", content=packed(orjson.dumps(batch(page()))))).status_code == 200
    assert (await http.post("/v1/b", content=packed(orjson.dumps({"batch": [{}]})))).status_code == 401
    assert len(ledger.kept) == 1


@pytest.mark.parametrize("headers", [{}, basic("k1:")], ids=["its key is packed too", "with a key"])
async def test_what_is_packed_otherwise_is_answered_by_the_names_of_what_is_read(
    headers: dict[str, str], http: AsyncClient
) -> None:
    answer = await http.post("/v1/b", content=b"\x0b\x02\x80{}", headers={"content-encoding": "br", **headers})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "gzip, deflate, zstd"
    assert all(name in answer.json()["message"] for name in ("gzip", "deflate", "zstd"))


@pytest.mark.parametrize(
    ("key", "status"),
    [("k1", 200), ("shop:k1", 200), ("any:k1", 200), ("shop:k2", 401), ("k1:shop", 401), ("shop:", 401), (":", 401)],
)
async def test_jitsus_sdk_sends_a_key_with_the_name_before_it(key: str, status: int, http: AsyncClient) -> None:
    answer = await http.post("/api/s/track", json={"event": "e"}, headers={"x-write-key": key})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("policy", "path", "is_known"),
    [
        ({}, "/api/s/page", True),
        ({"x-ip-policy": "keep"}, "/api/s/page", True),
        ({"x-ip-policy": "remove"}, "/api/s/page", False),
        ({"x-ip-policy": "stripLastOctet"}, "/api/s/page", False),
        ({"x-ip-policy": "remove"}, "/v1/page", True),
    ],
)
async def test_a_page_of_jitsu_may_keep_its_visitors_address_to_itself(
    policy: dict[str, str],
    path: str,
    is_known: bool,  # noqa: FBT001 - a column
    http: AsyncClient,
    ledger: Ledger,
) -> None:
    body = {"context": {"library": {"name": "@jitsu/js", "env": "browser"}}}
    await http.post(path, json=body, headers=policy | {"x-write-key": "k1"})
    assert ("ip" in ledger.kept[0]["context"]) == is_known


@pytest.mark.parametrize(
    ("headers", "body", "query", "status"),
    [
        pytest.param(basic("k1:"), {}, "", 200, id="Basic with a colon"),
        pytest.param(basic("k1"), {}, "", 200, id="Basic without"),
        pytest.param({}, {"writeKey": "k1"}, "", 200, id="in the body"),
        pytest.param({"authorization": "Bearer token"}, {"writeKey": "k1"}, "", 200, id="OAuth and in the body"),
        pytest.param({}, {}, "?writeKey=k1", 200, id="in the query"),
        pytest.param(basic("k2:"), {}, "", 200, id="another source's"),
        pytest.param(basic("k3:"), {"writeKey": "k3"}, "", 401, id="nobody's"),
        pytest.param({}, {}, "", 401, id="none"),
        pytest.param({}, {"writeKey": ["k1"]}, "", 401, id="not a text"),
    ],
)
async def test_a_write_key_is_taken_from_wherever_sdks_put_it(
    headers: dict[str, str], body: dict[str, Any], query: str, status: int, ledger: Ledger
) -> None:
    async with client(tracking(ledger, keys=("shop:k1", "app:k2"))) as http:
        answer = await http.post(f"/v1/track{query}", json={"event": "e", **body}, headers=headers)

    assert answer.status_code == status
    assert len(ledger.kept) == (status == 200)


async def test_without_any_authentication_anybody_may_send(ledger: Ledger) -> None:
    async with client(tracking(ledger, keys=(), is_open=True)) as http:
        assert (await http.post("/v1/track", json={"event": "e"})).status_code == 200


async def test_without_write_keys_nobody_may_send_where_other_doors_are_locked(ledger: Ledger) -> None:
    async with client(tracking(ledger, keys=())) as http:
        assert (await http.post("/v1/track", json={"event": "e", "writeKey": ""})).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/track", 5, 400, "event_refused"),
        ("/v1/batch", {"type": 5}, 400, "event_refused"),
        ("/v1/track", {"event": "secret" * 10_000}, 400, "event_refused"),
        ("/v1/batch", batch(*[page()] * 2_501), 413, "too_many_events"),
        ("/v1/batch", batch(page(name="secret" * 100_000)), 413, "too_large"),
    ],
    ids=["no object", "no type", "large event", "many events", "large batch"],
)
async def test_what_cannot_be_read_is_turned_away(
    path: str, body: Any, status: int, code: str, http: AsyncClient
) -> None:
    answer = await http.post(path, json=body, headers=basic("k1:"))

    assert answer.status_code == status
    assert answer.json().keys() == {"code", "message", "error"}
    assert answer.json()["code"] == code
    assert "secret" not in answer.text


async def test_bad_members_do_not_cost_the_batch(http: AsyncClient, ledger: Ledger) -> None:
    body = batch(page(), 5, {"messageId": "m-3"}, page(messageId="m-4", name="x" * 33_000), page(messageId="m-5"))
    answer = await http.post("/v1/batch", json=body)

    assert (answer.status_code, answer.content) == (200, SUCCESS)
    assert [event["messageId"] for event in ledger.kept] == ["m-1", "m-5"]
    assert [refused.message_id for refused in ledger.refused] == [None, "m-3", "m-4"]


async def test_a_store_that_cannot_commit_asks_to_come_again(http: AsyncClient, ledger: Ledger) -> None:
    ledger.is_full = True
    answer = await http.post("/v1/batch", json=batch(page()))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("proxies", "ip"),
    [((), "198.51.100.7"), (("198.51.100.0/24",), "203.0.113.41")],
    ids=["from the peer", "from a trusted proxy"],
)
async def test_a_browsers_event_gets_the_address_it_came_from(
    proxies: tuple[str, ...], ip: str, ledger: Ledger
) -> None:
    body = batch(page(channel="client"), page(channel="server"), page(channel="web", context={"ip": "198.51.100.9"}))
    async with client(tracking(ledger, proxies=proxies)) as http:
        await http.post("/v1/b", json=body, headers={"x-forwarded-for": "203.0.113.41"})

    assert [event.get("context", {}).get("ip") for event in ledger.kept] == [ip, None, "198.51.100.9"]


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/t", "POST"),
        ("/v1/batch/", "POST"),
        ("/v1/m", "POST"),
        ("/beacon/v1/batch", "POST"),
        ("/v1/projects/k1/settings", "GET"),
        ("/projects/k1/settings", "GET"),
        ("/sourceConfig/", "GET"),
        ("/sourceConfig/", "HEAD"),
    ],
)
async def test_a_browser_that_asks_first_is_told_that_it_may_send_whatever_its_sdk_sends(
    path: str, method: str, http: AsyncClient
) -> None:
    headers = "anonymousid, authorization, content-type, x-retry-count, x-of-a-version-to-come"
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": method,
        "access-control-request-headers": headers,
        "access-control-request-private-network": "true",
    }
    answer = await http.options(path, headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert answer.headers["access-control-allow-headers"] == headers
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert answer.headers["access-control-max-age"] == "86400"


@pytest.mark.parametrize(
    ("method", "path", "body", "is_full", "status"),
    [
        ("POST", "/v1/batch", batch(page()), False, 200),
        ("POST", "/v1/track", {"event": "e" * 33_000, "writeKey": "k1"}, False, 400),
        ("POST", "/v1/track", {"event": "e", "writeKey": "k9"}, False, 401),
        ("POST", "/v1/batch", batch(page()), True, 503),
        ("POST", "/v1/m", {}, False, 200),
        ("GET", "/v1/projects/k1/settings", None, False, 200),
        ("GET", "/projects/k9/settings", None, False, 404),
        ("GET", "/sourceConfig/?writeKey=k1", None, False, 200),
        ("GET", "/sourceConfig/?writeKey=k9", None, False, 401),
    ],
)
async def test_a_page_of_any_site_may_read_every_answer(
    method: str,
    path: str,
    body: Any,
    is_full: bool,  # noqa: FBT001 - a column
    status: int,
    http: AsyncClient,
    ledger: Ledger,
) -> None:
    ledger.is_full = is_full
    answer = await http.request(method, path, json=body, headers={"origin": "https://shop.example"})

    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "retry-after"


async def test_no_page_may_call_what_is_not_for_sdks(ledger: Ledger) -> None:
    app = webhook(ledger)
    app.add_middleware(OpenToPages)
    async with client(app) as http:
        asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        answers = [
            await http.options("/webhook", headers=asked),
            await http.post("/webhook", json=page(), headers={"origin": "https://shop.example"}),
        ]

    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [None, None]


async def test_an_sdks_report_on_itself_is_thanked_for(http: AsyncClient, ledger: Ledger) -> None:
    answer = await http.post("/v1/m", json={"series": []})

    assert (answer.status_code, answer.content) == (200, SUCCESS)
    assert ledger.kept == []


async def test_rudderstacks_browser_sdk_sends_its_last_batch_with_the_key_in_the_query(
    http: AsyncClient, ledger: Ledger
) -> None:
    answer = await http.post("/beacon/v1/batch?writeKey=k1", json={"batch": [page()]})

    assert answer.status_code == 200
    assert len(ledger.kept) == 1


@pytest.mark.parametrize("path", ["/v1/projects/k1/settings", "/projects/k1/settings"])
@pytest.mark.parametrize(
    ("headers", "protocol"),
    [({}, "http"), ({"x-forwarded-proto": "https"}, "https"), ({"x-forwarded-proto": "?"}, "http")],
)
async def test_the_settings_name_the_host_that_was_asked(
    path: str, headers: dict[str, str], protocol: str, http: AsyncClient
) -> None:
    answer = await http.get(path, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["integrations"] == {
        "Segment.io": {"apiKey": "k1", "apiHost": "pinrelay.example/v1", "protocol": protocol}
    }


@pytest.mark.parametrize(
    ("host", "public_hosts", "told"),
    [
        ("pinrelay.example", ("pinrelay.example",), "pinrelay.example"),
        ("Pinrelay.Example:8443", ("pinrelay.example",), "Pinrelay.Example:8443"),
        ("two.example", ("one.example", "two.example"), "two.example"),
        ("localhost:8080", (), "localhost:8080"),
        ("evil.example", ("pinrelay.example",), "pinrelay.example"),
        ("pinrelay.example.evil.example", ("pinrelay.example",), "pinrelay.example"),
        ("evil.example", (), None),
    ],
)
async def test_the_settings_reflect_no_foreign_host(
    host: str, public_hosts: tuple[str, ...], told: str | None, ledger: Ledger
) -> None:
    async with client(tracking(ledger, public_hosts=public_hosts)) as http:
        answer = await http.get("/v1/projects/k1/settings", headers={"host": host})

    if told is None:
        assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
        assert host not in answer.text
    else:
        assert answer.json()["integrations"]["Segment.io"]["apiHost"] == f"{told}/v1"


@pytest.mark.parametrize(("path", "status"), [("/v1/projects/k9/settings", 404), ("/sourceConfig/", 401)])
async def test_an_unknown_key_is_told_nothing_unless_all_may_send(path: str, status: int, ledger: Ledger) -> None:
    async with client(tracking(ledger)) as http, client(tracking(ledger, is_open=True)) as open_http:
        answer, told = [await each.get(path, auth=("k9", "")) for each in (http, open_http)]

    assert (answer.status_code, told.status_code) == (status, 200)
    assert "k9" not in answer.text


@pytest.mark.parametrize("path", ["/sourceConfig/", "/sourceConfig?p=android&v=1.27.0"])
async def test_rudderstacks_sdks_are_told_that_their_source_is_there(path: str, http: AsyncClient) -> None:
    answer = await http.get(path, auth=("k1", ""))
    head = await http.head(path, auth=("k1", ""))

    assert (answer.status_code, head.status_code, head.content) == (200, 200, b"")
    source = answer.json()["source"]
    assert (source["id"], source["writeKey"], source["enabled"], source["destinations"]) == ("shop", "k1", True, [])
    assert source["config"]["statsCollection"]["errors"] == {"enabled": False}


@pytest.mark.parametrize(("keys", "source"), [(("shop:k1", "app:k2"), "app"), ((), "default")])
async def test_events_are_handed_on_with_the_name_of_their_source(
    keys: tuple[str, ...], source: str, ledger: Ledger
) -> None:
    async with client(tracking(ledger, keys=keys, is_open=not keys)) as http:
        await http.post("/v1/batch", json={"batch": [page()]}, auth=("k2", ""))

    assert ledger.sources == [source]


_JSON = any_json("type", "batch", "context", "library", "channel", "writeKey", "timestamp", "sentAt")


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(["/v1/track", "/v1/batch"]),
    st.binary() | st.builds(lambda value: json.dumps(value).encode(), _JSON),
)
async def test_no_body_of_any_shape_is_our_fault(http: AsyncClient, path: str, content: bytes) -> None:
    answer = await http.post(path, content=content, headers=basic("k1:"))

    assert answer.status_code in {200, 400}


async def test_times_are_set_by_our_clock_where_the_device_tells_none(http: AsyncClient, ledger: Ledger) -> None:
    await http.post("/v1/page", json={"writeKey": "k1"})

    assert ledger.kept[0]["timestamp"] == ledger.kept[0]["receivedAt"] == NOW_TEXT
    assert ledger.kept[0]["messageId"] == "made"


def test_the_openapi_document_names_every_answer(ledger: Ledger) -> None:
    paths = tracking(ledger).openapi()["paths"]

    assert paths.keys() == {
        "/v1/batch",
        "/v1/import",
        *(f"/v1/{call}" for call in CALLS),
        "/v1/projects/{key}/settings",
        "/sourceConfig/",
    }
    assert paths["/v1/track"]["post"]["responses"].keys() == {
        "200",
        "400",
        "401",
        "408",
        "413",
        "415",
        "429",
        "500",
        "503",
    }
    assert paths["/v1/projects/{key}/settings"]["get"]["responses"].keys() == {"200", "404", "421", "500"}


async def never_read() -> dict[str, Any]:
    raise AssertionError


@pytest.mark.parametrize(
    ("headers", "query"), [(basic("k9:"), b""), ({}, b"writeKey=k9")], ids=["in the header", "in the query"]
)
async def test_a_wrong_key_outside_the_body_is_refused_before_the_body_is_read(
    headers: dict[str, str], query: bytes
) -> None:
    app = tracking(Ledger())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/batch",
        "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, never_read, send)

    assert sent[0]["status"] == 401


@every_row(
    ("body", "status"),
    [
        pytest.param({"batch": [page(context={"a": "x" * 30_000})] * 17, "writeKey": "k/1é"}, 200, id="behind a batch"),
        pytest.param({"batch": [{"type": "page", "writeKey": "k/1é"}] * 3, "sentAt": "x"}, 401, id="only in an event"),
        pytest.param({"type": "page", "properties": {"writeKey": "k/1é"}}, 401, id="only in a property"),
        pytest.param({"type": "page", "userId": '"writeKey":"k/1é"'}, 401, id="only in a text"),
    ],
)
@every_row("packed", [False, True])
async def test_a_key_in_the_body_counts_at_its_top_only(body: Any, status: int, packed: bool) -> None:  # noqa: FBT001 - a column
    raw = json.dumps(body).replace("/", "\\/").encode()
    async with client(tracking(Ledger(), keys=("shop:k/1é",), tracking_max_events=9_999)) as http:
        answer = await http.post("/v1/batch", content=gzip.compress(raw) if packed else raw)

    assert answer.status_code == status


async def test_of_a_batch_larger_than_one_look_every_event_is_kept() -> None:
    ledger = Ledger()
    events = [page(messageId=f"m-{number}", name="x" * 1_000) for number in range(450)]
    raw = json.dumps({"sentAt": NOW_TEXT, **batch(*events, context={"locale": "de"})}).encode()
    async with client(tracking(ledger)) as http:
        assert (await http.post("/v1/batch", content=raw)).status_code == 200

    assert [event["messageId"] for event in ledger.kept] == [f"m-{number}" for number in range(450)]
    assert {event["context"]["locale"] for event in ledger.kept} == {"de"}


async def test_an_event_that_is_too_large_to_be_parsed_is_refused_in_a_batch_too() -> None:
    ledger = Ledger()
    raw = json.dumps(batch(page(), page(name="x" * 300_000), page(name="y" * 40_000))).encode()
    async with client(tracking(ledger)) as http:
        assert (await http.post("/v1/batch", content=raw)).status_code == 200

    assert len(ledger.kept) == 1
    assert [refused.reason for refused in ledger.refused] == [
        "the event is larger than 262144 bytes",
        "the event is larger than 32768 bytes",
    ]
