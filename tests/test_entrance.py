"""The busiest routes are reached without FastAPI's layers, and nothing else changes."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from app.entrance import Entrance
from app.metrics import Metrics


async def show(request: Request) -> Response:
    """Answer whether FastAPI had a hand in it (it then says which application it is), and the route's pattern."""
    return Response(f"{'app' in request.scope} {request.scope['route'].path}")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()
    router.add_api_route("/busy", show, methods=["POST", "PUT"])
    router.add_api_route("/named/{name}", show, methods=["POST"])
    app = FastAPI()
    app.include_router(router)
    entrance = Entrance(app, Metrics())
    entrance.add(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(entrance), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        pytest.param("POST", "/busy", 200, "False /busy", id="a busy route goes straight to its handler"),
        pytest.param("PUT", "/busy", 200, "False /busy", id="so does each of its methods"),
        pytest.param("PATCH", "/busy", 405, "", id="a method that the path does not take is FastAPI's to refuse"),
        pytest.param("POST", "/busy/", 307, "", id="a path that is spelled otherwise is FastAPI's to find"),
        pytest.param("POST", "/named/x", 200, "True /named/{name}", id="a path with a parameter is FastAPI's to match"),
        pytest.param("POST", "/other", 404, "", id="what is not there is FastAPI's to tell"),
    ],
)
async def test_who_answers(client: httpx.AsyncClient, method: str, path: str, status: int, text: str) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    if text:
        assert response.text == text
