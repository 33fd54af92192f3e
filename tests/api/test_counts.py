"""The counts of the last hours are told by ad account, source and preset."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from app.api.lookups import add_counts
from app.core.events import CounterRow
from app.outbox import Outbox, open_outbox
from tests.outbox.build import HOUR_S, NOW, rules
from tests.outbox.new_store import new_store

LEAD = {"name": "enqueued", "preset": "Lead", "label": "", "ad_account_id": "1", "source": "shop", "count": 4}
OF_FR = LEAD | {"ad_account_id": "2", "count": 1}
OF_TILL = LEAD | {"source": "till", "count": 2}
BEFORE = LEAD | {"name": "invalid", "label": "no user", "count": 3}


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    store = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    for at, given in ((NOW, LEAD), (NOW, OF_FR), (NOW, OF_TILL), (NOW - 2 * HOUR_S, BEFORE)):
        await store.enqueue([], [], [CounterRow(**given)], now=at)  # type: ignore[arg-type] # a record by its names
    yield store
    await store.close()


@pytest.fixture
async def client(outbox: Outbox) -> AsyncIterator[httpx.AsyncClient]:
    app, router = FastAPI(), APIRouter()
    add_counts(router, outbox, lambda: NOW)
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        yield http


@pytest.mark.parametrize(
    ("asked", "counts"),
    [
        ({"hours": 1}, [LEAD, OF_TILL, OF_FR]),
        ({}, [LEAD, OF_TILL, OF_FR, BEFORE]),
        ({"ad_account_id": "2"}, [OF_FR]),
        ({"source": "till"}, [OF_TILL]),
        ({"ad_account_id": "1", "source": "shop"}, [LEAD, BEFORE]),
        ({"preset": "Checkout"}, []),
    ],
    ids=str,
)
async def test_what_is_asked_for_is_counted(
    client: httpx.AsyncClient, asked: dict[str, Any], counts: list[dict[str, Any]]
) -> None:
    answer = (await client.get("/counts", params=asked)).json()
    assert answer == {"since": NOW - asked.get("hours", 24) * HOUR_S, "counts": counts}
