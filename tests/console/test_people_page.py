"""People: looked up by what somebody types, shown without anything raw, and forgotten when an operator says so."""

import logging
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.console.labels import GROUP_LABELS
from app.core.pages import Query
from app.core.people import PeopleChanges, SuppressionChange
from app.identity import GROUPS
from app.source import Intake
from tests.console.test_activity_page import log_in, noted
from tests.console.test_guard import VIEWERS
from tests.console.world import NOW, World, legible, open_world
from tests.outbox.build import marked

SECRET = "a secret of the installation, long"
EMAIL, PHONE = "Ann@Shop.example", "+49 151 23456789"
DAY_S = 86_400
#: What ann is known by: her browser, her name before and her name now; bob has the same address.
KNOWN: tuple[dict[str, Any], ...] = (
    {"type": "identify", "userId": "ann", "anonymousId": "x", "properties": {"email": EMAIL, "phone": PHONE}},
    {"type": "alias", "userId": "anna", "previousId": "ann"},
    {"type": "identify", "userId": "bob", "properties": {"email": EMAIL}},
)
TYPED = (EMAIL, EMAIL.lower(), PHONE, "4915123456789", "anna", "bob")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.whole)])
async def remembering(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A console over a memory that knows ann and bob, and a delivery of ann's that waits."""
    changes: dict[str, Any] = {"remember_days": 90, "remember_secret": SECRET, "users": VIEWERS}
    if request.param == "postgres":
        changes["outbox_url"] = request.getfixturevalue("outbox_url")
    async with open_world(tmp_path, **changes) as world:
        await log_in(world.browser, "token-of-ada")
        await accept(world, *KNOWN, {"type": "page", "userId": "ann", "properties": {}, "messageId": "waits"})
        yield world


@pytest.fixture
def outbox_url(request: pytest.FixtureRequest) -> Any:
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


async def accept(world: World, *events: dict[str, Any]) -> None:
    complete = [
        {"messageId": f"m-{number}", "timestamp": NOW - 3 * DAY_S, "context": {}, **event}
        for number, event in enumerate(events)
    ]
    await world.pipeline.accept(Intake(complete, now=NOW - 3 * DAY_S, is_trusted=True))


async def looked_up(world: World, by: str, whom: str) -> str:
    answer = await world.browser.post("/console/people", data={"by": by, "whom": whom})
    assert answer.status_code == 200
    return legible(answer)


def keys_of(page: str) -> list[str]:
    return re.findall(r'name="key" value="(\w+)"', page)


@pytest.mark.parametrize(
    ("by", "whom", "ids"),
    [
        ("user_id", "ann", [3]),
        ("user_id", " anna ", [3]),
        ("anonymous_id", "x", [3]),
        ("user_id", "x", []),
        ("anonymous_id", "ann", []),
        ("user_id", "null", []),
        ("user_id", "bob", [1]),
        ("contact", EMAIL, [3, 1]),
        ("contact", EMAIL.upper(), [3, 1]),
        ("contact", PHONE, [3]),
        ("contact", "004915123456789", [3]),
        ("contact", "nobody@shop.example", []),
        ("contact", "no address", []),
        ("anything else", "bob", [1]),
    ],
)
async def test_a_person_is_found_by_each_id_and_by_address_and_number_in_any_form(
    remembering: World, by: str, whom: str, ids: list[int]
) -> None:
    page = await looked_up(remembering, by, whom)
    assert sorted(int(count) for count in re.findall(r"(\d+) ids?; values are digests", page)) == sorted(ids)
    assert ("Nothing is remembered of them" in page) == (not ids)


@pytest.mark.slow
async def test_groups_ages_links_and_marks_are_shown_and_nothing_raw(remembering: World) -> None:
    page = await looked_up(remembering, "user_id", "ann")
    assert "Email, 3 days old, by <code>identify</code>" in page
    assert "said 3 days ago" in page
    digests = (sha256(text.encode()).hexdigest() for text in ("ann@shop.example", "4915123456789"))
    assert [value for value in (*TYPED, *digests) if value in page] == []
    (key,) = keys_of(await looked_up(remembering, "user_id", "bob"))
    opt_outs = PeopleChanges(people=[], suppressions=[SuppressionChange(key=key, was=None, now=marked(NOW - DAY_S))])
    await remembering.outbox.enqueue([], [], [], now=NOW, people=opt_outs)
    assert '<span class="badge withheld">no</span>' in await looked_up(remembering, "user_id", "bob")


@pytest.mark.slow
async def test_what_is_typed_stands_in_no_address_and_no_log(
    remembering: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = await looked_up(remembering, "contact", EMAIL)
    assert 'method="post" action="/console/people"' in page
    answer = await remembering.browser.post("/console/people/forget", data={"key": keys_of(page)[0], "confirmed": "1"})
    for said in (answer.headers["location"], caplog.text, page):
        assert EMAIL.lower() not in said.lower()


@pytest.mark.slow
async def test_a_person_is_forgotten_after_a_question_and_that_is_written_down(remembering: World) -> None:
    post = remembering.browser.post
    (key,) = keys_of(await looked_up(remembering, "anonymous_id", "x"))
    asked = (await post("/console/people/forget", data={"key": key})).text
    assert "erases all remembered data of these 3 ids" in asked
    assert (await remembering.outbox.message("waits")).deliveries
    done = await post("/console/people/forget", data={"key": key, "confirmed": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, "/console/people?ids=3&messages=1")
    assert "3 ids, and what was kept of 1 message." in (await remembering.browser.get(done.headers["location"])).text
    assert not (await remembering.outbox.search(Query(message_id="waits"), limit=1)).deliveries
    assert "Nothing is remembered of them" in await looked_up(remembering, "user_id", "anna")
    assert keys_of(await looked_up(remembering, "contact", EMAIL)) == keys_of(
        await looked_up(remembering, "user_id", "bob")
    )
    who, what, target, _, after = (await noted(remembering))[-1]
    assert (who, what, after) == ("ada", "forgot a person", "3 ids, 1 message")
    assert target.startswith("certificate ")
    assert (await post("/console/people/forget", data={"key": key})).status_code == 404
    again = await post("/console/people/forget", data={"key": key, "confirmed": "yes"})
    assert "Nothing was left to forget" in (await remembering.browser.get(again.headers["location"])).text


@pytest.mark.slow
async def test_an_anonymous_id_may_be_forgotten_alone(remembering: World) -> None:
    await accept(remembering, {"type": "page", "anonymousId": "x", "properties": {"phone": PHONE}, "messageId": "p"})
    (key, *_) = keys_of(page := await looked_up(remembering, "anonymous_id", "x"))
    assert 'name="alone"' in page
    asked = (await remembering.browser.post("/console/people/forget", data={"key": key, "alone": "yes"})).text
    assert "erases all remembered data of this one id" in asked
    data = {"key": key, "alone": "yes", "confirmed": "yes"}
    await remembering.browser.post("/console/people/forget", data=data)
    assert "2 ids; values" in await looked_up(remembering, "user_id", "ann")


@pytest.mark.slow
async def test_a_viewer_looks_and_does_not_forget(remembering: World) -> None:
    (key,) = keys_of(await looked_up(remembering, "user_id", "bob"))
    await remembering.browser.post("/console/logout")
    await log_in(remembering.browser, "token-of-bob")
    page = await looked_up(remembering, "user_id", "bob")
    assert "1 id; values" in page
    assert keys_of(page) == []
    answer = await remembering.browser.post("/console/people/forget", data={"key": key, "confirmed": "yes"})
    assert answer.status_code == 403
    assert "1 id; values" in await looked_up(remembering, "user_id", "bob")


async def test_while_memory_is_off_the_page_says_how_to_switch_it_on(world: World) -> None:
    page = (await world.browser.get("/console/people")).text
    assert "REMEMBER_DAYS" in page
    assert "REMEMBER_SECRET" in page
    assert 'action="/console/people"' not in page.partition("<main")[2]
    assert "Nothing is remembered of them" not in await looked_up(world, "user_id", "ann")
    answer = await world.browser.post("/console/people/forget", data={"key": "0" * 64, "confirmed": "yes"})
    assert answer.status_code == 404


@pytest.mark.parametrize("query", ["", "?ids=&messages=", "?ids=1", "?ids=x&messages=<b>"])
async def test_an_address_that_counts_nothing_says_nothing(remembering: World, query: str) -> None:
    assert 'role="status"' not in (await remembering.browser.get(f"/console/people{query}")).text


def test_every_group_has_its_words() -> None:
    assert set(GROUP_LABELS) == set(GROUPS)


@pytest.mark.slow
async def test_a_delivery_and_the_tester_say_what_came_from_memory_how_old_and_by_what(remembering: World) -> None:
    event = {"type": "page", "userId": "anna", "messageId": "late", "timestamp": NOW, "properties": {}}
    await remembering.pipeline.accept(Intake([event | {"context": {}}], now=NOW, is_trusted=True))
    (found,) = (await remembering.outbox.message("late")).deliveries
    assert found.memory["em"] == {"age_s": 3.0 * DAY_S, "by": "identify"}
    page = unescape((await remembering.browser.get(f"/console/delivery?id={found.delivery_id}")).text)
    assert re.search(r"<dt>Email</dt><dd>3 days old, by <code>identify</code>", page)
    tried = await remembering.browser.post(
        "/console/tester", data={"event": f'{{"type": "page", "userId": "anna", "timestamp": {NOW:.0f}}}'}
    )
    assert "memory: 3 days old, by identify" in tried.text


@pytest.mark.slow
async def test_a_person_is_erased_by_an_order_and_the_certificate_holds_nothing_of_them(tmp_path: Path) -> None:
    order: dict[str, Any] = {"type": "track", "event": "Order Completed", "userId": "ann", "messageId": "o"}
    order |= {"properties": {"order_id": "SO-7", "revenue": 5, "currency": "EUR", "email": EMAIL}}
    async with open_world(tmp_path, users=VIEWERS) as world:
        await log_in(world.browser, "token-of-ada")
        await accept(world, order)
        form = {"by": "order_ids", "whom": "SO-7", "reference": "T-1"}
        assert (await world.browser.post("/console/people/erase", data=form)).status_code == 400
        done = await world.browser.post("/console/people/erase", data=form | {"confirmed": "yes"})
        assert done.status_code == 303
        page = legible(await world.browser.get(done.headers["location"]))
        as_json = (await world.browser.get(f"{done.headers['location']}&as=json")).json()
        assert "T-1" in page
        assert "order ids" in page
        assert as_json["erased"] == {"dropped events": 1}
        assert not any(text.lower() in page.lower() for text in (EMAIL, "SO-7"))
        file = await world.browser.post("/console/people/held", data={"by": "order_ids", "whom": "SO-7"})
        assert "attachment" in file.headers["content-disposition"]
        assert [each["order_id"] for each in file.json()["dropped_events"]] == ["SO-7"]
        assert (await world.browser.post("/console/people/held", data={"by": "order_ids"})).status_code == 400
        wanted = {"by": "order_ids", "whom": "SO-7", "as": "text"}
        text = await world.browser.post("/console/people/held", data=wanted)
        assert 'filename="person.txt"' in text.headers["content-disposition"]
        assert "order id: SO-7" in text.text
        listed = legible(await world.browser.get("/console/people"))
        assert as_json["certificate"] in listed
        for whom, status, told in (
            ("eva@shop.example", 404, "Nothing is stored for this person."),
            ("eva(at)example", 400, "This cannot be an e-mail address: write name@domain.tld."),
        ):
            nobody = {"by": "emails", "whom": whom, "confirmed": "yes"}
            refused = await world.browser.post("/console/people/erase", data=nobody)
            assert (refused.status_code, told in legible(refused)) == (status, True)
        assert listed == legible(await world.browser.get("/console/people"))
        assert (await world.browser.get("/console/people/erasure?number=1-x")).status_code == 404
        assert [each.reason for _, each in (await world.outbox.message("o")).dropped_events] == [
            "its person was erased"
        ]
