"""/api/v1/events: received events by name."""

from pathlib import Path

import pytest

from tests.web.client import client_of

ORDER = {"type": "track", "event": "order completed", "messageId": "1", "properties": {"total": 3}}


@pytest.mark.slow
async def test_what_was_sent_is_found_by_its_name_once_the_process_has_written(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        assert (await client.post("/webhook", json=ORDER)).status_code == 200
        assert (await client.get("/api/v1/events")).json()["events"] == []
    async with client_of(tmp_path) as client:
        (event,) = (await client.get("/api/v1/events")).json()["events"]
        assert (event["source"], event["name"], event["outcomes"]) == ("default", "order completed", {"unmatched": 1})
        assert event["nearest"]["preset"] == "Order Completed"
        asked = {"name": "order completed"}
        (one,) = (await client.get("/api/v1/events/properties", params=asked)).json()["events"]
        assert [each["path"] for each in one["properties"]] == ["properties.total"]
        (of_source,) = (await client.get("/api/v1/events", params={"source": "default"})).json()["events"]
        assert of_source == event
        for params in ({"source": "default", "type": "page", "name": ""}, {"source": "shop", "name": "x"}):
            assert (await client.get("/api/v1/events/properties", params=params)).status_code == 404
        unknown = await client.get("/api/v1/events/properties", params={"name": "Order Completed"})
        assert unknown.json()["detail"] == 'unknown event; the nearest is "order completed"'
        assert (one["states"], [day["received"] for day in one["by_day"]]) == ({}, [1])
        for wrong, status in ({"days": 0}, 422), ({"last_day": "noon"}, 422), ({"last_day": "9.3e-38"}, 422):
            assert (await client.get("/api/v1/events", params=wrong)).status_code == status
        before = (await client.get("/api/v1/events", params={"last_day": "2020-01-01"})).json()
        assert before["events"] == []


async def test_switched_off_it_counts_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        async with client_of(tmp_path, inventory_names=0) as client:
            await client.post("/webhook", json=ORDER)
            assert (await client.get("/api/v1/events")).json()["events"] == []
