"""The whole application in this process, and a client on this machine: for tests that need no process of its own.

One application serves the tests of a module: its fixture and its tests run in the loop of the module.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.main import create_app
from tests.assembled import settings
from tests.outbox.new_store import new_store


@asynccontextmanager
async def client_of(folder: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run what `pinrelay serve` runs, in sandbox mode with its outbox in `folder`; the client follows no redirects.

    `clock` among the changes is the clock of all.
    """
    clock = changes.pop("clock", None)
    app = create_app(settings(outbox_url=new_store(folder, "pinrelay.db"), **changes), clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client
