"""Counts of the last hours by ad account, source and preset."""

from typing import Any

import pytest

from app.core.events import CounterRow
from app.operations.declaration import Call
from app.operations.events import CountsParams, count_events
from tests.operations.test_entries import call
from tests.outbox.build import HOUR_S, NOW

__all__ = ["call"]

LEAD = {"name": "enqueued", "preset": "Lead", "label": "", "ad_account_id": "1", "source": "shop", "count": 4}
OF_FR = LEAD | {"ad_account_id": "2", "count": 1}
OF_TILL = LEAD | {"source": "till", "count": 2}
BEFORE = LEAD | {"name": "invalid", "label": "no user", "count": 3}


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
async def test_counts_are_filtered(call: Call, asked: dict[str, Any], counts: list[dict[str, Any]]) -> None:
    outbox = call.services.outbox
    for at, given in ((NOW, LEAD), (NOW, OF_FR), (NOW, OF_TILL), (NOW - 2 * HOUR_S, BEFORE)):
        await outbox.enqueue([], [], [CounterRow(**given)], now=at)  # type: ignore[arg-type] # a record by its names
    found = await count_events(call, CountsParams(**asked))
    assert found.model_dump()["counts"] == counts
    assert found.since == NOW + 1 - asked.get("hours", 24) * HOUR_S
