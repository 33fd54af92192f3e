"""Unknown paths and methods are answered like every other error, with a remedy; the log names who sent."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.config import load_settings
from app.main import Role, create_app


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(load_settings(outbox_url=f"sqlite:///{tmp_path}/o.db"))


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as http, app.router.lifespan_context(app):
        yield http


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("127.0.0.1", 4711)), base_url="http://localhost"
    )


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/webhok", "/v1/trak", "/v1", "/api/nothing", "/favicon.ico"])
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
        ("GET", "/v1/track", "POST, OPTIONS"),
        ("PUT", "/v1/projects/key/settings", "GET, OPTIONS"),
        ("DELETE", "/api/redrive", "POST"),
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
    app = create_app(load_settings(outbox_url=f"sqlite:///{tmp_path}/o.db"), role=Role.SEND)
    async with client(app) as http, app.router.lifespan_context(app):
        assert (await http.post("/webhook", json={})).json()["code"] == "not_found"


@pytest.fixture
def without_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("keys", "given", "source"), [("shop:k1,app:k2", "k2", "app"), ("shop:k1", "wrong", None), ("", "any", None)]
)
async def test_the_log_names_the_source_and_never_its_key(
    keys: str, given: str, source: str | None, tmp_path: Path, without_logging: None
) -> None:
    with capture_logs() as logs:
        app = create_app(load_settings(outbox_url=f"sqlite:///{tmp_path}/o.db", write_keys=keys))
        async with client(app) as http, app.router.lifespan_context(app):
            await http.post("/v1/page", json={"messageId": "m", "writeKey": given})

    (line,) = (entry for entry in logs if entry["event"] == "request")
    assert line.get("source") == source
    assert given not in map(str, line.values())
