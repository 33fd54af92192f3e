from pathlib import Path
from typing import Any

import pytest

from app.console.labels import masked
from app.core.coordination import Switches
from app.core.shared_values import PROCESSES, Process
from tests.console.world import CHECKOUT, LEAD, NOW, World, open_world
from tests.process import ROOT


async def test_it_lists_the_presets_and_what_each_sends(world: World) -> None:
    page = await world.page("/console/mappings")
    for said in (
        "<strong>2 of 3 presets</strong> are enabled in the files; 50 may be.",
        'type = "track" AND event = "Checkout"',
        "A customer completes an order.",
        "presets/checkout.yaml",
        "user_data/email",
        "$.properties.email",
        '<a href="/console/tester?example=Checkout">',
        "off in its file",
    ):
        assert said in page


@pytest.mark.slow
async def test_a_preset_shows_what_it_maps_otherwise_and_the_defaults_stand_once(world: World) -> None:
    world.write("lead", LEAD.replace("{event_name: lead}", "{event_name: lead, custom_data: {order_id: none}}"))
    world.running.reload()
    page = await world.page("/console/mappings")
    own = await world.page("/console/preset?name=Lead")
    default = '<code>{"@path":"$.properties.order_id"}</code>'
    row = '<th scope="row">custom_data/order_id</th><td>'
    assert page.count(row) == 1
    assert f'{row}<code>none</code><p class="hint">By default: {default}</p></td>' in own
    assert f"{row}{default}</td>" in page.partition("<h2>Defaults</h2>")[2]
    assert "It sets 1 field" in own


async def test_a_preset_that_drops_an_opt_out_is_reported(world: World) -> None:
    assert "Check these files." not in await world.page("/console/mappings")
    world.write("lead", LEAD.rstrip() + "\ndrops_opt_out: [$.traits.opt_out]\n")
    world.running.reload()
    page = await world.page("/console/mappings")
    assert "Check these files." in page
    assert "opt-outs at $.traits.opt_out are not read" in page


async def test_presets_that_count_the_same_need_attention(world: World) -> None:
    assert "may count the same events" not in await world.page("/console")
    world.write("checkout", CHECKOUT.rstrip() + "\noverlaps: {presets: [Page Visit], withheld: type = 'track'}\n")
    world.running.reload()
    page = await world.page("/console")
    assert "Events are withheld" in page
    assert "may count the same events as" in page


async def test_a_preset_that_holds_says_for_how_long_and_what_cancels(world: World) -> None:
    assert "held for" not in await world.page("/console/mappings")
    own = CHECKOUT.rstrip() + '\nhold: 30m\nwithdrawn_by: event = "Order Cancelled"\n'
    world.write("checkout", own)
    world.running.reload()
    page = await world.page("/console/mappings")
    assert ", held for</span> <code>30m</code>" in page
    assert 'unless cancelled by</span> <code>event = "Order Cancelled"</code>' in page


async def test_with_all_presets_that_are_shipped_it_is_light(tmp_path: Path) -> None:
    folders: dict[str, Any] = {"presets_dir": (ROOT / "presets",), "mappings_dir": (ROOT / "mappings",)}
    async with open_world(tmp_path, **folders) as world:
        page = await world.browser.get("/console/mappings")
    assert 'value="Order Completed"' in page.text
    assert int(page.headers["content-length"]) < 60_000, "packed"


async def test_it_shows_which_sources_are_trusted(tmp_path: Path) -> None:
    async with open_world(tmp_path, sources={"page": None}) as world:
        shown = await world.page("/console/mappings")
    assert '<th scope="row">default</th><td><span class="badge delivered">trusted</span>' in shown
    assert '<th scope="row">page <span class="hint">Berlin</span></th><td><span class="badge">public</span>' in shown


async def test_a_process_that_runs_another_catalog_shows(world: World) -> None:
    assert "No process has reported yet." in await world.page("/console/mappings")
    for process in (
        Process(process_id="host-1", role="all", generation=world.running.catalog.generation, seen_at=NOW - 1),
        Process(process_id="host-2", role="send", generation="before", seen_at=NOW + 1),
    ):
        await PROCESSES.of(process.process_id).write(world.outbox, process)
    page = await world.page("/console/mappings")
    assert "this catalog</td><td>1 second ago" in page
    assert '<span class="badge dead">another</span> <code>before</code></td><td>a moment ago' in page


class TestSwitches:
    async def switch(self, world: World, **form: str) -> str:
        answer = await world.browser.post("/console/mappings/switch", data=form)
        assert answer.status_code == 303
        return await world.page(answer.headers["location"])

    async def test_a_preset_is_switched_off_and_on(self, world: World) -> None:
        page = await self.switch(world, preset="Checkout", on="no")
        assert "Switched off." in page
        assert "switched off</span>" in page
        assert await Switches.read(world.outbox) == Switches(presets_off=frozenset({"Checkout"}))
        assert "Switched on." in await self.switch(world, preset="Checkout", on="yes")
        assert await Switches.read(world.outbox) == Switches()

    async def test_all_sending_is_switched_off_and_on(self, world: World) -> None:
        page = await self.switch(world, on="no")
        assert "Switch sending on" in page
        assert "sending is off</span>" in page
        assert await Switches.read(world.outbox) == Switches(destination_off=True)
        assert "Switch sending off…" in await self.switch(world, on="yes")

    @pytest.mark.parametrize(
        ("unknown", "told"),
        [
            ({"preset": "Chekout"}, "the nearest is &#34;Checkout&#34;"),
            ({"ad_account_id": "1"}, "No such ad account"),
        ],
    )
    async def test_what_there_is_not_is_not_switched(self, unknown: dict[str, str], told: str, world: World) -> None:
        answer = await world.browser.post("/console/mappings/switch", data={**unknown, "on": "no"})
        assert answer.status_code == 404
        assert told in answer.text
        assert not await world.outbox.list_shared("switch/")

    @pytest.mark.parametrize(
        ("events_while_off", "said"),
        [("delay", "are kept and sent when it is switched on again"), ("withhold", "are withheld: counted")],
    )
    async def test_what_becomes_of_events_meanwhile_is_said_before(
        self, events_while_off: str, said: str, tmp_path: Path
    ) -> None:
        async with open_world(tmp_path, events_while_off=events_while_off) as world:
            assert said in await world.page("/console/mappings")


class TestReload:
    async def test_files_that_are_taken_up(self, world: World) -> None:
        world.write("lead", LEAD.replace("name: Lead", "name: Newsletter"))
        assert "Newsletter" not in await world.page("/console/mappings")
        answer = await world.browser.post("/console/mappings/reload")
        page = await world.page(answer.headers["location"])
        assert "The files were read again and are in use." in page
        assert "Newsletter" in page

    async def test_files_with_faults_change_nothing_and_every_fault_is_listed(self, world: World) -> None:
        world.write("a", LEAD.replace('"Generate Lead"', "Lead").replace("name: Lead", "nam: Lead"))
        answer = await world.browser.post("/console/mappings/reload")
        page = await world.page(answer.headers["location"])
        for said in ("nothing was changed", "3 faults", "presets/a.yaml", "/subscribe", "/nam", "off in its file"):
            assert said in page


async def test_nothing_else_from_the_address_is_said(world: World) -> None:
    assert "pwned" not in await world.page("/console/mappings?done=pwned")


def test_masking_reaches_wherever_they_stand_and_nothing_else() -> None:
    event = {
        "user_data": {"client_ip_address": "203.0.113.7", "client_user_agent": "Mozilla", "em": ["b7e9"]},
        "list": [{"client_ip_address": "203.0.113.8"}],
        "event_time": 1,
    }
    assert masked(event) == {
        "user_data": {"client_ip_address": "(masked)", "client_user_agent": "(masked)", "em": ["b7e9"]},
        "list": [{"client_ip_address": "(masked)"}],
        "event_time": 1,
    }
    assert event["event_time"] == 1
