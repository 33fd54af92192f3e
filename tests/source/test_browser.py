"""What pages of a shop get: a small script, asked for anew by its tag, and where all is right the click id's cookie."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.config import load_settings
from app.core.shared_values import TAG_CALLS, TagCall
from app.errors import SettingsError
from app.main import Role, create_app
from app.outbox import open_outbox
from tests.assembled import settings
from tests.outbox.new_store import new_store
from tests.rows import every_row

CLICK = "dj0yJnU9YWJjZGVm"
SHOP = {"origin": "https://www.shop.example", "host": "t.shop.example"}


@asynccontextmanager
async def client(folder: Path, domain: str | None = "shop.example", **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    standard = {"write_keys": "shop:a-public-key-of-pages", "outbox_url": new_store(folder, "o.db")}
    app = create_app(settings(**standard | changes, epik_cookie_domain=domain), role=Role.RECEIVE)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://t.shop.example") as http,
    ):
        yield http


async def renewed(folder: Path, body: Any, headers: dict[str, str] | None = None) -> str | None:
    async with client(folder) as http:
        answer = await http.post("/v1/epik", json=body, headers=SHOP | (headers or {}))
    assert (answer.status_code, answer.content) == (204, b"")
    said: str | None = answer.headers.get("set-cookie")
    return said


@pytest.mark.slow
async def test_the_cookie_is_renewed_for_a_page_that_states_consent(tmp_path: Path) -> None:
    said = await renewed(tmp_path, {"consent": True, "click_id": CLICK})
    cookie = SimpleCookie(said)["_epik"]
    assert (cookie.value, cookie["domain"], cookie["path"]) == (CLICK, "shop.example", "/")
    assert (cookie["secure"], cookie["samesite"], cookie["max-age"]) == (True, "lax", str(60 * 86_400))
    assert not cookie["httponly"]


@pytest.mark.slow
async def test_without_a_click_id_the_cookie_that_came_along_is_renewed(tmp_path: Path) -> None:
    said = await renewed(tmp_path, {"consent": True}, {"cookie": f"a=1; _epik={CLICK}"})
    assert SimpleCookie(said)["_epik"].value == CLICK
    assert await renewed(tmp_path, {"consent": True}) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        {"click_id": CLICK},
        {"consent": "true", "click_id": CLICK},
        {"consent": 1, "click_id": CLICK},
        {"consent": False, "click_id": CLICK},
        {"consent": True, "click_id": "short"},
        {"consent": True, "click_id": "x" * 513},
        {"consent": True, "click_id": "ann@shop.example"},
        {"consent": True, "click_id": "abcdefgh; Domain=evil.example"},
        {"consent": True, "click_id": "abcdefgh\r\nSet-Cookie: a=b"},
        {"consent": True, "click_id": "abcdefgh\n"},
        {"consent": True, "click_id": "abcdefg\u0661"},
        {"consent": True, "click_id": [CLICK]},
        {"consent": True, "click_id": None},
        [True],
    ],
)
async def test_no_cookie_is_set_without_consent_and_a_click_id_of_the_right_form(tmp_path: Path, body: Any) -> None:
    assert await renewed(tmp_path, body) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-gpc": "1"},
        {"sec-gpc": "yes"},
        {"origin": "https://evil.example"},
        {"origin": "https://notshop.example"},
        {"origin": "null"},
        {"origin": ""},
        {"host": "t.other.example"},
        {"host": "evilshop.example"},
    ],
)
async def test_no_cookie_is_set_for_who_said_no_or_for_a_page_of_another_site(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    assert await renewed(tmp_path, {"consent": True, "click_id": CLICK}, headers) is None


@pytest.mark.slow
async def test_what_is_no_json_or_too_long_sets_nothing(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        assert (await http.post("/v1/epik", content=b"{", headers=SHOP)).headers.get("set-cookie") is None
        assert (await http.post("/v1/epik", content=b"x" * 2_001, headers=SHOP)).status_code == 413


@pytest.mark.slow
async def test_without_the_setting_there_is_no_such_path(tmp_path: Path) -> None:
    async with client(tmp_path, None) as http:
        answer = await http.post("/v1/epik", json={"consent": True, "click_id": CLICK}, headers=SHOP)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (404, None)


@every_row("domain", ["shop", "https://shop.example", "shop.example/", ".shop.example", "a b.example"])
def test_what_is_no_domain_is_told_at_the_start(domain: str) -> None:
    with pytest.raises(SettingsError, match="EPIK_COOKIE_DOMAIN"):
        load_settings(epik_cookie_domain=domain)


@pytest.mark.slow
async def test_the_script_is_small_and_asked_for_anew_by_its_tag(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        whole = await http.get("/pinrelay.js", headers={"origin": "https://www.shop.example"})
        again = await http.get("/pinrelay.js", headers={"if-none-match": f'W/{whole.headers["etag"]}, "other"'})
        head = await http.head("/pinrelay.js")
        other = await http.get("/pinrelay.js", headers={"if-none-match": '"other"'})
    assert whole.status_code == head.status_code == other.status_code == 200
    assert len(whole.content) < 6_000
    assert whole.headers["content-type"] == "text/javascript; charset=utf-8"
    assert whole.headers["cache-control"] == "public, max-age=3600"
    assert whole.headers["access-control-allow-origin"] == "*"
    assert whole.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in whole.headers
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", whole.headers["etag"])
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))


@pytest.mark.slow
async def test_pages_of_any_site_may_load_it_from_a_server_of_this_machine_too(tmp_path: Path) -> None:
    async with client(tmp_path, write_keys="") as http:
        asked = {"host": "localhost:8080", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
        assert (await http.get("/pinrelay.js", headers=asked)).status_code == 200
        assert (await http.get("/metrics", headers=asked)).status_code == 403


KEY = "a-public-key-of-pages"


@asynccontextmanager
async def reported(
    folder: Path, body: Any, headers: dict[str, str] | None = None, **changes: Any
) -> AsyncIterator[tuple[int, list[TagCall]]]:
    """Yield the status of a report of a page, and the calls that are kept of it."""
    standard = {"write_keys": f"shop:{KEY}", "outbox_url": new_store(folder, "o.db"), "tag_check": True} | changes
    app = create_app(settings(**standard), role=Role.RECEIVE)
    host = "https://t.shop.example" if standard["write_keys"] else "http://127.0.0.1:8080"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=host) as http:
        async with app.router.lifespan_context(app):
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            answer = await http.post("/v1/tag", content=content, headers=headers or {})
        store = open_outbox(str(standard["outbox_url"]), settings())
        kept = await TAG_CALLS.read_all(store)
        await store.close()
    yield answer.status_code, [call for each in kept.values() for call in each.calls]


@pytest.mark.slow
async def test_a_page_reports_the_calls_of_its_tag(tmp_path: Path) -> None:
    calls = [
        {"event": "page"},
        {"event": "AddToCart", "event_id": " e-1 ", "value": 5, "email": "ada@shop.example"},
        {"event": "checkout", "event_id": 17, "order_id": "#1001"},
        {"event": "quizdone", "event_id": "undefined"},
        {"event": "Partner Defined", "event_id": {"a": 1}, "order_id": "x" * 257},
        {"event": 7},
        "no call",
    ]
    body = {"writeKey": KEY, "consent": True, "calls": calls, "beside": ["e-9", None, ["e"], ""]}
    async with reported(tmp_path, body, custom_event_names="quiz_done") as (status, kept):
        assert status == 204
        beside = ("e-9",)
        assert kept == [
            TagCall(event="page_visit", beside=beside),
            TagCall(event="add_to_cart", event_id="e-1", beside=beside),
            TagCall(event="checkout", event_id="17", order_id="#1001", beside=beside),
            TagCall(event="quiz_done", beside=beside),
            TagCall(event="custom", beside=beside),
        ]


@pytest.mark.slow
async def test_what_a_page_reports_is_bounded_and_holds_no_address(tmp_path: Path) -> None:
    call = {"event": "lead", "event_id": "of ada@shop.example"}
    body = {"writeKey": KEY, "consent": True, "calls": [call] * 30, "beside": ["e"] * 30}
    async with reported(tmp_path, body) as (_, kept):
        assert (len(kept), len(kept[0].beside)) == (20, 10)
        assert "@" not in (kept[0].event_id or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "headers", "changes", "status"),
    [
        ({"writeKey": KEY, "calls": [{"event": "lead"}]}, {}, {}, 204),
        ({"writeKey": KEY, "consent": "true", "calls": [{"event": "lead"}]}, {}, {}, 204),
        ({"writeKey": KEY, "consent": True, "calls": [{"event": "lead"}]}, {"sec-gpc": "1"}, {}, 204),
        ({"writeKey": KEY, "consent": True, "calls": {"event": "lead"}, "beside": "e"}, {}, {}, 204),
        ({"writeKey": "another", "consent": True, "calls": [{"event": "lead"}]}, {}, {}, 401),
        ({"consent": True, "calls": [{"event": "lead"}]}, {}, {}, 401),
        (b"{", {}, {}, 401),
        (b"x" * 16_001, {}, {}, 413),
        ({"writeKey": KEY, "consent": True, "calls": [{"event": "lead"}]}, {}, {"tag_check": False}, 404),
    ],
)
async def test_nothing_is_reported_without_consent_a_key_and_the_setting(
    tmp_path: Path, body: Any, headers: dict[str, str], changes: dict[str, Any], status: int
) -> None:
    async with reported(tmp_path, body, headers, **changes) as (answered, kept):
        assert (answered, kept) == (status, [])


@pytest.mark.slow
async def test_where_nobody_has_to_prove_anything_a_page_needs_no_key(tmp_path: Path) -> None:
    async with reported(tmp_path, {"consent": True, "calls": [{"event": "lead"}]}, write_keys="") as (status, kept):
        assert (status, [call.event for call in kept]) == (204, ["lead"])
