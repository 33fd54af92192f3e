"""Dead letters in the console: counted by cause, sent again, dismissed."""

import re
from html import unescape
from pathlib import Path

import pytest

from app.core.deliveries import Delivered, Rejected, State
from app.core.pages import Query
from app.core.values.times import DAY_S
from app.operations import deliveries
from tests.console.test_deliveries_page import one_dead_one_delivered
from tests.console.world import NOW, World, new_delivery, open_world


class TestRedrive:
    async def test_one_is_redriven_once(self, world: World) -> None:
        delivery_id = await one_dead_one_delivered(world)
        answer = await world.browser.post("/console/deliveries/redrive", data={"delivery_id": delivery_id})
        assert answer.status_code == 303
        assert "It will be sent again." in await world.page(answer.headers["location"])
        again = await world.browser.post("/console/deliveries/redrive", data={"delivery_id": delivery_id})
        assert "it is not dead" in await world.page(again.headers["location"])

    async def test_its_page_says_that_it_was_redriven_and_when_and_that_it_was_received_before(
        self, world: World
    ) -> None:
        path = f"/console/delivery?id={await one_dead_one_delivered(world)}"
        assert "sent again since" not in await world.page(path)
        world.now = NOW + 3_600
        query = Query(state=State.DEAD)
        await world.outbox.dead_letters.redrive(query, now=world.now)
        page = re.sub("<[^>]+>", " ", await world.page(path))
        facts = re.sub(r"\s+", " ", page)
        assert "Received before 2026-11-18 11:06:40 UTC , its first attempt" in facts
        assert "To be sent again since 2026-11-18 12:06:40 UTC" in facts

    @pytest.mark.parametrize(
        ("filters", "redriven"),
        [
            ({"all": "true"}, 3),
            ({"reason": "currency"}, 2),
            ({"preset": "Lead"}, 1),
            ({"reason": "nothing like it"}, 0),
        ],
    )
    async def test_many_are_redriven_by_filter_or_all(
        self, filters: dict[str, str], redriven: int, world: World
    ) -> None:
        for message_id, preset, reason in (
            ("m-1", "Checkout", "bad currency"),
            ("m-2", "Lead", "bad currency"),
            ("m-3", "Checkout", "too old"),
        ):
            await world.enqueue(new_delivery(message_id, preset=preset))
            await world.settle(Rejected(reason=reason), State.DEAD)
        answer = await world.browser.post("/console/deliveries/redrive", data=filters)
        page = await world.page(answer.headers["location"])
        assert f"{redriven} dead deliver" in page
        waiting = await world.outbox.search(Query(state=State.PENDING), limit=10)
        assert len(waiting.deliveries) == redriven

    async def test_a_filter_that_names_nothing_known_does_nothing_and_names_the_nearest(self, world: World) -> None:
        await one_dead_one_delivered(world)
        for answer in (
            await world.browser.post("/console/deliveries/redrive", data={"preset": "Chekout"}),
            await world.browser.get("/console/deliveries/redrive?preset=Chekout"),
        ):
            assert answer.status_code == 404
            assert "Unknown preset; the nearest is" in answer.text
        assert len((await world.outbox.search(Query(state=State.DEAD), limit=10)).deliveries) == 1

    async def test_many_are_asked_about_first(self, world: World) -> None:
        await one_dead_one_delivered(world)
        page = await world.page("/console/deliveries/redrive?reason=currency&preset=Checkout&state=delivered")
        assert "preset “Checkout”" in page
        assert "reason contains “currency”" in page
        assert 'name="reason" value="currency"' in page
        assert "m-1" in page
        page = await world.page("/console/deliveries/redrive")
        assert "<strong>All dead deliveries</strong>" in page
        assert "<strong>1</strong> Sent again" in page
        assert 'name="all" value="true"' in page

    async def test_where_none_is_dead_there_is_nothing_to_ask(self, world: World) -> None:
        page = await world.page("/console/deliveries/redrive?reason=currency")
        assert "There is no dead delivery with reason contains “currency”." in page
        assert "<button" not in page.partition("<main")[2].partition("</main>")[0]

    async def test_a_count_in_the_address_is_a_number_or_nothing(self, world: World) -> None:
        assert "will be sent again" not in await world.page("/console/deliveries?redriven=many")

    async def test_it_tells_what_became_of_the_rest(self, world: World) -> None:
        for message_id in ("m-1", "m-2", "m-3"):
            await world.enqueue(new_delivery(message_id))
            await world.settle(Rejected(reason="bad currency"), State.DEAD)
        await world.enqueue(new_delivery("again", event_id="event-m-2", order_id="order-m-2"))
        answer = await world.browser.post("/console/deliveries/redrive", data={"reason": "currency"})
        page = await world.page(answer.headers["location"])
        assert "2 dead deliveries will be sent again." in page
        assert "1 more stays dead: the same event waits as another delivery" in page


class TestCauses:
    async def test_they_are_counted_and_each_leads_to_its_letters(self, world: World) -> None:
        for message_id, reason in (("m-1", "bad"), ("m-2", "bad"), ("m-3", "bad currency")):
            await world.enqueue(new_delivery(message_id))
            await world.settle(Rejected(reason=reason), State.DEAD)
        page = await world.page("/console/deliveries?state=dead")
        results, causes = page.split('id="causes">By cause</h2>')
        assert 'aria-labelledby="deliveries-found"' in results, "results come first"
        ((first, count), (_, other)) = re.findall(r'<a href="([^"]+)" data-count="(\d+)">', causes)
        assert (count, other) == ("2", "1")
        listed = await world.page(unescape(first))
        assert set(re.findall(r'message\?id=(m-\d)"', listed)) == {"m-1", "m-2"}
        assert "By cause" not in listed
        (way,) = [
            path for path in re.findall(r'href="(/console/deliveries/dismiss[^"]+)"', causes) if "currency" in path
        ]
        assert "cause “bad currency”" in await world.page(way)

    async def test_without_dead_letters_there_are_none(self, world: World) -> None:
        assert "By cause" not in await world.page("/console/deliveries?state=dead")


class TestDismiss:
    async def test_one_with_a_reason_that_stays_with_it(self, world: World) -> None:
        delivery_id = await one_dead_one_delivered(world)
        form = {"delivery_id": delivery_id, "because": "sent by hand to ann@shop.example"}
        answer = await world.browser.post("/console/deliveries/dismiss", data=form)
        page = await world.page(answer.headers["location"])
        assert "It is dismissed." in page
        assert "dismissed by" in page
        assert "sent by hand" in page
        assert "ann@shop.example" not in page
        assert ">Redrive<" not in page
        again = await world.browser.post("/console/deliveries/dismiss", data=form)
        assert "Nothing was done: it is not dead." in await world.page(again.headers["location"])
        assert "sent by hand" in await world.page("/console/activity")

    @pytest.mark.parametrize(
        ("filters", "dismissed"), [({"all": "true"}, 2), ({"reason": "currency"}, 1), ({"preset": "Lead"}, 0)]
    )
    async def test_many_are_dismissed_by_filter_or_all(
        self, filters: dict[str, str], dismissed: int, world: World
    ) -> None:
        for message_id, reason in (("m-1", "bad currency"), ("m-2", "too old")):
            await world.enqueue(new_delivery(message_id))
            await world.settle(Rejected(reason=reason), State.DEAD)
        answer = await world.browser.post("/console/deliveries/dismiss", data={**filters, "because": "a test"})
        assert f"{dismissed} dead deliver" in await world.page(answer.headers["location"])
        found = await world.outbox.search(Query(state=State.DISMISSED), limit=10)
        assert len(found.deliveries) == dismissed

    @pytest.mark.parametrize("because", ["", "  ", "x" * 201])
    async def test_without_a_reason_nothing_is_dismissed_and_the_form_is_shown_again(
        self, because: str, world: World
    ) -> None:
        await one_dead_one_delivered(world)
        answer = await world.browser.post(
            "/console/deliveries/dismiss", data={"reason": "currency", "because": because}
        )
        assert answer.status_code == 400
        assert "Give a reason of 1 to 200 characters" in answer.text
        assert 'name="reason" value="currency"' in answer.text
        assert 'name="because" required' in answer.text
        assert not (await world.outbox.search(Query(state=State.DISMISSED), limit=10)).deliveries

    async def test_a_filter_that_is_empty_means_not_all(self, world: World) -> None:
        await one_dead_one_delivered(world)
        asked = await world.browser.get("/console/deliveries/dismiss?preset=")
        done = await world.browser.post("/console/deliveries/dismiss", data={"preset": " ", "because": "a test"})
        assert (asked.status_code, done.status_code) == (400, 400)
        assert not (await world.outbox.search(Query(state=State.DISMISSED), limit=10)).deliveries

    async def test_they_are_asked_about_first(self, world: World) -> None:
        await one_dead_one_delivered(world)
        page = await world.page("/console/deliveries/dismiss?reason=currency")
        assert "<strong>1</strong> Never sent" in page
        assert 'name="because" required' in page

    async def test_what_a_replay_overtook_is_shown_as_dismissed(self, world: World) -> None:
        delivery_id = await one_dead_one_delivered(world)
        await world.enqueue(new_delivery("again", event_id="event-m-1", order_id="order-m-1"))
        await world.settle(Delivered(), State.DELIVERED)
        page = await world.page(f"/console/delivery?id={delivery_id}")
        assert "Dismissed. bad currency; the same event was delivered as delivery" in page

    async def test_a_viewer_dismisses_nothing(self, tmp_path: Path) -> None:
        async with open_world(tmp_path, users=("bob:token-of-bob",)) as world:
            await one_dead_one_delivered(world)
            headers = {"Authorization": "Bearer token-of-bob"}
            form = {"all": "true", "because": "x"}
            assert (
                await world.browser.post("/console/deliveries/dismiss", data=form, headers=headers)
            ).status_code == 403
            shown = await world.browser.get("/console/deliveries?state=dead", headers=headers)
            assert "Dismiss" not in shown.text
            asked = await world.browser.get("/console/deliveries/dismiss", headers=headers)
            assert "This is for operators" in asked.text


async def _die(world: World, message_id: str, days: float) -> None:
    await world.enqueue(new_delivery(message_id, event_time=int(NOW - days * DAY_S)))
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)


class TestTooOld:
    """A redrive offers what Pinterest may still take, and nothing else."""

    @pytest.mark.slow
    async def test_the_question_says_how_many_can_succeed_and_only_these_are_sent(self, world: World) -> None:
        for number, days in enumerate((1, 6.9, 7.1, 20, 30)):
            await _die(world, f"m-{number}", days)
        page = await world.page("/console/deliveries/redrive?reason=currency")
        assert "<strong>2</strong> Sent again" in page
        assert "<strong>3</strong> Still dead, because Pinterest rejects" in page
        assert ">Redrive 2</button>" in page
        answer = await world.browser.post("/console/deliveries/redrive", data={"reason": "currency"})
        assert "2 dead deliveries will be sent again." in await world.page(answer.headers["location"])
        dead = await world.outbox.search(Query(state=State.DEAD), limit=10)
        assert {each.message_id for each in dead.deliveries} == {"m-2", "m-3", "m-4"}
        assert "Still dead" not in await world.page("/console/deliveries/dismiss?reason=currency")

    async def test_where_none_can_succeed_there_is_no_button(self, world: World) -> None:
        await _die(world, "old", 8)
        page = await world.page("/console/deliveries/redrive?reason=currency")
        assert "<strong>1</strong> Still dead, because Pinterest rejects" in page
        assert "<button" + ' class="main">Redrive' not in page
        (letter,) = (await world.outbox.search(Query(state=State.DEAD), limit=1)).deliveries
        answer = await world.browser.post("/console/deliveries/redrive", data={"delivery_id": letter.delivery_id})
        assert "Nothing was done: its event is too old for Pinterest." in await world.page(answer.headers["location"])

    async def test_more_than_can_be_counted_are_counted_in_part(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deliveries, "COUNTED_AT_MOST", 2)
        monkeypatch.setattr(deliveries, "_COUNTED_AT_ONCE", 2)
        for number in range(3):
            await _die(world, f"m-{number}", 8)
        assert "Only the newest 2 were counted" in await world.page("/console/deliveries/redrive?reason=currency")
