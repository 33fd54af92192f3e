import csv
import html
import io
import re
from pathlib import Path
from typing import Literal

import pytest

from app.core.deliveries import Delivered, Rejected, Retry, State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import AccountView, Query
from app.core.shared_values import SET_ASIDE, SetAside
from tests.console.world import NOW, World, new_delivery, open_world


async def one_dead_one_delivered(world: World) -> str:
    """Make `m-1` dead and `m-2` delivered; return the dead one's id."""
    await world.enqueue(new_delivery("m-1"))
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    await world.enqueue(new_delivery("m-2", preset="Page Visit", event_id="m-2"))
    await world.settle(Delivered(warning="low match"), State.DELIVERED)
    page = await world.outbox.search(Query(message_id="m-1"), limit=1)
    return page.deliveries[0].delivery_id


async def test_a_delivery_that_the_store_refuses_to_change_says_so(world: World) -> None:
    id_ = await one_dead_one_delivered(world)
    words = "nobody may change this row"
    doings: list[Literal["claim", "settle"]] = ["claim", "settle"]
    for doing in doings:
        refused = SetAside(doing=doing, ad_account_id="1", why=words, since=NOW, again_at=NOW)
        await SET_ASIDE.of(f"delivery/{id_}").write(world.outbox, refused)
        page = await world.page(f"/console/delivery?id={id_}")
        assert f"The store refuses to change this delivery: {words}." in page
        assert ("Pinterest's answer is recorded as soon as the store takes it" in html.unescape(page)) == (
            doing == "settle"
        )


class TestSearch:
    async def test_while_empty_it_says_what_will_stand_here(self, world: World) -> None:
        assert "There are none yet." in await world.page("/console/deliveries")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", {"m-1", "m-2"}),
            ("?message_id=m-1", {"m-1"}),
            ("?message_id=+m-1+", {"m-1"}),
            ("?event_id=event-m-1", {"m-1"}),
            ("?preset=Page+Visit", {"m-2"}),
            ("?state=dead", {"m-1"}),
            ("?reason=CURRENCY", {"m-1"}),
            ("?order_id=order-m-2", {"m-2"}),
            ("?event_name=checkout&outcome=delivered", {"m-2"}),
            ("?status=422", {"m-1"}),
            ("?warning=phone", set()),
            ("?since=1795000000", {"m-1", "m-2"}),
            ("?until=1795000000", set()),
            ("?state=dead&preset=Page+Visit", set()),
            ("?message_id=&event_id=&preset=&state=&reason=", {"m-1", "m-2"}),
        ],
    )
    async def test_each_field_narrows_it(self, query: str, found: set[str], world: World) -> None:
        await one_dead_one_delivered(world)
        page = await world.page(f"/console/deliveries{query}")
        assert set(re.findall(r'message\?id=(m-\d)"', page)) == found
        if not found:
            assert "Nothing is found." in page

    async def test_an_event_that_made_no_delivery_is_found_by_its_message_id(self, world: World) -> None:
        await world.enqueue(
            notes=[DroppedEvent(message_id="m-9", preset="Lead", outcome=Outcome.INVALID, reason="no identifier")]
        )
        page = await world.page("/console/deliveries?message_id=m-9")
        assert "Not sent" in page
        assert "no identifier" in page

    async def test_a_list_of_its_own_has_what_became_no_delivery(self, world: World) -> None:
        await one_dead_one_delivered(world)
        note = DroppedEvent(
            message_id="m-9", preset="Lead", outcome=Outcome.INVALID, reason="no identifier", order_id="SO-9"
        )
        await world.enqueue(notes=[note])
        page = await world.page("/console/deliveries?outcome=invalid")
        assert re.findall(r'message\?id=(m-\d)"', page) == ["m-9"]
        assert "SO-9" in page
        assert "Deliveries</h2>" not in page

    async def test_what_no_preset_takes_is_said_to_be_counted_only(self, world: World) -> None:
        assert "counted, not kept" in await world.page("/console/deliveries?outcome=unmatched")

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("state=nonsense", "delivered, dead"),
            ("order=SO-9", "order_id"),
            ("since=noon", "2026-03-04"),
            ("outcome=lost", "withheld"),
            ("status=99", "must be an HTTP status"),
        ],
    )
    async def test_what_cannot_be_searched_by_is_told_above_the_form_which_keeps_the_rest(
        self, query: str, told: str, world: World
    ) -> None:
        page = await world.page(f"/console/deliveries?preset=Checkout&message_id=m-7&{query}", status=400)
        fault, form = page.split('class="chips"')
        assert "It cannot be searched so. " in fault
        assert told in fault
        assert 'name="message_id" value="m-7"' in form
        assert '<option value="Checkout" selected>' in form

    @pytest.mark.slow
    async def test_a_typed_time_that_is_none_stays_in_its_field(self, world: World) -> None:
        assert 'name="since" value="noon"' in await world.page("/console/deliveries?since=noon", status=400)

    @pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.WITHHELD, Outcome.INVALID])
    async def test_where_one_line_may_stand_for_many_events_the_list_says_so(
        self, outcome: Outcome, world: World
    ) -> None:
        await world.enqueue(notes=[DroppedEvent(message_id="", preset=None, outcome=outcome, reason="r")])
        assert "Counts include each of them" in await world.page(f"/console/deliveries?outcome={outcome}")
        assert "Counts include each of them" not in await world.page("/console/deliveries")

    async def test_either_list_is_paged_by_itself(self, world: World) -> None:
        notes = [
            DroppedEvent(message_id=f"n-{n}", preset="Lead", outcome=Outcome.INVALID, reason="r") for n in range(35)
        ]
        await world.enqueue(*(new_delivery(f"m-{n}") for n in range(35)), notes=notes)
        page = await world.page("/console/deliveries?source=default")
        older = re.findall(r'href="([^"]+)" rel="next"', page)
        second, third = [await world.page(path) for path in older]
        assert [len(re.findall(rf'message\?id={kind}-\d+"', second)) for kind in "mn"] == [10, 0]
        assert [len(re.findall(rf'message\?id={kind}-\d+"', third)) for kind in "mn"] == [0, 10]

    @pytest.mark.slow
    async def test_it_is_paged(self, world: World) -> None:
        await world.enqueue(*(new_delivery(f"m-{number}") for number in range(60)))
        seen: set[str] = set()
        path: str | None = "/console/deliveries?state=pending"
        pages = 0
        while path:
            page = await world.page(path)
            seen.update(re.findall(r'message\?id=(m-\d+)"', page))
            older = re.search(r'href="([^"]+)" rel="next"', page)
            path = older and older[1]
            pages += 1
        assert pages == 3
        assert len(seen) == 60
        assert "another page" in page
        assert "Newest</a>" in page
        newer = re.search(r'href="([^"]+)" rel="prev">Newer', page)
        assert newer
        back = re.findall(r'message\?id=(m-\d+)"', await world.page(html.unescape(newer[1])))
        assert back == [f"m-{number}" for number in range(34, 9, -1)]

    async def test_the_oldest_come_first_where_that_is_asked_for(self, world: World) -> None:
        await world.enqueue(*(new_delivery(f"m-{number}") for number in range(35)))
        page = await world.page("/console/deliveries?state=pending&sort=oldest&period=day")
        assert re.findall(r'message\?id=(m-\d+)[&"]', page) == [f"m-{number}" for number in range(25)]
        assert 'aria-sort="ascending"' in page
        assert page.count('name="sort" value="oldest"') == 1  # the page ignores the period, so it has no filter
        assert (await world.page("/console/deliveries?sort=oldest")).count('name="sort" value="oldest"') == 2
        following = re.search(r'href="([^"]+)" rel="next">Newer', page)
        assert following
        rest = await world.page(html.unescape(following[1]))
        assert re.findall(r'message\?id=(m-\d+)[&"]', rest) == [f"m-{number}" for number in range(25, 35)]
        assert 'rel="prev">Older' in rest

    async def test_dead_ones_are_offered_to_be_redriven(self, world: World) -> None:
        assert "Redrive" not in await world.page("/console/deliveries")
        await one_dead_one_delivered(world)
        assert "Redrive all dead ones…" in await world.page("/console/deliveries?state=dead")
        assert "Redrive the dead ones found…" in await world.page("/console/deliveries?preset=Checkout")
        assert "Redrive" not in await world.page("/console/deliveries?state=delivered")

    async def test_a_preset_that_is_gone_can_still_be_looked_for(self, world: World) -> None:
        assert 'name="preset" value="Gone"' in await world.page("/console/deliveries?preset=Gone")

    async def test_what_was_typed_is_escaped(self, world: World) -> None:
        answer = await world.browser.get('/console/deliveries?message_id="><script>')
        assert "<script>" not in answer.text.replace("<script src", "")


class TestDelivery:
    async def test_it_shows_all_attempts_and_answers(self, world: World) -> None:
        await world.enqueue(new_delivery("m-1", warnings=("currency: taken from the first product",)))
        await world.settle(Retry(reason="HTTP 503", status=503), State.PENDING, due_at=NOW)
        await world.settle(Retry(reason="timed out after 30 s"), State.PENDING, due_at=NOW)
        await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
        found = await world.outbox.search(Query(), limit=1)
        page = await world.page(f"/console/delivery?id={found.deliveries[0].delivery_id}")
        for said in ("HTTP 503", "timed out after 30 s", "bad currency", "currency: taken from the first product"):
            assert said in page
        assert "<dt>Attempts that count</dt><dd>3</dd>" in page
        assert "order-m-1" in page

    async def test_what_is_sent_is_shown_without_ip_address(self, world: World) -> None:
        page = await world.page(f"/console/delivery?id={await one_dead_one_delivered(world)}")
        assert '"em"' in page
        assert '"client_ip_address": "(masked)"' in page
        assert "203.0.113.7" not in page

    async def test_what_was_delivered_is_erased(self, world: World) -> None:
        await one_dead_one_delivered(world)
        found = await world.outbox.search(Query(message_id="m-2"), limit=1)
        page = await world.page(f"/console/delivery?id={found.deliveries[0].delivery_id}")
        assert "No longer kept" in page
        assert "low match" in page
        assert "Redrive" not in page

    @pytest.mark.parametrize(("is_trusted", "word"), [(True, "trusted"), (False, "public")])
    async def test_it_says_whether_anyone_could_have_sent_it(
        self, world: World, word: str, *, is_trusted: bool
    ) -> None:
        await world.enqueue(new_delivery("m-9", source="shop", is_trusted=is_trusted))
        assert f'<code>shop</code> <span class="hint">{word}</span>' in await world.page("/console/delivery?id=1")
        assert f"It is {word}: " in await world.page("/console/message?id=m-9")

    @pytest.mark.parametrize(
        ("outcome", "preset", "is_led"), [(Outcome.UNMATCHED, None, True), (Outcome.INVALID, "Checkout", False)]
    )
    async def test_one_that_no_preset_took_leads_to_the_inventory(
        self, world: World, outcome: Outcome, preset: str | None, *, is_led: bool
    ) -> None:
        await world.enqueue(notes=[DroppedEvent(message_id="m-9", preset=preset, outcome=outcome, reason="so")])
        assert ("which preset is the nearest" in await world.page("/console/message?id=m-9")) is is_led

    async def test_one_that_waits_says_until_when(self, world: World) -> None:
        await world.enqueue(new_delivery("m-1"))
        found = await world.outbox.search(Query(), limit=1)
        page = await world.page(f"/console/delivery?id={found.deliveries[0].delivery_id}")
        assert "Next attempt" in page
        assert "None yet." in page

    async def test_one_that_is_held_is_not_received_in_the_future(self, world: World) -> None:
        await world.enqueue(new_delivery("m-1", hold_s=600))
        found = await world.outbox.search(Query(), limit=1)
        path = f"/console/delivery?id={found.deliveries[0].delivery_id}"
        paths = path, "/console/deliveries", "/console/message?id=m-1"
        held, *lists = [await world.page(each) for each in paths]
        assert "<dt>Held until</dt>" in held
        assert "<dt>Received" not in held
        assert all("held, leaves <time" in each for each in lists)
        world.now = NOW + 601
        received, *lists = [await world.page(each) for each in paths]
        assert "<dt>Received</dt>" in received
        assert not any("held, leaves" in each for each in lists)

    @pytest.mark.parametrize("delivery_id", ["", "999", "no-number", "%00"])
    async def test_an_unknown_one_is_told(self, delivery_id: str, world: World) -> None:
        assert "No such delivery" in await world.page(f"/console/delivery?id={delivery_id}", status=404)


class TestMessage:
    async def test_it_shows_deliveries_and_notes(self, world: World) -> None:
        note = DroppedEvent(
            message_id="a/b?c",
            preset="Lead",
            outcome=Outcome.WITHHELD,
            reason="consent",
            warnings=("phone: no country",),
        )
        await world.enqueue(new_delivery("a/b?c"), notes=[note])
        page = await world.page("/console/message?id=a%2Fb%3Fc")
        assert "Deliveries</h2>" in page
        assert "Not delivered, and why" in page
        assert "phone: no country" in page

    async def test_one_that_left_no_trace_is_explained(self, world: World) -> None:
        assert "Nothing is known of it." in await world.page("/console/message?id=unknown")


async def test_deliveries_and_notes_say_for_which_destination_they_are(tmp_path: Path) -> None:
    accounts = tuple(
        AccountView(ad_account_id=which, name=name, live=True) for which, name in (("1", "US"), ("2", "FR"))
    )
    async with open_world(tmp_path, accounts=accounts) as world:
        refused = DroppedEvent(
            message_id="m-1", ad_account_id="2", preset="Lead", outcome=Outcome.INVALID, reason="no identifier"
        )
        await world.enqueue(new_delivery("m-1", ad_account_id="1"), notes=[refused])
        page = (await world.browser.get("/console/message?id=m-1")).text
        (found,) = (await world.outbox.message("m-1")).deliveries
        delivery = (await world.browser.get(f"/console/delivery?id={found.delivery_id}")).text
    assert '<td class="cut">Checkout <span class="hint">US</span></td>' in page
    assert '<td class="cut">Lead <span class="hint">FR</span></td>' in page
    assert "<dt>Ad account</dt><dd>US <code>1</code></dd>" in delivery


async def test_attempts_are_numbered_as_they_were_made_whatever_counts(world: World) -> None:
    delivery_id = await one_dead_one_delivered(world)
    await world.outbox.dead_letters.redrive(Query(state=State.DEAD), now=world.now)
    await world.settle(Rejected(reason="bad currency", status=422), State.DEAD)
    page = await world.html(f"/console/delivery?id={delivery_id}")
    table = page.split('aria-label="Attempts"')[1].split("</table>")[0]
    assert re.findall(r'<tr><td class="n">(\d+)</td>', table) == ["1", "2"]


async def test_all_of_a_list_is_exported_with_its_filters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.console.pages._EXPORTED_ROWS", 2)
    made = [new_delivery(f"m-{n}", order_id=f"=SO-{n}", amount="9.5", currency="EUR") for n in range(5)]
    note = DroppedEvent(
        message_id="n-1",
        outcome=Outcome.INVALID,
        preset="Checkout",
        reason='no "id"',
        warnings=("a", "b"),
    )
    await world.enqueue(*made, new_delivery("other", preset="Lead"), notes=[note])
    answer = await world.browser.get("/console/deliveries.csv?preset=Checkout&sort=oldest")
    assert answer.headers["content-disposition"] == 'attachment; filename="deliveries.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["message_id"] for row in rows] == [f"m-{n}" for n in range(5)]
    assert (rows[0]["order_id"], rows[0]["amount"], rows[0]["enqueued_at"]) == (
        "'=SO-0",
        "9.5 EUR",
        "2026-11-18 11:06:40",
    )
    rows = list(csv.DictReader(io.StringIO(await world.html("/console/deliveries.csv?of=dropped"))))
    assert [(row["message_id"], row["reason"], row["warnings"]) for row in rows] == [("n-1", 'no "id"', "a; b")]
    page = await world.page("/console/deliveries?preset=Checkout")
    assert '/deliveries.csv?preset=Checkout" download' in page
    assert '/deliveries.csv?preset=Checkout&of=dropped" download' in page
    assert "There is no filter" in await world.html("/console/deliveries.csv?odd=1", status=400)


async def test_the_audit_log_is_exported(world: World) -> None:
    await world.browser.post("/console/mappings/switch", data={"preset": "Checkout", "on": "no"})
    rows = list(csv.DictReader(io.StringIO(await world.html("/console/activity.csv"))))
    assert [row["what"] for row in rows] == ["switched"]
    (entry,) = rows
    found = list(csv.DictReader(io.StringIO(await world.html(f"/console/activity.csv?target={entry['target']}"))))
    assert found == rows
    assert await world.html("/console/activity.csv?target=none") == "at,who,place,what,target,before,after\r\n"
