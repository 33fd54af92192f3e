"""Unknown paths and methods are answered like every other error, with a remedy; the log names who sent."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from app.config import load_settings
from app.main import Role, create_app
from tests.process import running


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that all these tests share: they change nothing."""
    with (
        running(tmp_path_factory.mktemp("unrouted")) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/webhok", "/v1/trak", "/v1", "/api/nothing", "/favicon.ico"])
def test_an_unknown_path_says_where_events_go(method: str, path: str, http: httpx.Client) -> None:
    answer = http.request(method, path)

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
def test_a_known_path_names_every_method_that_it_takes(
    method: str, path: str, allowed: str, http: httpx.Client
) -> None:
    answer = http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.json()["error"] == answer.json()["message"]


def test_a_page_of_the_console_that_does_not_exist_is_a_page(http: httpx.Client) -> None:
    answer = http.get("/console/deliverys")

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no such page" in answer.text


@pytest.mark.parametrize("path", ["/console/", "/console/deliveries/?state=dead"])
def test_a_slash_at_the_end_of_a_page_is_taken_off(path: str, http: httpx.Client) -> None:
    answer = http.get(path)

    assert answer.status_code == 307
    assert httpx.URL(answer.headers["location"]).raw_path.decode() == path.replace("/?", "?").rstrip("/")


@pytest.fixture(autouse=True)
def without_logging() -> Iterator[None]:
    """Write no lines where an earlier test had them written, and leave nothing behind."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def called(folder: Path, role: Role = Role.ALL, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """Call an application in this process."""
    app = create_app(load_settings(outbox_url=f"sqlite:///{folder}/o.db", **settings), role=role)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http, app.router.lifespan_context(app):
        yield http


async def test_a_sender_alone_has_no_door_and_says_so(tmp_path: Path) -> None:
    async with called(tmp_path, Role.SEND) as http:
        assert (await http.post("/webhook", json={})).json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("keys", "given", "source"), [("shop:k1,app:k2", "k2", "app"), ("shop:k1", "wrong", None), ("", "any", None)]
)
async def test_the_log_names_the_source_and_never_its_key(
    keys: str, given: str, source: str | None, tmp_path: Path
) -> None:
    with capture_logs() as logs:
        async with called(tmp_path, write_keys=keys) as http:
            await http.post("/v1/page", json={"messageId": "m", "writeKey": given})

    (line,) = (entry for entry in logs if entry["event"] == "request")
    assert line.get("source") == source
    assert given not in map(str, line.values())
