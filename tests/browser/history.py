"""A day of traffic in an outbox, as the real pipeline and the rules of delivery write it, with times of its own."""

import json
import math
import random
from collections.abc import Iterator
from typing import Any

from app import assemble
from app.assemble.ad_accounts import SANDBOX_AD_ACCOUNT_ID
from app.config import Settings
from app.core.deliveries import CallResult, Claimed, Delivered, Rejected
from app.core.events import CounterRow
from app.core.values.times import DAY_S
from app.insights.inventory.counting import NameCounts, Sampler
from app.outbox import Outbox, open_outbox
from app.pipeline.pipeline import Pipeline
from app.sender.retry import RetryContext
from app.sender.settlements import counters, settle
from app.source import Arrival, Intake, read_event
from tests import assembled
from tests.process import ROOT

STEP_S = 1_800
STEPS = 47
#: In these steps some deliveries are rejected.
BAD_STEPS = (17, 18, 33)


async def write_history(url: str, *, now: float) -> None:
    """Write the 23 hours before `now`."""
    settings = assembled.settings()
    outbox = open_outbox(url, settings)
    names = NameCounts(Sampler(assembled.shipped_catalog), random.Random(1), max_names=settings.inventory_names)
    pipeline = assemble.pipeline(settings, outbox=outbox)
    pipeline.listeners = (names,)
    await _write_week(pipeline, outbox, settings, now=now)
    events = _events()
    for step in range(STEPS):
        at = now - (STEPS - step) * STEP_S
        batch = [_as_of(next(events), at, number) for number in range(_volume(step))]
        await pipeline.accept(Intake([read_event(event, Arrival.at(at)) for event in batch], now=at))
        await outbox.inventory.add(names.take(), now=at, max_names=settings.inventory_names)
        await _send(outbox, settings, step, now=at + 1)
    await outbox.close()


async def _write_week(pipeline: Pipeline, outbox: Outbox, settings: Settings, *, now: float) -> None:
    """Write the orders of the six days before, ever more, in two currencies; one amount has lost its comma."""
    for back in range(6, 0, -1):
        at = now - back * DAY_S
        orders = [_order(f"{back}-{number}", at, number) for number in range(14 - back)]
        await pipeline.accept(Intake([read_event(order, Arrival.at(at)) for order in orders], now=at))
        await _send(outbox, settings, 0, now=at + 1)


def _order(name: str, at: float, number: int) -> dict[str, Any]:
    properties: dict[str, Any] = {"order_id": f"SO-{name}", "total": 39.9 + 7.25 * number, "currency": "EUR"}
    if number % 5 == 3:
        properties |= {"total": 24.5 + number, "currency": "CHF"}
    if name == "2-2":
        properties["total"] = 19_990
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"order-{name}",
        "timestamp": Arrival.at(at - 60).received,
        "context": {"traits": {"email": f"{name}@example.com"}},
        "properties": properties,
        **({"integrations": {"All": False}} if number % 7 == 4 else {}),
    }


def _events() -> Iterator[dict[str, Any]]:
    lines = (ROOT / "tests" / "conformance" / "events.ndjson").read_text(encoding="utf-8").splitlines()
    yield from map(json.loads, lines)


def _volume(step: int) -> int:
    """More by day than by night."""
    return 24 + round(18 * math.sin(step / STEPS * 2 * math.pi))


def _as_of(event: dict[str, Any], at: float, number: int) -> dict[str, Any]:
    """Move an event to a time, and spoil some: by routing, lacking identifiers, a phone of no country, a lower case."""
    event["timestamp"] = event["originalTimestamp"] = Arrival.at(at - 60).received
    if number % 11 == 7:
        event["event"] = str(event.get("event", "")).lower()
    if number % 23 == 5:
        event["integrations"] = {"All": False}
    elif number % 17 == 3:
        event["context"] = {"page": event.get("context", {}).get("page", {})}
        event["traits"] = event["properties"] = {}
    elif number % 9 == 1:
        event.setdefault("context", {})["traits"] = {"email": "eva@example.com", "phone": "030 901820"}
    return event


async def _send(outbox: Outbox, settings: Settings, step: int, *, now: float) -> None:
    claimed = await outbox.claim(
        SANDBOX_AD_ACCOUNT_ID, limit=1_000, max_bytes=1_000_000, max_wait_s=0, lease_s=60, now=now
    )
    policy = settings
    settlements = [
        settle(
            one,
            _result(one, place, step),
            policy,
            lambda each: RetryContext(now=now, age_s=now - each.enqueued_at, chance=0.5),
        )
        for place, one in enumerate(claimed)
    ]
    calls = CounterRow(name="calls", label="422" if step in BAD_STEPS else "200")
    await outbox.settle(settlements, [*counters(settlements), calls], now=now)


def _result(claimed: Claimed, place: int, step: int) -> CallResult:
    if step in BAD_STEPS and place % 7 == 0:
        return Rejected(reason="'currency' is not one of the supported ISO 4217 codes", status=422)
    return Delivered(warning="'click_id' is not present" if claimed.event_name == "checkout" else "")
