"""The page of the quarantine: what is kept, what would change, and bringing it back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.events import CounterRow
from app.source import Intake
from tests.console.test_guard import VIEWERS
from tests.console.world import CHECKOUT, NOW, World, open_world

ON: dict[str, Any] = {"quarantine_hours": 72, "quarantine_key": "a key of the quarantine, long enough"}
BROKEN = CHECKOUT.replace("{event_name: checkout}", '{event_name: {"@path": $.properties.nowhere}}')
EVENT = {
    "type": "track",
    "event": "Checkout",
    "timestamp": NOW,
    "context": {},
    "properties": {"email": "ada@example.com", "order_id": "SO-1"},
}
ADDRESS = "/console/quarantine/preview?name=Checkout&outcome=invalid"


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[World]:
    """A console where two events are kept that a broken preset could not read."""
    async with open_world(tmp_path, **ON) as world:
        world.write("checkout", BROKEN)
        world.running.reload()
        await world.pipeline.accept(Intake([EVENT | {"messageId": f"m-{number}"} for number in (1, 2)], now=NOW))
        yield world


async def test_what_is_kept_is_listed_with_why_and_shows_nothing_of_it(kept: World) -> None:
    page = await kept.html("/console/quarantine")
    for text in ("Checkout", "invalid", "event_name", '<td class="n">2</td>', "What would change"):
        assert text in page
    assert "ada@example.com" not in page
    assert "SO-1" not in page


async def test_as_long_as_nothing_is_mended_nothing_can_be_replayed(kept: World) -> None:
    page = await kept.html(ADDRESS)
    assert "Of 2 events with name “Checkout” and outcome “invalid”" in page
    assert "<strong>0</strong>" in page
    assert "Discard 2 events" in page
    assert "Replay" not in page


async def test_an_exit_is_told_in_the_words_of_the_list(kept: World) -> None:
    assert "with outcome “matched no preset”" in await kept.html("/console/quarantine/preview?outcome=unmatched")


@pytest.mark.slow
async def test_what_is_mended_is_replayed_and_leaves(kept: World) -> None:
    kept.write("checkout", CHECKOUT)
    kept.running.reload()
    page = await kept.html(ADDRESS)
    assert "Replay 2 events" in page
    assert "would be sent" in page
    answer = await kept.browser.post("/console/quarantine/replay", data={"name": "Checkout", "outcome": "invalid"})
    assert answer.headers["location"] == "/console/quarantine?left=2"
    page = await kept.html(answer.headers["location"])
    assert "2 events left the quarantine" in page
    assert "Nothing is kept now" in page
    assert len((await kept.outbox.message("m-1")).deliveries) == 1
    assert "replayed from quarantine" in await kept.html("/console/activity")


async def test_what_one_preset_can_send_now_is_replayed_though_another_cannot_and_the_event_stays(kept: World) -> None:
    kept.write("second", CHECKOUT.replace("name: Checkout", "name: Second").replace("checkout", "lead"))
    kept.running.reload()
    page = await kept.html(ADDRESS)
    assert "<strong>0</strong>" in page
    assert "Replay what can be sent" in page
    answer = await kept.browser.post("/console/quarantine/replay", data={"name": "Checkout", "outcome": "invalid"})
    assert answer.headers["location"] == "/console/quarantine?left=0"
    assert len((await kept.outbox.message("m-1")).deliveries) == 1
    assert "Replay" not in await kept.html(ADDRESS)


async def test_what_nobody_needs_is_discarded(kept: World) -> None:
    answer = await kept.browser.post("/console/quarantine/discard", data={"name": "Checkout"})
    assert "2 events discarded" in await kept.html(answer.headers["location"])


async def test_an_exit_that_nothing_is_kept_of_is_refused_and_means_not_all(kept: World) -> None:
    asked = await kept.browser.get("/console/quarantine/preview?outcome=nonsense")
    done = await kept.browser.post("/console/quarantine/discard", data={"outcome": "refused"})
    unknown = await kept.browser.post("/console/quarantine/discard", data={"nmae": "Checkout"})
    empty = await kept.browser.post("/console/quarantine/discard", data={})
    assert [each.status_code for each in (asked, done, unknown, empty)] == [400] * 4
    assert "withheld" in asked.text
    assert "Give at least one filter" in empty.text
    assert "Of 2 events," in await kept.html("/console/quarantine/preview")


async def test_a_filter_that_is_empty_means_not_all(kept: World) -> None:
    for name in ("name", "source", "reason"):
        answer = await kept.browser.post("/console/quarantine/discard", data={name: ""})
        assert answer.headers["location"] == "/console/quarantine?discarded=0"
    assert (await kept.browser.post("/console/quarantine/discard", data={"outcome": ""})).status_code == 400


async def test_viewers_look_and_change_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, users=VIEWERS, **ON) as world:
        await world.browser.post("/console/login", data={"password": "token-of-bob"})
        assert "you are a viewer" in await world.html("/console/quarantine/preview")
        assert (await world.browser.post("/console/quarantine/discard", data={})).status_code == 403


async def test_off_the_page_says_what_it_would_have_brought_back(world: World) -> None:
    await world.enqueue(
        counters=[
            CounterRow(name="invalid", preset="Checkout", count=3),
            CounterRow(name="unmatched", label="no preset"),
        ]
    )
    page = await world.html("/console/quarantine")
    assert "3 deliveries were invalid and 1 event matched no preset" in page
    assert "QUARANTINE_HOURS" in page
    for path in ("replay", "discard"):
        answer = await world.browser.post(f"/console/quarantine/{path}", data={"all": "true"})
        assert (answer.status_code, "QUARANTINE_HOURS is not set" in answer.text) == (404, True)
    assert "QUARANTINE_HOURS is not set" in await world.html(ADDRESS, status=404)
