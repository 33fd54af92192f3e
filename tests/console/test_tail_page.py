"""The live tail's page: who may look, for how long, what is shown and what is written down of it."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.core.events import Outcome
from app.core.pages import AuditAction
from app.core.receipts import EventReceipt, PresetResult
from app.core.shared_values import ERASED_AT, TAIL
from app.source import Intake
from tests.console.test_guard import VIEWERS
from tests.console.world import NOW, World, open_world

EVENT = {
    "type": "track",
    "event": "Checkout",
    "messageId": "m-1",
    "timestamp": NOW,
    "context": {},
    "properties": {"email": "ada@example.com", "order_id": "SO-1"},
}


async def on(world: World, minutes: str = "5") -> None:
    answer = await world.browser.post("/console/tail", data={"minutes": minutes})
    assert answer.headers["location"] == "/console/tail"


async def audited(world: World) -> list[tuple[str, str]]:
    page = await world.outbox.audit(limit=9)
    return [(each.before, each.after) for each in page.entries if each.what is AuditAction.TAIL]


@pytest.mark.slow
async def test_an_event_is_listed_without_what_it_holds_and_opened_in_the_tester(world: World) -> None:
    assert "It is off" in await world.page("/console/tail")
    await on(world)
    assert "Nothing has arrived since it is on." in await world.page("/console/tail")
    await world.pipeline.accept(
        Intake([EVENT, EVENT | {"messageId": "m-2", "event": "Cart Left"}], now=NOW, source="default")
    )
    page = await world.page("/console/tail")
    assert re.search(
        r"Cart Left</th> <td>default</td>.*matched by no preset.*Checkout</th>.*made a delivery</span> Checkout", page
    )
    assert "what the process that answers receives: console (all)." in page
    assert "ada@example.com" not in page
    assert "SO-1" not in page
    tester = unescape((await world.browser.post("/console/tail/open", data={"number": "1"})).text)
    assert '"email": "ada@example.com"' in tester
    assert "merged with delivery 1, message m-1" in tester  # it is kept already, and would be in its delivery
    assert "data-opened" in tester


async def test_of_several_ad_accounts_each_line_names_its_own(world: World) -> None:
    await on(world)
    lines = tuple(PresetResult(preset="Checkout", destination=name, outcome=Outcome.ENQUEUED) for name in ("US", "FR"))
    told = EventReceipt(message_id="m-1", deliveries=lines)
    await world.tail.take([(EVENT, told)], Intake([], NOW, is_trusted=True))
    page = await world.page("/console/tail")
    for name in ("US", "FR"):
        assert f'Checkout <span class="hint">for {name}</span>' in page


@pytest.mark.parametrize("number", ["7", "", "one"])
async def test_an_event_that_is_not_held_is_told(world: World, number: str) -> None:
    await on(world)
    answer = await world.browser.post("/console/tail/open", data={"number": number})
    assert answer.status_code == 404
    assert "The event is not held any more" in answer.text


async def test_it_ends_by_itself_or_when_somebody_ends_it_and_the_audit_log_says_so(world: World) -> None:
    await on(world, "15")
    assert "It is off" not in await world.page("/console/tail")
    world.now = NOW + 899
    assert "It is off" not in await world.page("/console/tail")
    world.now = NOW + 900
    assert "It is off" in await world.page("/console/tail")
    await on(world)
    await on(world, "0")
    assert "It is off" in await world.page("/console/tail")
    assert await audited(world) == [
        ("on until 2026-11-18 11:26:40 UTC", "off"),
        ("off", "on until 2026-11-18 11:26:40 UTC"),
        ("off", "on until 2026-11-18 11:21:40 UTC"),
    ]


async def test_it_is_for_operators_only(tmp_path: Path) -> None:
    async with open_world(tmp_path, users=VIEWERS) as world:
        await world.browser.post("/console/login", data={"password": "token-of-bob"})
        answers = [
            await world.browser.get("/console/tail"),
            await world.browser.get("/console/tail?part=live"),
            await world.browser.post("/console/tail", data={"minutes": "5"}),
            await world.browser.post("/console/tail/open", data={"number": "1"}),
        ]
        assert [answer.status_code for answer in answers] == [403] * 4
        assert not world.tail.is_on
        assert "/console/tail" not in (await world.browser.get("/console")).text


@pytest.mark.slow
async def test_it_is_narrowed_by_the_source_that_is_chosen_and_lists_the_newest(tmp_path: Path) -> None:
    async with open_world(tmp_path, sources={"shop": None}) as world:
        await on(world)
        for source in ("default", "shop"):
            events = [EVENT | {"messageId": f"{source}-{number}"} for number in range(60)]
            await world.pipeline.accept(Intake(events, now=NOW, source=source))
        page = await world.page("/console/tail?from=shop&part=live")
    assert page.count("<td>shop</td>") == 50
    assert "<td>default</td>" not in page
    assert "10 older ones are held, too." in page


@pytest.mark.slow
async def test_every_process_lets_go_of_all_when_somebody_is_erased(tmp_path: Path) -> None:
    memory: dict[str, Any] = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
    async with open_world(tmp_path, **memory) as world:
        await on(world)
        await world.pipeline.accept(Intake([EVENT], now=NOW))
        assert await TAIL.read(world.outbox) == NOW + 300
        assert len(world.tail.events(now=NOW)) == 1
        await world.browser.post("/console/people/forget", data={"key": "a" * 64, "confirmed": "yes"})
        assert await ERASED_AT.read(world.outbox) == NOW
        assert world.tail.events(now=NOW) == []
