"""Broken connections, over a real socket."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.sandbox import create_sandbox
from tests.process import PLAIN
from tests.sandbox.conftest import TOKEN
from tests.sandbox.events import numbered
from tests.sandbox.serving import serving

EVENTS = "/v5/ad_accounts/1/events"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with serving(create_sandbox()) as url, httpx.AsyncClient(base_url=url, **PLAIN, headers=headers) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "received"),
    [
        ({"reset": True}, 0),
        ({"reset": True, "record": True}, 2),
        ({"half": True}, 2),
    ],
    ids=str,
)
async def test_a_cut_connection_leaves_the_client_without_a_whole_answer(
    step: dict[str, Any], received: int, client: httpx.AsyncClient
) -> None:
    await client.put("/script", json={"steps": [step]})

    with pytest.raises(httpx.TransportError):
        await client.post(EVENTS, json={"data": numbered(2)})

    state = (await client.get("/")).json()
    assert (state["received"], state["by_status"]) == (received, {"cut": 1})
    assert (await client.post(EVENTS, json={"data": numbered(2)})).status_code == 200


@pytest.mark.slow
async def test_half_an_answer_begins_like_a_whole_one(client: httpx.AsyncClient) -> None:
    await client.put("/script", json={"steps": [{"half": True}]})

    async with client.stream("POST", EVENTS, json={"data": numbered(1)}) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()


async def test_within_the_process_there_is_no_connection_to_cut_but_an_error(sandbox: httpx.AsyncClient) -> None:
    await sandbox.put("/script", json={"steps": [{"reset": True}]})

    with pytest.raises(ConnectionResetError):
        await sandbox.post(EVENTS, json={"data": numbered(1)})
