"""The busiest routes are reached without FastAPI's layers, and nothing else changes."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from app.config.settings import SenderSettings
from app.core.log import configure_logging
from app.core.metrics import Metrics
from app.core.receipts import Receipt
from app.insights.tracing import open_tracing
from app.source import Intake
from app.source.auth import WriteKeys
from app.source.tracking_api import tracking_router
from app.web.application import Application, DirectRoutes
from tests.rows import every_row
from tests.source.door import request_handler


async def show(request: Request) -> Response:
    """Answer whether FastAPI had a hand in it (it then says which application it is), and the route's pattern."""
    parameters = "".join(f" {each}" for each in request.path_params.values())
    return Response(f"{'app' in request.scope} {request.scope['route'].path}{parameters}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()
    router.add_api_route("/busy", show, methods=["POST", "PUT"])
    router.add_api_route("/named/{name}", show, methods=["POST"])
    router.add_api_route("/named/{name}/more", show, methods=["POST"])
    app = FastAPI()
    app.include_router(router)
    routes = DirectRoutes(app, Metrics())
    routes.add(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        pytest.param("POST", "/busy", 200, "False /busy", id="a busy route goes straight to its handler"),
        pytest.param("PUT", "/busy", 200, "False /busy", id="so does each of its methods"),
        pytest.param("PATCH", "/busy", 405, "", id="a method that the path does not take is FastAPI's to refuse"),
        pytest.param("POST", "/busy/", 307, "", id="a path that is spelled otherwise is FastAPI's to find"),
        pytest.param("POST", "/named/x", 200, "False /named/{name} x", id="a path may end with a parameter"),
        pytest.param("GET", "/named/x", 405, "", id="by a method that it takes"),
        pytest.param("POST", "/named/", 404, "", id="which is not empty"),
        pytest.param(
            "POST", "/named/x/more", 200, "True /named/{name}/more x", id="with a parameter elsewhere it is FastAPI's"
        ),
        pytest.param("POST", "/other", 404, "", id="what is not there is FastAPI's to tell"),
    ],
)
async def test_only_a_direct_route_is_answered_past_fastapi(
    client: httpx.AsyncClient, method: str, path: str, status: int, text: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    if text:
        assert response.text == text


SECRET = "jane@example.com"


class Broken:
    """Fails as nobody foresees, with words that quote what was sent."""

    async def accept(self, intake: Intake) -> Receipt:
        raise LookupError(SECRET, intake.now, intake.source)

    async def show(self, request: Request) -> Response:
        raise LookupError(SECRET, await request.body())


def broken_application() -> Application:
    other = APIRouter()
    other.add_api_route("/webhook", Broken().show, methods=["POST"])
    app = Application(Metrics(), open_tracing({}))
    handler = request_handler(Broken(), now=0.0)
    app.include_busy_router(tracking_router(handler, SenderSettings.model_construct(), WriteKeys.read(())))
    app.include_busy_router(other)
    app.add_api_route("/seldom", Broken().show, methods=["POST"])
    app.add_api_route("/v1/seldom", Broken().show, methods=["POST"])
    return app


@every_row(
    ("path", "is_for_browsers"),
    [("/webhook", False), ("/v1/track", True), ("/v1/batch", True), ("/seldom", False), ("/v1/seldom", True)],
)
async def test_what_no_handler_foresees_is_answered_like_other_errors(path: str, is_for_browsers: bool) -> None:  # noqa: FBT001 - a column
    transport = httpx.ASGITransport(broken_application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        body = {"type": "track", "batch": [{"email": SECRET}]}
        answer = await http.post(path, json=body, headers={"origin": "https://shop.example"})

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert answer.json().keys() == {"code", "message", "error"}
    assert answer.json()["code"] == "internal_error"
    assert (answer.headers.get("access-control-allow-origin") == "*") is is_for_browsers


@pytest.mark.usefixtures("restored_logging")
async def test_what_no_handler_foresees_is_logged_with_its_places_and_without_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("json", "info")
    transport = httpx.ASGITransport(broken_application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        await http.post("/v1/track", json={"email": SECRET})
        await asyncio.sleep(0)  # requests are logged when a turn of the event loop is over

    output = capsys.readouterr().err
    error, request = map(json.loads, output.splitlines())
    assert (error["event"], error["level"], error["error"]) == ("unexpected error", "error", "LookupError")
    assert error["route"] == "/v1/track"
    assert "test_direct_routes.py" in error["places"][-1]
    assert (request["event"], request["route"], request["status"]) == ("request", "/v1/track", 500)
    assert SECRET not in output
