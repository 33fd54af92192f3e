"""Unknown paths and methods are answered like every other error, with a remedy; the log names who sent."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from app.config import load_settings
from app.main import Role, create_app
from tests.outbox.new_store import new_store
from tests.process import PLAIN, Server
from tests.web.client import client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that all these tests share: they change nothing."""
    async with client_of(tmp_path_factory.mktemp("unrouted")) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/webhok", "/v1/trak", "/v1", "/api/s/nothing", "/favicon.ico"])
async def test_an_unknown_path_says_where_events_go(method: str, path: str, http: httpx.AsyncClient) -> None:
    answer = await http.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"code", "message", "error"}
    assert answer.json()["code"] == "not_found"
    assert "/webhook" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/webhook", "POST, PUT, PATCH"),
        ("DELETE", "/webhook/", "POST, PUT, PATCH"),
        ("GET", "/v1/track", "POST"),
        ("PUT", "/v1/projects/key/settings", "GET"),
        ("GET", "/api/s/track", "POST"),
        ("POST", "/healthz", "GET"),
        ("PUT", "/console/login", "GET, POST"),
    ],
)
async def test_a_known_path_names_every_method_that_it_takes(
    method: str, path: str, allowed: str, http: httpx.AsyncClient
) -> None:
    answer = await http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.json()["error"] == answer.json()["message"]


async def test_a_page_of_the_console_that_does_not_exist_is_a_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/console/deliverys")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such page" in answer.text


@pytest.mark.parametrize("path", ["/console/", "/console/deliveries/?state=dead"])
async def test_a_slash_at_the_end_of_a_page_is_taken_off(path: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(path)

    assert answer.status_code == 307
    assert httpx.URL(answer.headers["location"]).raw_path.decode() == path.replace("/?", "?").rstrip("/")


async def test_a_sender_alone_has_no_door_and_says_so(tmp_path: Path) -> None:
    app = create_app(load_settings(outbox_url=new_store(tmp_path, "o.db")), role=Role.SEND)
    transport = httpx.ASGITransport(app)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
        app.router.lifespan_context(app),
    ):
        assert (await http.post("/webhook", json={})).json()["code"] == "not_found"


async def test_the_log_names_the_source_where_it_is_known_and_never_its_key(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(write_keys="shop:key-of-the-shop,app:key-of-the-app")
    async with httpx.AsyncClient(base_url=server.url, **PLAIN) as client:
        for key in ("key-of-the-app", "key-of-nobody"):
            await client.post("/v1/page", json={"messageId": "m", "userId": "u", "writeKey": key})

    server.stop()

    lines = [json.loads(line) for line in server.log.splitlines() if '"/v1/page"' in line]
    assert [(line["status"], line.get("source")) for line in lines] == [(200, "app"), (401, None)]
    assert "key-of" not in server.log
