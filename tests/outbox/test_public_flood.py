"""Whoever reads a public key fills memory for that key at most, for an hour, and nobody is forgotten for it."""

from typing import Any

import pytest

from app import assemble
from app.core.events import CounterRow, Outcome
from app.outbox import open_outbox
from app.outbox.people import added_by_key
from app.source import Arrival, Intake, read_event
from tests import assembled
from tests.identity.journeys import SETTINGS
from tests.outbox.build import NOW

SOMEBODY = {"type": "identify", "context": {"traits": {"email": "ada@example.com"}}}
ORDER = {"type": "track", "event": "Order Completed"}
FLOODS: dict[str, dict[str, Any]] = {
    "marks": {"type": "page", "properties": {"opt_out": True}},
    "people": SOMEBODY,
}


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_new_ids_stops_what_its_key_remembers_and_nothing_else(outbox_url: str, flood: str) -> None:
    """3 MB of events stopped memory for everybody once: each marked another id."""
    settings = assembled.settings(**SETTINGS, remember_max_people=4_000, outbox_url=outbox_url)
    outbox = open_outbox(outbox_url, settings, clock=lambda: NOW)
    pipeline = assemble.pipeline(settings, assembled.shipped_catalog(), outbox=outbox)
    number = 0

    async def sent(source: str, *events: dict[str, Any], at: float = NOW) -> list[Any]:
        nonlocal number
        read = []
        for each in events:
            number += 1
            given = {"messageId": f"m{number}", "anonymousId": f"x{number}", **each}
            read.append(read_event(given, Arrival.at(at)))
        trusted = {"is_trusted": True} if source == "shop" else {}
        return list((await pipeline.accept(Intake(read, now=at, source=source, **trusted))).events)

    async def remembers(source: str, name: str, *, at: float = NOW) -> bool:
        """Whether an order that names nobody is valid, since its browser said who somebody is before."""
        await sent(source, SOMEBODY | {"anonymousId": name}, at=at)
        order = {"properties": {"order_id": f"{name} {at}", "revenue": 20, "currency": "USD"}}
        (told,) = await sent(source, ORDER | order | {"anonymousId": name}, at=at)
        return told.deliveries[0].outcome is Outcome.ENQUEUED

    assert await remembers("tag", "before")
    for _ in range(added_by_key(settings) // 500):
        await sent("tag", *[FLOODS[flood]] * 500)
    told = {source: await remembers(source, f"after {source}") for source in ("tag", "other", "shop")}
    assert told == {"tag": False, "other": True, "shop": True}
    assert await remembers("tag", "an hour later", at=NOW + 3_600)
    assert await remembers("tag", "before", at=NOW + 3_600)
    full = [each for _, each in await outbox.counters(since=0, step_s=0) if each.name == "memory_full"]
    assert full == [CounterRow(name="memory_full", label="key", source="tag", count=full[0].count)]
    await outbox.close()
