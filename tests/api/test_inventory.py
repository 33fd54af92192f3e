"""/api/v1/inventory: what has arrived, by name."""

from pathlib import Path

import pytest

from tests.web.client import client_of

ORDER = {"type": "track", "event": "order completed", "messageId": "1", "properties": {"total": 3}}


@pytest.mark.slow
async def test_what_was_sent_is_found_by_its_name_once_the_process_has_written(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        assert (await client.post("/webhook", json=ORDER)).status_code == 200
        assert (await client.get("/api/v1/inventory")).json()["events"] == []
    async with client_of(tmp_path) as client:
        (event,) = (await client.get("/api/v1/inventory")).json()["events"]
        assert (event["source"], event["name"], event["outcomes"]) == ("default", "order completed", {"unmatched": 1})
        assert event["nearest"]["preset"] == "Order Completed"
        one = (await client.get("/api/v1/inventory", params={"name": "order completed"})).json()
        assert [each["path"] for each in one["properties"]] == ["properties.total"]
        (of_source,) = (await client.get("/api/v1/inventory", params={"source": "default"})).json()["events"]
        assert of_source == event
        assert (await client.get("/api/v1/inventory", params={"source": "shop"})).json()["events"] == []
        nameless = await client.get("/api/v1/inventory", params={"source": "default", "type": "page", "name": ""})
        assert nameless.status_code == 404
        unknown = await client.get("/api/v1/inventory", params={"name": "Order Completed", "source": "shop"})
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "no such event has arrived in these days")
        assert (one["states"], [day["received"] for day in one["by_day"].values()]) == ({}, [1])
        for asked, status in ({"days": 0}, 422), ({"last_day": "noon"}, 422), ({"last_day": "9.3e-38"}, 422):
            assert (await client.get("/api/v1/inventory", params=asked)).status_code == status
        before = (await client.get("/api/v1/inventory", params={"last_day": "2020-01-01"})).json()
        assert before["events"] == []


async def test_switched_off_it_counts_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        async with client_of(tmp_path, inventory_names=0) as client:
            await client.post("/webhook", json=ORDER)
            assert (await client.get("/api/v1/inventory")).json()["events"] == []
