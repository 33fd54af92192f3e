"""What is remembered of people: written with the deliveries of the same events, or not at all."""

import asyncio
import math
import random
from typing import Any

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from app import assemble
from app.core.deliveries import NewDelivery, Withdrawal
from app.core.events import Outcome
from app.core.pages import Query
from app.core.people import (
    Link,
    OptOut,
    Ownership,
    PeopleChanges,
    PersonChange,
    Recalled,
    Remembered,
    Suppression,
    SuppressionChange,
)
from app.errors import MemoryChanged, OutboxUnavailable, SettingsError
from app.identity import IdKeys
from app.outbox import Outbox, open_outbox
from app.outbox.people import MAX_LINKED, added_by_key
from app.pipeline.identity_events import own_time
from app.pipeline.pipeline import Pipeline
from app.source import Arrival, Intake, read_event
from app.source.responses import event_json
from tests import assembled
from tests.identity.journeys import SETTINGS, anonymous_ids_of_the_deleted, first_rows, rows, shown
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, marked, new, rules
from tests.rounds import some_of

REMEMBER = {"remember_s": 90 * DAY_S, "remember_click_s": 60 * DAY_S, "remember_max_people": 1_000}


def open_with(url: str, **changes: Any) -> Outbox:
    return open_outbox(url, rules(**REMEMBER | changes), clock=lambda: NOW)


def record(*, click: float | None = None, em: float | None = None, link: float | None = None) -> str:
    """A record with facts and a link of so many days before NOW."""
    facts = {
        name: {"members": {}, "at": NOW - days * DAY_S, "by": "page"}
        for name, days in (("click", click), ("em", em))
        if days is not None
    }
    linked = None if link is None else {"to": "user", "at": NOW - link * DAY_S, "is_followed": True}
    return orjson.dumps({"facts": facts, "link": linked}).decode()


def person(
    key: str, *, text: str | None = '{"facts": {}, "link": null}', revision: int = 0, **changes: Any
) -> PersonChange:
    return PersonChange(key=key, revision=revision, record=text, **{"seen_at": NOW, "stale_at": NOW + 1} | changes)


def as_mark(mark: str | float | None) -> str | None:
    """A mark as the store keeps it, of its moment."""
    return mark if isinstance(mark, str) else marked(mark)


def changes(*people: PersonChange, **marks: tuple[str | float | None, str | float | None]) -> PeopleChanges:
    unchanged = [SuppressionChange(key=each.key, was=None, now=None) for each in people if each.key not in marks]
    return PeopleChanges(
        people=list(people),
        suppressions=unchanged
        + [SuppressionChange(key=key, was=as_mark(was), now=as_mark(at)) for key, (was, at) in marks.items()],
    )


async def put(outbox: Outbox, people: PeopleChanges | None, *deliveries: NewDelivery) -> None:
    await outbox.enqueue(deliveries, [], [], now=NOW, people=people)


async def known(outbox: Outbox, *keys: str) -> dict[str, int]:
    """The revisions of what is found."""
    return {row.key: row.revision for row in (await outbox.people(keys)).people}


async def test_what_was_written_is_found_with_its_links_and_marks(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    await put(
        outbox,
        changes(
            person("user"),
            person("x", text=record(link=0), linked_to="user", linked_at=NOW),
            person("y", text=record(link=0), linked_to="user", linked_at=NOW),
            person("other"),
            x=(None, NOW),
            nobody=(None, NOW - 1),
        ),
    )
    assert set(await known(outbox, "x")) == {"user", "x", "y"}
    assert set(await known(outbox, "user")) == {"user", "x", "y"}
    assert set(await known(outbox, "other", "nobody")) == {"other"}
    assert (await outbox.people(["y", "nobody"])).suppressions == {"x": marked(NOW), "nobody": marked(NOW - 1)}
    (row,) = [row for row in (await outbox.people(["x"])).people if row.key == "x"]
    assert row.record == Remembered(link=Link(to="user", at=NOW))
    await outbox.close()


async def test_nobody_is_looked_for_who_is_linked_to_a_browser(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    users = [person(key, text=record(link=0), linked_to="user", linked_at=NOW) for key in "xy"]
    await put(outbox, changes(*users, person("z", linked_to="x", linked_at=NOW)))
    for browsers, expected in (((), {"x", "y", "z"}), (("x",), {"x", "y"})):
        assert {row.key for row in (await outbox.people(["x"], browsers=browsers)).people} == expected
    await outbox.close()


async def test_what_others_changed_meanwhile_is_not_overwritten_and_its_deliveries_are_not_kept(
    outbox_url: str,
) -> None:
    outbox = open_with(outbox_url)
    await put(outbox, changes(person("a"), person("b", revision=0), b=(None, NOW)))
    stale = [
        changes(person("a")),
        changes(person("a", revision=2)),
        changes(person("a", text=None, revision=7)),
        changes(person("b", revision=1)),
        changes(b=(NOW - 1, None)),
        changes(c=(NOW, None)),
    ]
    for each in stale:
        delivery = new()
        with pytest.raises(MemoryChanged):
            await put(outbox, each, delivery)
        assert (await outbox.message(delivery.message_id)).deliveries == ()
    await put(outbox, changes(person("a", revision=1), person("b", revision=1), b=(NOW, NOW + 1)))
    assert await known(outbox, "a", "b") == {"a": 2, "b": 2}
    await outbox.close()


async def test_what_is_forgotten_is_gone_and_a_lifted_mark_too(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    await put(outbox, changes(person("a"), a=(None, NOW)))
    await put(outbox, changes(person("a", text=None, revision=1), a=(NOW, None)))
    found = await outbox.people(["a"])
    assert (found.people, found.suppressions) == ([], {})
    await outbox.close()


async def test_an_id_that_has_to_be_unknown_is_so_or_nothing_is_written(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    await put(outbox, changes(person("a", text=None), a=(None, NOW)))
    await put(outbox, changes(person("b")))
    with pytest.raises(MemoryChanged):
        await put(outbox, changes(person("b", text=None), b=(None, NOW)))
    found = await outbox.people(["a", "b"])
    assert ([row.key for row in found.people], found.suppressions) == (["b"], {"a": marked(NOW)})
    await outbox.close()


@pytest.mark.slow
async def test_of_a_mark_and_what_is_remembered_of_the_same_id_at_once_one_is_decided_again(outbox_url: str) -> None:
    one, another = open_with(outbox_url), open_with(outbox_url)
    for number in range(30):
        key = f"x{number}"
        mark = put(one, changes(person(key, text=None), **{key: (None, NOW)}))
        told = await asyncio.gather(mark, put(another, changes(person(key))), return_exceptions=True)
        assert [type(each) for each in told if each is not None] == [MemoryChanged]
    await one.close()
    await another.close()


@pytest.mark.slow
async def test_a_no_leaves_nothing_of_another_event_of_the_same_new_id_at_once(outbox_url: str) -> None:
    settings = assembled.settings(**SETTINGS, outbox_url=outbox_url)
    outbox = open_outbox(outbox_url, settings, clock=lambda: NOW)
    pipeline = assemble.pipeline(settings, assembled.shipped_catalog(), outbox=outbox)
    context = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", "traits": {"email": "ada@example.com"}}
    keys = IdKeys(str(SETTINGS["remember_secret"]).encode())
    for number in range(30):
        page = {"type": "page", "anonymousId": f"x{number}", "context": context}
        both = [page | {"messageId": f"p{number}"}, page | {"messageId": f"n{number}", "properties": {"opt_out": True}}]
        events = [read_event(each, Arrival.at(NOW)) for each in both]
        await asyncio.gather(*(pipeline.accept(Intake([event], now=NOW, is_trusted=True)) for event in events))
        found = await outbox.people([keys.anonymous(f"x{number}") or ""])
        assert (
            found.people,
            [msgspec.json.decode(each, type=Suppression).at for each in found.suppressions.values()],
        ) == ([], [NOW])
    await outbox.close()


async def test_a_full_backlog_remembers_nothing(outbox_url: str) -> None:
    outbox = open_with(outbox_url, room_for=1)
    with pytest.raises(OutboxUnavailable):
        await put(outbox, changes(person("a")), new(), new())
    assert await known(outbox, "a") == {}
    await outbox.close()


async def test_a_repeated_delivery_remembers_nevertheless(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    delivery = new()
    await put(outbox, changes(person("a")), delivery)
    await put(outbox, changes(person("b")), delivery)
    assert set(await known(outbox, "a", "b")) == {"a", "b"}
    await outbox.close()


async def test_of_the_ids_of_a_user_those_linked_longest_ago_give_way(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    for number in range(MAX_LINKED + 3):
        await put(outbox, changes(person(f"x{number}", linked_to="user", linked_at=NOW + number)))
    found = await known(outbox, "user")
    assert len(found) == MAX_LINKED
    assert "x2" not in found
    await outbox.close()


async def test_a_circle_of_links_ends(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    await put(outbox, changes(person("a", linked_to="b", linked_at=NOW), person("b", linked_to="a", linked_at=NOW)))
    assert set(await known(outbox, "a")) == {"a", "b"}
    await outbox.close()


async def test_marks_are_bounded_apart_from_people_and_a_full_table_is_told(outbox_url: str) -> None:
    outbox = open_with(outbox_url, remember_max_people=2)
    await put(outbox, changes(a=(None, NOW), b=(None, NOW), c=(None, NOW)))
    found = await outbox.people(["a", "b", "c"])
    assert (len(found.suppressions), found.is_full) == (2, True)
    await put(outbox, changes(a=(NOW, NOW + 1)))
    assert (await outbox.people(["a"])).suppressions == {"a": marked(NOW + 1)}
    await put(outbox, changes(a=(NOW + 1, None)))
    assert not (await outbox.people(["a"])).is_full
    await outbox.close()


@pytest.mark.parametrize(
    ("marked", "call", "left"),
    [
        pytest.param(
            "", {"a": (None, 1), "b": (None, 1), "c": (None, 1), "d": (None, 1)}, "abc", id="no more than room"
        ),
        pytest.param("ab", {"a": (0, 1), "b": (0, 1), "c": (None, 1)}, "abc", id="what is marked takes no more room"),
        pytest.param(
            "abc", {"a": (0, 1), "b": (0, 1), "d": (None, 1)}, "abc", id="what is marked stays in a full table"
        ),
        pytest.param("abc", {"a": (0, None), "d": (None, 1)}, "bcd", id="what goes makes room for what comes"),
        pytest.param("abc", {"d": (None, 1), "c": (0, None), "e": (None, 1)}, "abd", id="and no more than that"),
        pytest.param(
            "a", {"b": (None, None), "c": (None, None), "d": (None, 1), "e": (None, 1)}, "ade", id="looked at"
        ),
    ],
)
async def test_marks_that_come_at_once_take_all_the_room_there_is(
    outbox_url: str, marked: str, call: dict[str, tuple[float | None, float | None]], left: str
) -> None:
    outbox = open_with(outbox_url, remember_max_people=3)
    await put(outbox, changes(**dict.fromkeys(marked, (None, 0))))
    await put(outbox, changes(**call))
    assert "".join(sorted((await outbox.people(list("abcde"))).suppressions)) == left
    await put(outbox, changes(**{key: ((await outbox.people([key])).suppressions[key], None) for key in left}))
    assert not (await outbox.people(["a"])).is_full
    await outbox.close()


async def test_public_marks_have_half_of_the_room_and_stop_only_public_keys(outbox_url: str) -> None:
    outbox = open_with(outbox_url, remember_max_people=4)

    async def are_full() -> tuple[bool, bool]:
        asked = ((await outbox.people(["a"], public_key=key, now=NOW)).is_full for key in (None, "tag"))
        return (await anext(asked), await anext(asked))

    public = dict.fromkeys("abcd", (None, marked(NOW, is_trusted=False)))
    await put(outbox, changes(**public))
    assert sorted((await outbox.people(list("abcd"))).suppressions) == ["a", "b"]
    assert await are_full() == (False, True)
    await put(outbox, changes(p=(None, NOW), q=(None, NOW), r=(None, NOW)))
    assert sorted((await outbox.people(list("abpqr"))).suppressions) == ["a", "b", "p", "q"]
    assert await are_full() == (True, True)
    await put(outbox, changes(p=(NOW, None), a=(marked(NOW, is_trusted=False), NOW)))
    assert await are_full() == (False, False)  # a mark that is trusted since is no public one
    await put(outbox, changes(c=(None, marked(NOW, is_trusted=False)), d=(None, marked(NOW, is_trusted=False))))
    assert sorted((await outbox.people(list("abcdpqr"))).suppressions) == ["a", "b", "c", "q"]
    await put(outbox, changes(b=(marked(NOW, is_trusted=False), None), c=(marked(NOW, is_trusted=False), None)))
    assert await are_full() == (False, False)
    await outbox.close()


@pytest.mark.parametrize("what", ["people", "suppressions"])
async def test_a_public_key_adds_so_much_in_an_hour_and_no_other_key_feels_it(outbox_url: str, what: str) -> None:
    outbox = open_with(outbox_url, remember_max_people=10_000)
    keys = [f"x{number}" for number in range(added_by_key(rules(**REMEMBER)))]
    for some, is_full in ((keys[:-1], False), (keys[-1:], True)):
        people = map(person, some) if what == "people" else ()
        mark = None if what == "people" else marked(NOW, is_trusted=False)
        added = changes(*people, **dict.fromkeys(some, (None, mark)))
        await put(outbox, replace(added, public_key="tag"))
        asked = (("tag", NOW), ("other", NOW), (None, NOW), ("tag", NOW + 3_600))
        full = [(await outbox.people(["y"], public_key=key, now=now)).is_full for key, now in asked]
        assert full == [is_full, False, False, False]
    await outbox.close()


async def test_what_public_keys_added_is_forgotten_after_an_hour(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    await put(outbox, replace(changes(person("x", stale_at=NOW + 9 * DAY_S)), public_key="tag"))
    assert await outbox.retain(now=NOW + 3_599, limit=100) == 0
    assert await outbox.retain(now=NOW + 3 * 3_600, limit=100) == 1
    await outbox.close()


async def test_a_mark_that_ends_goes_when_it_is_over(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    ends = msgspec.json.encode(Suppression(opt_outs=(OptOut(at=NOW),), ends_at=NOW + DAY_S)).decode()
    await put(outbox, changes(a=(None, ends), b=(None, NOW)))
    for moment, left in ((NOW + DAY_S, ["a", "b"]), (NOW + DAY_S + 1, ["b"])):
        await retained(outbox, now=moment)
        assert sorted((await outbox.people(["a", "b"])).suppressions) == left
    await outbox.close()
    small = open_with(outbox_url, remember_max_people=2)
    told = (await small.people(["a"])).is_full, (await small.people(["a"], public_key="tag", now=NOW)).is_full
    assert told == (False, False)  # it is counted out, among the public ones too
    await put(small, changes(c=(None, NOW)))
    assert (await small.people(["a"])).is_full
    await small.close()


async def test_the_other_ids_of_a_browser_that_said_no_are_found_with_it(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    browser = msgspec.json.encode(Suppression(opt_outs=(OptOut(at=NOW),), also=("user", "nobody"))).decode()
    await put(outbox, changes(person("user"), x=(None, browser), user=(None, NOW), other=(None, NOW)))
    found = await outbox.people(["x"], browsers=["x"])
    assert (found.people, found.suppressions) == ([], {"x": browser, "user": marked(NOW)})
    await outbox.close()


async def test_public_people_go_first_where_they_are_too_many(outbox_url: str) -> None:
    outbox = open_with(outbox_url, remember_max_people=3)
    trusted = orjson.dumps({"facts": {"em": {"members": {}, "at": 0, "by": "page", "is_trusted": True}}}).decode()
    people = [person(f"x{number}", seen_at=NOW - number, stale_at=NOW + 9 * DAY_S) for number in range(4)]
    people += [person(f"p{number}", text=trusted, seen_at=NOW - 90, stale_at=NOW + 9 * DAY_S) for number in range(2)]
    await put(outbox, changes(*people))
    await retained(outbox)
    assert set(await known(outbox, *(each.key for each in people))) == {"x0", "p0", "p1"}
    await outbox.close()


async def test_links_of_public_events_give_way_first_and_take_no_trusted_fact_with_them(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    fact = {
        "facts": {"em": {"members": {}, "at": 0, "by": "page", "is_trusted": True}},
        "link": {"to": "user", "at": 0},
    }
    link = {"facts": {}, "link": {"to": "user", "at": 0, "is_trusted": True}}
    texts = {"fact": fact, "link": link, **{f"x{number:02}": {"facts": {}} for number in range(MAX_LINKED)}}
    for place, (key, text) in enumerate(texts.items()):
        each = person(key, text=orjson.dumps(text).decode(), linked_to="user", linked_at=NOW + place)
        await put(outbox, changes(each))
    found = set(await known(outbox, "user"))
    assert len(found) == MAX_LINKED + 1
    assert {"fact", "link"} < found
    assert "x00" not in found
    await outbox.close()


async def test_a_mark_of_any_moment_is_the_one_that_was_read(outbox_url: str) -> None:
    """Else whoever opted out at a moment with microseconds could neither say yes nor be erased: 503 for ever."""
    outbox = open_with(outbox_url, remember_max_people=2_000)
    rng = random.Random(7)
    moments = {f"k{n}": round(NOW - rng.random() * 1e8, n % 10) for n in range(1_000)}
    await put(outbox, changes(**{key: (None, at) for key, at in moments.items()}))
    found = (await outbox.people(list(moments))).suppressions
    assert found == {key: marked(at) for key, at in moments.items()}
    await put(outbox, changes(**{key: (at, None) for key, at in found.items()}))
    assert (await outbox.people(list(moments))).suppressions == {}
    await outbox.close()


def whose(delivery: NewDelivery, user: str | None, anonymous: str | None = None) -> PeopleChanges:
    tag = Ownership(message_id=delivery.message_id, user=user and user[:16], anonymous=anonymous)
    return PeopleChanges(people=[], suppressions=[], owners=[tag])


ANN, BOB, ANOTHER = (each * 64 for each in "abc")


async def test_what_is_kept_under_an_id_is_erased_wherever_it_is(outbox_url: str) -> None:
    outbox = open_with(outbox_url, payload_s=DAY_S)
    at = At(outbox)
    waiting, claimed, dead, delivered, others = [new() for _ in range(5)]
    for delivery in (dead, delivered, claimed, waiting, others):
        await put(outbox, whose(delivery, None if delivery is others else ANN, "x"), delivery)
        if delivery is dead:
            await at.kill(*await at.claim())
        if delivery is delivered:
            await at.deliver(*await at.claim())
        if delivery is claimed:
            await at.claim()
    assert await outbox.forget([ANOTHER]) == 0
    assert await outbox.forget([ANN, BOB]) == 4
    assert await outbox.forget([ANN]) == 0
    for delivery in (waiting, claimed, dead):
        assert (await outbox.message(delivery.message_id)).deliveries == ()
    (kept,) = (await outbox.message(delivered.message_id)).deliveries
    whole = await outbox.delivery(kept.delivery_id)
    assert whole is not None
    assert whole.payload is None
    backlog = await outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.claimed, backlog.dead) == (1, 0, 0)
    assert [each.message_id for each in await at.claim()] == [others.message_id]
    await outbox.close()


@pytest.mark.parametrize("became", ["waits", "claimed", "delivered"])
async def test_what_is_to_be_stored_again_lets_go_of_its_keys_where_it_was_erased(outbox_url: str, became: str) -> None:
    outbox = open_with(outbox_url, dedup_window_s=DAY_S)
    at = At(outbox)
    again, other = new(order_id="A", checkout_id="C-A"), new(order_id="B")
    for delivery in (again, other):
        await put(outbox, whose(delivery, ANN), delivery)
    claimed = [] if became == "waits" else await at.claim()
    await at.deliver(*(claimed if became == "delivered" else ()))
    await at.enqueue(new(event_id=again.event_id, order_id="A-2"))  # learned of it
    assert await outbox.forget([ANN], again=["unknown", again.message_id]) == 2
    later = [again, other, new(order_id="A", event_id="e-2"), new(order_id="A-2", event_id="e-3")]
    outcomes = [each.outcome for each in await at.enqueue(*later)]
    if became == "delivered":
        assert outcomes == [Outcome.WITHHELD] * 4
    else:
        assert outcomes == [Outcome.ENQUEUED, Outcome.WITHHELD, Outcome.DUPLICATE, Outcome.ENQUEUED]
    await outbox.close()


async def test_whose_it_was_is_known_as_long_as_the_ledger_knows_it(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    delivery = new()
    await put(outbox, whose(delivery, "ann"), delivery)
    at = At(outbox)
    await at.deliver(*await at.claim())
    await retained(outbox, now=NOW + 31 * DAY_S)
    assert await outbox.forget(["ann"]) == 0
    await outbox.close()


#: How messages come, each [message, its people, whether they make a delivery], call by call; then whose they are as the
#: store tells it, by message, and whose the deliveries are.
WAYS: dict[str, tuple[list[list[tuple[str, str, bool]]], dict[str, str], list[str]]] = {
    "one by one": ([[("m", "a", True)], [("n", "b", True)]], {"m": "a", "n": "b"}, ["a", "b"]),
    "together": ([[("m", "a", True), ("n", "b", True), ("o", "", True)]], {"m": "a", "n": "b"}, ["a", "b", ""]),
    "without a delivery": ([[("m", "a", True), ("n", "b", False)]], {"m": "a", "n": "b"}, ["a"]),
    "of two people": ([[("m", "ab", True), ("n", "c", True)]], {"m": "ab", "n": "c"}, ["ab", "c"]),
    "again": ([[("m", "a", True)], [("m", "b", True), ("n", "c", True)]], {"m": "ab", "n": "c"}, ["ab", "c"]),
}


@pytest.mark.parametrize("way", WAYS)
async def test_whose_a_message_is_is_known_however_it_comes(
    outbox_url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.outbox.people.OWNERS_AT_ONCE", 1)
    calls, of_messages, of_deliveries = WAYS[way]
    outbox = open_with(outbox_url)
    made: list[NewDelivery] = []
    for call in calls:
        deliveries = [new(message_id=name, event_id=name, is_trusted=True) for name, _, is_made in call if is_made]
        owners = [
            Ownership(message_id=name, user=who * 16, anonymous="e" * 16, contacts=("f" * 16,), is_trusted=is_trusted)
            for name, people, _ in call
            for who in people
            for is_trusted in (True, False)
            if is_trusted or way != "together"
        ]
        whose_they_are = PeopleChanges(people=[], suppressions=[], owners=owners)
        await put(outbox, whose_they_are, *deliveries)
        made += deliveries
    found: dict[str, set[str]] = {}
    for each in await outbox.owned(["e" * 64]):
        assert (each.anonymous, each.contacts) == ("e" * 16, ("f" * 16,))
        found.setdefault(each.message_id, set()).add((each.user or "")[:1])
    assert found == {name: set(people) for name, people in of_messages.items()}
    ids = [each.delivery_id for each in (await outbox.search(Query(), limit=10)).deliveries]
    subjects = (await outbox.subjects_of(ids)).values()
    assert sorted("".join(sorted({each.user[:1] for each in some})) for some in subjects) == sorted(of_deliveries)
    assert await outbox.forget([who * 64 for who in "abc"]) == len(of_messages)
    assert await outbox.owned(["e" * 64]) == []
    await outbox.close()


@pytest.mark.parametrize("end", ["delivered", "kept", "dead", "dismissed", "withdrawn"])
async def test_whose_an_order_is_stays_known_whatever_becomes_of_it(outbox_url: str, end: str) -> None:
    outbox = open_with(outbox_url, payload_s=DAY_S if end == "kept" else 0)
    at = At(outbox)
    order = new(order_id="A", is_trusted=True)
    await put(outbox, whose(order, ANN), order)
    if end == "withdrawn":
        asked = Withdrawal(
            ad_account_id=ACCOUNT, preset="checkout", order_id="A", source="default", message_id="c", is_trusted=True
        )
        assert await outbox.withdraw([asked], now=NOW) == [1]
    elif end in {"dead", "dismissed"}:
        await at.kill(*await at.claim())
        if end == "dismissed":
            assert await outbox.dead_letters.dismiss(Query(), because="a test") == 1
    else:
        await at.deliver(*await at.claim())
    assert [each.user for each in await outbox.owned([ANN])] == [ANN[:16]]
    assert await outbox.forget([ANN]) == 1
    assert await outbox.owned([ANN], messages=[order.message_id]) == []
    assert await outbox.forget([ANN]) == 0
    await outbox.close()


async def retained(outbox: Outbox, *, now: float = NOW) -> None:
    while await outbox.retain(now=now, limit=2):
        pass


@pytest.mark.parametrize("ahead_s", [0, 5, 3 * DAY_S], ids=["seen before", "some seen later", "all seen later"])
async def test_the_longest_unseen_go_first_where_they_are_too_many(outbox_url: str, ahead_s: float) -> None:
    """Also where a clock was ahead as they were seen."""
    outbox = open_with(outbox_url, remember_max_people=3)
    seen_at = {f"x{number}": NOW + ahead_s - number for number in range(8)}
    await put(outbox, changes(*(person(key, seen_at=at, stale_at=NOW + 9 * DAY_S) for key, at in seen_at.items())))
    await retained(outbox)
    assert set(await known(outbox, *(f"x{number}" for number in range(8)))) == {"x0", "x1", "x2"}
    await outbox.close()


async def test_what_is_too_old_is_deleted_group_by_group(outbox_url: str) -> None:
    outbox = open_with(outbox_url)
    people = {
        "click": record(click=61, em=61),
        "em": record(click=59, em=91),
        "last": record(click=60, em=90, link=90),
        "link": record(em=5, link=91),
        "all": record(em=91, link=91),
        "only link": record(click=61, link=2),
    }
    await put(
        outbox,
        changes(
            *(person(key, text=text, linked_to="user", linked_at=NOW, stale_at=NOW - 1) for key, text in people.items())
        ),
    )
    await retained(outbox)
    found = [*(await outbox.people(["user"])).people, *(await outbox.people(["link"])).people]
    kept = {row.key: (set(row.record.facts), row.record.link is not None) for row in found}
    assert kept == {
        "last": ({"click", "em"}, True),
        "only link": (set(), True),
        "link": ({"em"}, False),
    }
    assert set(await known(outbox, *people)) == {"click", "em", "last", "link", "only link"}
    await retained(outbox, now=NOW + 365 * DAY_S)
    assert await known(outbox, *people) == {}
    await outbox.close()


async def test_all_of_memory_is_looked_through_by_stretches(outbox_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = open_with(outbox_url)
    monkeypatch.setattr("app.outbox.people.IDS_AT_ONCE", 4)
    texts = {f"key {number}": ("a" * 64 if number % 3 == 0 else "b" * 64) for number in range(8)}
    await put(outbox, changes(*(person(key, text=f'{{"em": ["{text}"]}}') for key, text in texts.items())))
    for asked in (["a" * 64], ["b" * 64], ["a" * 64, "b" * 64], ["c" * 64]):
        found: list[str] = []
        after: str | None = ""
        stretches = 0
        while after is not None:
            keys, after = await outbox.people_with(asked, after=after)
            assert len(keys) <= 4
            found += keys
            stretches += 1
        assert sorted(found) == [key for key, text in texts.items() if text in asked]
        assert stretches == 3
    await outbox.close()


async def test_what_came_from_memory_is_shown_in_every_state_beside_the_warnings(outbox_url: str) -> None:
    at = At(open_with(outbox_url))
    recalled = {"em": Recalled(age_s=1.5, by="identify"), "click": Recalled(age_s=0, by="page")}
    asked = {"delivered": ("w",), "dead": (), "pending": ("v {", "w")}
    await at.enqueue(new(message_id="delivered", warnings=("w",), memory=recalled))
    await at.deliver(*await at.claim())
    await at.dead_letter(new(message_id="dead", memory=recalled))
    await at.enqueue(new(message_id="pending", warnings=("v {", "w"), memory=recalled), new(message_id="none"))
    for name, warnings in asked.items():
        found = await at.only_delivery(name)
        told = {"em": {"age_s": 1.5, "by": "identify"}, "click": {"age_s": 0, "by": "page"}}
        assert (found.state.value, found.warnings, found.memory) == (name, warnings, told)
    alone = await at.only_delivery("none")
    assert (alone.warnings, alone.memory) == ((), {})
    await at.outbox.close()


@pytest.mark.slow
@pytest.mark.prove
@pytest.mark.parametrize("together", some_of([40, 1]))
async def test_the_journeys_pass_with_two_processes_and_restarts(outbox_url: str, together: int) -> None:
    """By turns one of two, each opened anew now and then."""
    settings = assembled.settings(**SETTINGS, outbox_url=outbox_url, max_event_age_days=365)
    some = first_rows(500) if together > 1 else rows()[:400]

    def opened() -> tuple[Outbox, Pipeline]:
        outbox = open_outbox(outbox_url, settings, clock=lambda: NOW)
        return outbox, assemble.pipeline(settings, assembled.shipped_catalog(), outbox=outbox)

    processes = [opened(), opened()]
    wrong, erased = [], []
    for number, start in enumerate(range(0, len(some), together)):
        part = some[start : start + together]
        if number % 10 == 9:
            await processes[number % 2][0].close()
            processes[number % 2] = opened()
        outbox, pipeline = processes[number % 2]
        now = max(own_time(row.event, math.inf) for row in part)
        events = [read_event(orjson.loads(orjson.dumps(row.event)), Arrival.at(now)) for row in part]
        receipt = await pipeline.accept(Intake(events, now=now, is_trusted=True))
        for row, told in zip(part, map(event_json, receipt.events), strict=True):
            if row.expected is not None:
                (delivery,) = told["deliveries"]
                event = await stored(outbox, told["message_id"])
                if event is None and delivery["outcome"] == "enqueued":
                    erased.append(row.event)
                    continue
                found = shown(delivery | {"event": event})
                if found != row.expected:
                    wrong.append((row.event["messageId"], found, row.expected))
    for outbox, _ in processes:
        await outbox.close()
    assert wrong == []
    assert {each["anonymousId"] for each in erased} <= anonymous_ids_of_the_deleted()


async def stored(outbox: Outbox, message_id: str) -> Any:
    """The finished event of a message's only delivery; None where it has none."""
    deliveries = (await outbox.message(message_id)).deliveries
    if not deliveries:
        return None
    delivery = await outbox.delivery(deliveries[0].delivery_id)
    assert delivery is not None
    assert delivery.payload is not None
    return orjson.loads(delivery.payload)


def test_memory_without_a_secret_for_its_ids_opens_no_store(outbox_url: str) -> None:
    with pytest.raises(SettingsError, match="REMEMBER_SECRET: memory needs one"):
        open_outbox(outbox_url, rules(**REMEMBER, remember_secret=None))
