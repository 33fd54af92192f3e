"""The sandbox, in this process."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from app.sandbox import create_sandbox

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
