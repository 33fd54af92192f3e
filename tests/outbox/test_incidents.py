"""Incidents on every engine: begin, end, events and value of outages that a shop has."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.config import Settings
from app.core.events import EventKey, InventoryCount, Measure
from app.core.pages import AccountView
from app.core.shared_values import INCIDENTS, OPEN_INCIDENTS, TROUBLE, Incident, TroubleState
from app.errors import OutboxUnavailable
from app.insights.alerts.watcher import Alerts, Conditions
from app.insights.incidents import read_incidents
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, new
from tests.outbox.conftest import Clock
from tests.sender.claims import a_trouble

MINUTE_S = 60
SHOP = EventKey("shop", "track", "Order Completed")
#: The start of an hour.
BEGIN = NOW // HOUR_S * HOUR_S


@dataclass
class Shop:
    """A shop with 200 events an hour, and what goes wrong."""

    at: At
    clock: Clock
    outbox: Any

    async def arrive(self, hour_at: float, count: int = 200) -> None:
        counted = [InventoryCount(SHOP, Measure.RECEIVED, "", count)]
        await self.at.outbox.inventory.add(counted, now=hour_at, max_names=9)

    async def watch(self, task: Alerts, *moments: float) -> None:
        for moment in moments:
            self.clock.now = moment
            await task.look()

    async def listed(self) -> list[Incident]:
        return await read_incidents(self.at.outbox, since=0, now=self.clock.now)


class Disk:
    """An outbox whose disk is full while `is_full`."""

    def __init__(self, outbox: Any) -> None:
        self._outbox = outbox
        self.is_full = False

    def __getattr__(self, name: str) -> Any:
        if self.is_full and name in {"check", "put_shared"}:
            raise OutboxUnavailable("The disk is full.", why="disk full")
        return getattr(self._outbox, name)


@pytest.fixture
async def shop(at: At, clock: Clock) -> Shop:
    shop = Shop(at, clock, Disk(at.outbox))
    for day in range(8, 0, -1):
        for hour in range(24):
            await shop.arrive(BEGIN - day * DAY_S + hour * HOUR_S)
    await shop.arrive(BEGIN)
    delivered = [new(order_id=f"SO-{number}", amount="48", currency="EUR", source="shop") for number in range(2)]
    await At(at.outbox, BEGIN - DAY_S).enqueue(*delivered)
    yesterday = At(at.outbox, BEGIN - DAY_S)
    await yesterday.deliver(*await yesterday.claim())
    return shop


def alerts(shop: Shop) -> Alerts:
    settings = Settings.model_construct(public_url=None)
    accounts = (AccountView(ad_account_id=ACCOUNT, live=True),)
    return Alerts(shop.outbox, None, Conditions(shop.outbox, accounts=accounts, settings=settings, clock=shop.clock))


@pytest.mark.parametrize("state", ["failing", "blocked"])
async def test_an_outage_of_three_hours_and_a_refused_token_are_one_incident(shop: Shop, state: TroubleState) -> None:
    task, trouble = alerts(shop), TROUBLE.of(ACCOUNT)
    await shop.watch(task, BEGIN)
    await trouble.write(shop.outbox, replace(a_trouble(state=state), since=BEGIN + MINUTE_S))
    for hour in range(3):
        order = new(order_id=f"late-{hour}", amount="12.50", currency="EUR", source="shop")
        await At(shop.at.outbox, BEGIN + hour * HOUR_S + 120).enqueue(order)
        await shop.arrive(BEGIN + hour * HOUR_S + 120)
        await shop.watch(task, BEGIN + hour * HOUR_S + 180)
    (running,) = [each for each in await shop.listed() if each.kind == state]
    assert (running.state, running.until) == ("firing", None)
    await trouble.write(shop.outbox, None)
    await shop.watch(task, BEGIN + 3 * HOUR_S, BEGIN + 3 * HOUR_S + 60)
    (over,) = [each for each in await shop.listed() if each.kind == state]
    assert over == replace(running, until=BEGIN + 3 * HOUR_S)
    assert (over.since, over.severity, over.ad_account_id) == (BEGIN + MINUTE_S, "critical", ACCOUNT)
    assert (over.events, over.money) == (3, {"EUR": "37.5"})


async def test_three_hours_of_silence_of_a_source_are_one_incident_with_the_missing_events(shop: Shop) -> None:
    task = alerts(shop)
    await shop.watch(task, BEGIN + HOUR_S, BEGIN + 2 * HOUR_S, BEGIN + 4 * HOUR_S)
    await shop.arrive(BEGIN + 4 * HOUR_S)
    await shop.watch(task, BEGIN + 4 * HOUR_S + 60, BEGIN + 4 * HOUR_S + 120)
    (silence,) = [each for each in await shop.listed() if each.kind == "silence"]
    assert (silence.source, silence.since, silence.until) == ("shop", BEGIN + HOUR_S, BEGIN + 4 * HOUR_S + 60)
    assert silence.events == 600
    # 96 EUR were delivered with 200 events an hour in seven full days.
    assert silence.money == {"EUR": f"{96 * 600 / (200 * 24 * 7):.2f}"}


async def test_a_full_disk_is_one_incident_even_if_nothing_can_be_written_then(shop: Shop) -> None:
    task = alerts(shop)
    await shop.watch(task, BEGIN)
    shop.outbox.is_full = True
    await shop.watch(task, BEGIN + HOUR_S, BEGIN + HOUR_S + 60, BEGIN + 2 * HOUR_S)
    shop.outbox.is_full = False
    await shop.watch(task, BEGIN + 3 * HOUR_S, BEGIN + 3 * HOUR_S + 60)
    (full,) = [each for each in await shop.listed() if each.kind == "outbox"]
    assert (full.since, full.until, full.events) == (BEGIN + HOUR_S, BEGIN + 3 * HOUR_S, 400)
    assert full.text == "Events are refused with 503. The disk is full."


async def test_an_incident_of_a_process_that_ended_is_over_at_the_first_look_of_the_next(shop: Shop) -> None:
    left = Incident(
        id="0a1b", key="outbox", kind="outbox", severity="critical", text="Events are refused with 503.", since=BEGIN
    )
    await INCIDENTS.of(left.id).write(shop.outbox, left)
    await shop.watch(alerts(shop), BEGIN + HOUR_S)
    assert {each.id: each.until for each in await shop.listed()}[left.id] == BEGIN + HOUR_S


async def test_incidents_are_kept_as_long_as_the_ledger(shop: Shop, open_at: Callable[..., At]) -> None:
    over = Incident(id="a", key="k", kind="k", severity="warning", text="t", since=BEGIN - 9, until=BEGIN)
    for incident in (over, replace(over, id="b", until=None), replace(over, id="c", until=BEGIN + DAY_S)):
        await INCIDENTS.of(incident.id).write(shop.outbox, incident)
    later = At(open_at(ledger_s=DAY_S).outbox, BEGIN + DAY_S)
    await later.retain_all()
    assert set(await INCIDENTS.read_all(shop.outbox)) == {"b", "c"}
    assert await OPEN_INCIDENTS.read(shop.outbox) is None
