"""The sandbox, in this process and behind a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from app.sandbox import create_sandbox
from tests.waiting import until_async

TOKEN = "pina_test_token"


@pytest.fixture
async def sandbox() -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token, to a sandbox that takes any account."""
    async with client_of(create_sandbox()) as client:
        yield client


def client_of(app: Starlette) -> httpx.AsyncClient:
    """Return a client with a token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox", headers=headers)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Starlette], "asyncio.Future[str]"]]:
    """`await serve(app)` listens on a free port of the loopback and answers the URL."""
    servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(app: Starlette) -> str:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="on"))
        task = asyncio.create_task(server.serve())
        servers.append((server, task))
        await until_async(_started(server))
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield lambda app: asyncio.ensure_future(start(app))
    for server, task in servers:
        server.should_exit = True
        await task


def _started(server: uvicorn.Server) -> Callable[[], Awaitable[bool]]:
    async def started() -> bool:
        return server.started

    return started
