"""The quarantine by the interface for operators."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from httpx import AsyncClient

from tests.web.client import client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = {"all": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application that keeps what is invalid."""
    key = "a key of the quarantine, long enough"
    folder = tmp_path_factory.mktemp("quarantine")
    async with client_of(folder, quarantine_hours=1, quarantine_key=key) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def off(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncClient]:
    """A client of an application without a quarantine."""
    async with client_of(tmp_path_factory.mktemp("off")) as client:
        yield client


async def test_what_is_invalid_is_listed_judged_replayed_and_discarded(client: AsyncClient) -> None:
    event = {"type": "track", "event": "Order Completed", "messageId": "m-1", "timestamp": time.time()}
    assert (await client.post("/webhook", json=[event])).status_code == 200
    (group,) = (await client.get("/api/v1/quarantine")).json()["groups"]
    assert (group["name"], group["outcome"], group["count"]) == ("Order Completed", "invalid", 1)
    preview = (await client.get("/api/v1/quarantine/preview", params={"name": "Order Completed"})).json()
    assert (preview["events"], preview["leaving"], preview["outcomes"]) == (1, 0, {"invalid": 1})
    assert preview["by_preset"][0]["reason"] == group["reason"]
    assert (await client.post("/api/v1/quarantine/replay", json=ALL)).json()["leaving"] == 0
    for body in ({"outcome": "invalid", "dry_run": True}, {"outcome": "invalid"}):
        assert (await client.post("/api/v1/quarantine/discard", json=body)).json() == {"discarded": 1}
    assert (await client.get("/api/v1/quarantine")).json() == {"groups": []}


@pytest.mark.parametrize("body", [{}, {"all": False}])
async def test_all_must_be_said(client: AsyncClient, body: dict[str, object]) -> None:
    assert (await client.post("/api/v1/quarantine/replay", json=body)).status_code == 422


@pytest.mark.parametrize("body", [{"nmae": "x"}, {"outcome": "lost"}, {"name": 5}])
async def test_an_unknown_filter_is_refused(client: AsyncClient, body: dict[str, object]) -> None:
    assert (await client.post("/api/v1/quarantine/discard", json=body)).status_code == 422


@pytest.mark.parametrize(("address", "status"), [("", 200), ("name=", 200), ("all=true", 422), ("outcome=lost", 422)])
async def test_a_preview_needs_no_filter(client: AsyncClient, address: str, status: int) -> None:
    assert (await client.get(f"/api/v1/quarantine/preview?{address}")).status_code == status


async def test_if_the_quarantine_is_off_each_operation_names_the_setting(off: AsyncClient) -> None:
    for answer in (
        await off.get("/api/v1/quarantine"),
        await off.get("/api/v1/quarantine/preview", params={}),
        await off.post("/api/v1/quarantine/replay", json=ALL),
        await off.post("/api/v1/quarantine/discard", json=ALL),
    ):
        assert (answer.status_code, "QUARANTINE_HOURS" in answer.text) == (404, True)
