"""An ASGI application behind a real socket of the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from tests.waiting import until_async


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Listen on a free port and give the URL; stop at the end."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="on"))

    async def started() -> bool:
        return server.started

    running = asyncio.create_task(server.serve())
    await until_async(started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
