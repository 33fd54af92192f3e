"""An ASGI application behind a real socket of the loopback."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from tests.waiting import until, until_async


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Listen on a free port and give the URL; stop at the end."""
    server = _server(app)

    async def started() -> bool:
        return server.started

    running = asyncio.create_task(server.serve())
    await until_async(started)
    try:
        yield _url(server)
    finally:
        server.should_exit = True
        await running


@contextmanager
def serving_apart(app: Starlette) -> Iterator[str]:
    """Do the same in a thread of its own, for tests outside an event loop; what is slow is cut at the end."""
    server = _server(app)
    thread = Thread(target=server.run, name="serving")
    thread.start()
    try:
        until(lambda: server.started, what="it listens")
        yield _url(server)
    finally:
        server.should_exit = True
        thread.join()


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


def _url(server: uvicorn.Server) -> str:
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"
