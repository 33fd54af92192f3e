"""Whatever a request brings, its receipt, the ledger, the counts, the metrics and the inventory tell the same of it."""

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import pytest

from tests.whole.test_withdrawn import serving, track

#: What members of a batch may be that are no events.
_ODD: Final[list[Any]] = [None, 3, "text", True, [], {}, {"type": ""}, {"json": 3}, {"batch": []}, [{"type": "track"}]]
_COUNTED: Final = re.compile(r'^pinrelay_(?:deliveries|events)_total\{outcome="(\w+)".*\} (\S+)$', re.MULTILINE)


def member(chance: Random, number: int) -> Any:
    """Return what a batch may hold, mostly an event."""
    if chance.random() < 0.15:
        return chance.choice(_ODD)
    event = track(
        chance.choice(["Order Completed"] * 3 + ["Order Cancelled", "Something Else"]),
        f"m-{number if chance.random() < 0.8 else chance.randrange(5)}",
        f"SO-{chance.randrange(8)}",
    )
    if chance.random() < 0.15:
        event["integrations"] = {"All": False}
    if chance.random() < 0.15:
        event["timestamp"] = "2020-01-01T00:00:00Z"
    if chance.random() < 0.15:
        event["properties"]["status"] = "refunded"
    return event if chance.random() < 0.8 else {"json": event}


async def told_by_receipts(client: httpx.AsyncClient, chance: Random) -> Counter[str]:
    """Send requests, and return the outcomes that their receipts tell; by the Tracking API there is none."""
    told: Counter[str] = Counter()
    for request in range(12):
        members = [member(chance, 100 * request + each) for each in range(chance.choice([0, 1, 4, 30]))]
        body = chance.choice([members, {"batch": members, "context": {"locale": "de-DE"}}])
        receipt = (await client.post("/webhook", json=body)).json()
        assert len(receipt["events"]) == len(members)
        counted = Counter(line["outcome"] for event in receipt["events"] for line in event["deliveries"])
        counted["accepted"] = len(members) - counted["refused"]
        assert +counted == +Counter(receipt["counts"])
        told += counted
    return told


async def told_by_counts(client: httpx.AsyncClient) -> Counter[str]:
    told: Counter[str] = Counter()
    for each in (await client.get("/api/v1/events/counts")).json()["counts"]:
        told[each["name"]] += each["count"]
    return told


async def told_by_metrics(client: httpx.AsyncClient) -> Counter[str]:
    told: Counter[str] = Counter()
    for outcome, count in _COUNTED.findall((await client.get("/metrics")).text):
        told[outcome] += int(float(count))
    return told


async def told_by_inventory(client: httpx.AsyncClient) -> Counter[str]:
    told: Counter[str] = Counter()
    for each in (await client.get("/api/v1/events")).json()["events"]:
        told.update(each["outcomes"])
        told["received"] += each["received"]
    return told


async def listed(client: httpx.AsyncClient, **filters: str) -> int:
    """Return how many deliveries and notes the ledger lists."""
    asked = {**filters, "limit": "500"}
    deliveries = (await client.get("/api/v1/deliveries", params=asked)).json()["deliveries"]
    return len(deliveries) + len((await client.get("/api/v1/events/not-sent", params=asked)).json()["dropped_events"])


@pytest.mark.parametrize("seed", range(4))
async def test_the_sums_are_the_same_wherever_they_are_told(seed: int, tmp_path: Path) -> None:
    async with serving(tmp_path, "30m") as client:
        told = await told_by_receipts(client, Random(seed))
        counts = await told_by_counts(client)
        metrics = await told_by_metrics(client)
        for name in ("accepted", "refused", "unmatched", "withheld", "enqueued", "duplicate", "invalid"):
            assert told[name] == counts[name] == metrics[name], name
        for name in ("matched", "withdrawn"):
            assert counts[name] == metrics[name], name
        for name in ("unmatched", "withheld", "enqueued", "duplicate", "invalid", "matched", "withdrawn"):
            assert await listed(client, outcome=name) == counts[name], name
        # presets took what they made something of, and cancellations
        made = counts["enqueued"] + counts["duplicate"] + counts["invalid"]
        withheld = await listed(client, outcome="withheld", taken="yes")
        assert counts["matched"] == made + withheld + told["matched"]
        status = (await client.get("/api/v1/status")).json()
        assert status["pending"] == counts["enqueued"] - counts["withdrawn"]
    async with serving(tmp_path, "30m") as client:  # the first has written what arrived
        inventory = await told_by_inventory(client)
        assert inventory.pop("received") == told.pop("accepted") + told["refused"]
        assert inventory == told
