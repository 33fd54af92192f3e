"""Every delivery and every dropped event is found again by what is known of it."""

from typing import Any

import pytest

from app.core.deliveries import State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.core.people import Recalled
from app.outbox import search
from app.outbox.rows import kept
from tests.outbox.build import ACCOUNT, DAY_S, HOUR_S, NOW, At, delivered, new, retry

#: What stands in the payload of deliveries that `new` makes.
DIGEST = "0" * 64


async def _deliveries(at: At, query: Query) -> list[str]:
    page = await at.outbox.search(query, limit=100)
    assert page.next_cursor is None
    return [each.message_id for each in page.deliveries]


async def _dropped(at: At, query: Query) -> list[str]:
    page = await at.outbox.search_dropped(query, limit=100)
    assert page.next_cursor is None
    return [note.message_id for _, note in page.events]


async def _fill(at: At) -> None:
    """Two orders of two shops, one of them dead, a lead that waits after a retry, and dropped events of most kinds."""
    warned: dict[str, Any] = {"warnings": ("phone: no country, left out", "value: 'a \"number\"' expected")}
    recalled = {"ph": Recalled(age_s=60, by="identify")}
    await at.enqueue(
        new(message_id="m1", order_id="SO-1001", source="shop", event_name="checkout", preset="Order"),
        new(message_id="m2", order_id="SO-1002", source="till", event_name="checkout", preset="Order", **warned),
        new(
            message_id="m3",
            order_id=None,
            source="shop",
            event_name="lead",
            preset="Lead",
            memory=recalled,
            name="Lead",
        ),
    )
    first, second, third = await at.claim()
    await at.settle(delivered(first))
    await at.kill(second, reason="em is malformed")
    await at.settle(retry(third, NOW + 5, "503 busy"))
    shop: dict[str, Any] = {"source": "shop", "ad_account_id": "1", "preset": "Order", "event_name": "checkout"}
    await at.later(HOUR_S).enqueue(
        dropped=(
            DroppedEvent(
                message_id="n1", outcome=Outcome.DUPLICATE, reason="the same order_id", order_id="SO-1001", **shop
            ),
            DroppedEvent(
                message_id="n2",
                outcome=Outcome.INVALID,
                reason="no identifier",
                warnings=("phone: no country",),
                **shop,
            ),
            DroppedEvent(
                message_id="n3",
                outcome=Outcome.WITHHELD,
                reason="consent",
                preset=None,
                source="till",
                name="page Cart",
            ),
            DroppedEvent(message_id="n4", outcome=Outcome.REFUSED, reason="no type", preset=None),
            DroppedEvent(
                message_id="n5", outcome=Outcome.WITHDRAWN, reason="withdrawn by message n9", order_id="SO-7", **shop
            ),
        )
    )


#: What is asked, the deliveries and the dropped events that are found.
ASKED: list[tuple[Query, list[str], list[str]]] = [
    (Query(), ["m3", "m2", "m1"], ["n5", "n4", "n3", "n2", "n1"]),
    (Query(order_id="SO-1001"), ["m1"], ["n1"]),
    (Query(order_id="so-1001"), [], []),
    (Query(order_id="SO-1001", source="till"), [], []),
    (Query(source="shop"), ["m3", "m1"], ["n5", "n2", "n1"]),
    (Query(ad_account_id=ACCOUNT), ["m3", "m2", "m1"], []),
    (Query(ad_account_id="1"), [], ["n5", "n2", "n1"]),
    (Query(event_name="lead"), ["m3"], []),
    (Query(name="Lead"), ["m3"], []),
    (Query(name="Order Completed"), ["m2", "m1"], []),
    (Query(name="page Cart", source="till"), [], ["n3"]),
    (Query(event_name="checkout"), ["m2", "m1"], ["n5", "n2", "n1"]),
    (Query(preset="Order"), ["m2", "m1"], ["n5", "n2", "n1"]),
    (Query(message_id="n2"), [], ["n2"]),
    (Query(event_id="n2"), [], []),
    (Query(state=State.DEAD), ["m2"], []),
    (Query(state="waiting"), ["m3"], []),
    (Query(reason="NO "), [], ["n4", "n2"]),
    (Query(warning="phone"), ["m2"], ["n2"]),
    (Query(warning='A "NUMBER"'), ["m2"], []),
    (Query(warning='","'), [], []),
    (Query(warning="identify"), [], []),
    (Query(outcome=Outcome.ENQUEUED), ["m3", "m2", "m1"], ["n5"]),
    (Query(outcome=Outcome.MATCHED), ["m3", "m2", "m1"], ["n5", "n2", "n1"]),
    (Query(outcome=Outcome.ACCEPTED), ["m3", "m2", "m1"], ["n5", "n3", "n2", "n1"]),
    (Query(outcome=Outcome.DELIVERED), ["m1"], []),
    (Query(outcome=Outcome.REJECTED), ["m2"], []),
    (Query(outcome=Outcome.RETRY), ["m3"], []),
    (Query(outcome=Outcome.BLOCKED), [], []),
    (Query(status=422), ["m2"], []),
    (Query(status=503, outcome=Outcome.RETRY, until=NOW + 1), ["m3"], []),
    (Query(status=422, outcome=Outcome.RETRY), [], []),
    (Query(status=503, since=NOW + 1), [], []),
    (Query(outcome=Outcome.DUPLICATE), [], ["n1"]),
    (Query(outcome=Outcome.INVALID, source="till"), [], []),
    (Query(outcome=Outcome.UNMATCHED), [], []),
    (Query(outcome=Outcome.REFUSED, state=State.DEAD), [], []),
    (Query(since=NOW + 1), [], ["n5", "n4", "n3", "n2", "n1"]),
    (Query(until=NOW + 1), ["m3", "m2", "m1"], []),
    (Query(since=NOW, until=NOW), [], []),
    (Query(outcome=Outcome.REJECTED, since=NOW, until=NOW + 1), ["m2"], []),
    (Query(outcome=Outcome.REJECTED, since=NOW + 1), [], []),
    (Query(outcome=Outcome.REJECTED, until=NOW), [], []),
    (Query(person=(DIGEST,)), ["m3", "m2"], []),
    (Query(person=("1" * 64, DIGEST), state=State.DEAD), ["m2"], []),
    (Query(person=("1" * 64,)), [], []),
    (Query(person=()), [], []),
    (Query(happened_since=NOW - 1e6), ["m3", "m2", "m1"], []),
    (Query(happened_since=NOW + 1e6), [], []),
]


async def test_what_an_event_is_known_by_leads_to_it(at: At) -> None:
    await _fill(at)
    found = [(query, await _deliveries(at, query), await _dropped(at, query)) for query, *_ in ASKED]
    assert [each for each, row in zip(found, ASKED, strict=True) if each != row] == []


async def test_a_cancellation_is_among_what_was_accepted_and_what_presets_took(at: At) -> None:
    note = DroppedEvent(
        message_id="c-1",
        preset="Order",
        ad_account_id=ACCOUNT,
        outcome=Outcome.MATCHED,
        reason="order SO-1 is cancelled",
    )
    await at.enqueue(dropped=(note,))
    found = {outcome: await _dropped(at, Query(outcome=outcome)) for outcome in (None, *Outcome)}
    assert {outcome for outcome, told in found.items() if told == ["c-1"]} == {None, Outcome.ACCEPTED, Outcome.MATCHED}
    assert [told for told in found.values() if told not in ([], ["c-1"])] == []
    assert [outcome for outcome in found if await _dropped(at, Query(outcome=outcome, is_order=True))] == []


@pytest.mark.parametrize(
    ("told", "asked", "found"),
    [
        pytest.param("No Currency", "no cURRENCY", True, id="letters of ASCII in any case"),
        pytest.param("ÄRGER", "ÄRG", True, id="other letters as they are"),
        pytest.param("ÄRGER", "ärg", False, id="other letters not in another case, which depends on the database"),
        pytest.param("ÄRGER", "Ärg", True, id="both in one text"),
        pytest.param("100 \u212a", "k", False, id="a sign that some databases make an ASCII letter of"),
        pytest.param("a_b%c", "_B%", True, id="wildcards as they are"),
        pytest.param("axbyc", "_B%", False, id="no wildcards"),
        pytest.param("one\0two", "e\0t", True, id="U+0000 as it was given"),
        pytest.param("one\0two", "e\ufffdt", True, id="U+0000 as it is shown"),
        pytest.param("one\0two", "one\0two", True, id="U+0000 and all of it"),
        pytest.param("one\0two", "TWO", True, id="what stands behind U+0000"),
        pytest.param("one", "one\0", False, id="no more than what was told"),
    ],
)
async def test_a_part_of_a_text_is_found_in_the_same_cases_by_every_engine(
    at: At, told: str, asked: str, found: int
) -> None:
    note = DroppedEvent(message_id="n", preset=None, outcome=Outcome.REFUSED, reason=told)
    await at.enqueue(new(message_id="m", warnings=(told,)), dropped=(note,))
    await at.dead_letter(new(message_id="d"), reason=told)
    assert await _deliveries(at, Query(warning=asked)) == ["m"] * found
    assert await _dropped(at, Query(reason=asked)) == ["n"] * found
    assert await _deliveries(at, Query(reason=asked)) == ["d"] * found
    assert await _deliveries(at, Query(cause=asked)) == ["d"] * (kept(asked) == kept(told))


async def test_what_has_a_text_with_u_0000_is_known_by_it_in_every_way(at: At) -> None:
    """No engine keeps it, and none asks for what it does not keep."""
    ids: dict[str, Any] = {"message_id": "m\0", "event_id": "e\0", "order_id": "o\0", "name": "n\0", "source": "s\0"}
    await at.enqueue(new(**ids))
    await at.kill(*await at.claim(), reason="a\0; b")
    for asked in (*({name: text} for name, text in ids.items()), {"cause": "a\0; b"}):
        assert await _deliveries(at, Query(**asked)) == ["m\ufffd"], asked
        assert await _deliveries(at, Query(state=State.DEAD, **asked)) == ["m\ufffd"], asked
    assert (await at.outbox.message("m\0")).deliveries
    assert [each.reason for each in await at.outbox.dead_letters.causes(limit=9)] == ["a\ufffd; b"]
    (again,) = await at.enqueue(new(**ids | {"message_id": "again"}))
    assert (again.outcome, again.reason) == (Outcome.ENQUEUED, "")
    assert (await at.outbox.dead_letters.redrive(Query(cause="a\0; b"), now=at.now)).waiting == 1


async def test_notes_are_found_though_the_clock_stepped_back_after_them(at: At) -> None:
    for place, after_s in enumerate((0, 10, -700)):
        note = DroppedEvent(message_id=f"n{place}", preset=None, outcome=Outcome.REFUSED, reason="r")
        await at.later(after_s).enqueue(dropped=(note,))
    assert await _dropped(at, Query()) == ["n2", "n1", "n0"]
    assert await _dropped(at, Query(since=NOW - 1_000)) == ["n2", "n1", "n0"]
    assert await _dropped(at, Query(message_id="n0")) == ["n0"]


async def test_notes_are_paged_without_gap_or_overlap(at: At) -> None:
    dropped = (
        DroppedEvent(message_id=f"{n}", preset=None, outcome=Outcome.REFUSED, reason="r", order_id="o")
        for n in range(5)
    )
    await at.enqueue(dropped=tuple(dropped))
    first = await at.outbox.search_dropped(Query(), limit=2)
    second = await at.outbox.search_dropped(Query(), limit=2, cursor=first.next_cursor)
    third = await at.outbox.search_dropped(Query(), limit=2, cursor=second.next_cursor)
    pages = [[note.message_id for _, note in page.events] for page in (first, second, third)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    assert third.next_cursor is None


async def test_a_store_without_notes_shows_an_empty_page(at: At) -> None:
    page = await at.outbox.search_dropped(Query(order_id="o"), limit=2)
    assert (page.events, page.next_cursor, page.scanned) == ((), None, None)


async def test_an_order_found_however_many_deliveries_came_after_it(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SCAN_ROWS", 2)
    note = DroppedEvent(message_id="n", preset="p", outcome=Outcome.DUPLICATE, reason="r", order_id="o")
    await at.enqueue(new(message_id="m", order_id="o"), dropped=(note,))
    others = tuple(DroppedEvent(message_id=f"{n}", preset="p", outcome=Outcome.REFUSED, reason="r") for n in range(5))
    await at.enqueue(*(new(order_id=f"o{n}") for n in range(5)), dropped=others)
    assert (await _deliveries(at, Query(order_id="o")), await _dropped(at, Query(order_id="o"))) == (["m"], ["n"])


async def test_what_no_index_leads_to_is_looked_for_step_by_step(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SCAN_ROWS", 2)
    rare = DroppedEvent(message_id="n", preset="p", outcome=Outcome.INVALID, reason="rare")
    others = tuple(DroppedEvent(message_id=f"{n}", preset="p", outcome=Outcome.REFUSED, reason="r") for n in range(4))
    await at.enqueue(dropped=(rare, *others))
    steps: list[tuple[list[str], int | None]] = []
    cursor: str | None = None
    while not steps or cursor is not None:
        page = await at.outbox.search_dropped(Query(reason="rare"), limit=10, cursor=cursor)
        steps.append(([note.message_id for _, note in page.events], page.scanned))
        cursor = page.next_cursor
    assert steps == [([], 2), ([], 2), (["n"], None)]


@pytest.mark.parametrize("since", [NOW - 1, *(NOW + hour * HOUR_S for hour in range(8)), NOW + DAY_S])
async def test_since_a_moment_means_the_same_as_counting_one_by_one(
    at: At, since: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than that is looked at: however little a page may look at, there is no next one."""
    for hour in range(8):
        note = DroppedEvent(message_id=f"{hour}", preset=None, outcome=Outcome.REFUSED, reason="r")
        await at.later(hour * HOUR_S).enqueue(new(message_id=f"{hour}"), dropped=(note,))
    expected = [f"{hour}" for hour in range(8) if NOW + hour * HOUR_S >= since]
    monkeypatch.setattr(search, "SCAN_ROWS", max(1, len(expected)))
    assert await _deliveries(at, Query(since=since)) == expected[::-1]
    assert await _dropped(at, Query(since=since)) == expected[::-1]


@pytest.mark.parametrize("asked", [{"state": State.DEAD}, {"message_id": "again"}, {"order_id": "SO-1"}], ids=str)
async def test_what_began_again_since_a_moment_found_though_younger_ones_are_older(
    at: At, asked: dict[str, Any]
) -> None:
    """A redrive begins a delivery again: then a filter finds it where a redrive by the same filter would."""
    await at.dead_letter(new(message_id="again", order_id="SO-1"))
    await at.enqueue(new(message_id="old"))
    await at.deliver(*await at.claim())
    later = at.later(HOUR_S)
    await later.outbox.dead_letters.redrive(Query(), now=later.now)
    await later.kill(*await later.claim())
    query = Query(since=NOW + 1, **asked)
    assert await _deliveries(at, query) == ["again"]
    assert (await later.outbox.dead_letters.redrive(query, now=later.now)).redriven == 1


async def test_a_message_that_was_noted_under_many_exits_shows_them_oldest_first(at: At) -> None:
    outcomes = (Outcome.REFUSED, Outcome.INVALID, Outcome.DUPLICATE)
    await at.enqueue(
        dropped=tuple(DroppedEvent(message_id="m", preset=None, outcome=outcome, reason="r") for outcome in outcomes)
    )
    assert [note.outcome for _, note in (await at.outbox.message("m")).dropped_events] == list(outcomes)


@pytest.mark.slow
async def test_pages_lead_on_and_back_without_gap_or_overlap(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    """In either order, also where only some rows are looked at for a page."""
    for second in range(40):
        of: dict[str, Any] = {"name": "Odd" if second % 7 == 3 else "Even", "order_id": "SO-1" if second % 3 else None}
        note = DroppedEvent(message_id=f"n{second}", preset=None, outcome=Outcome.INVALID, reason="r", **of)
        await at.later(second).enqueue(new(event_name="lead", **of), dropped=(note,))
    await at.kill(*(await at.claim())[::5])
    queries = Query(), Query(state=State.DEAD), Query(name="Odd"), Query(order_id="SO-1"), Query(since=NOW + 30)
    searches: list[tuple[Any, str]] = [(at.outbox.search, "deliveries"), (at.outbox.search_dropped, "events")]
    cases = [(query, *each) for query in queries for each in searches]
    every = [getattr(await find(query, limit=99), rows) for query, find, rows in cases]
    monkeypatch.setattr(search, "SCAN_ROWS", 9)
    for (query, find, rows), newest_first in zip(cases, every, strict=True):
        for oldest_first in (False, True):
            pages = [await find(query, limit=4, oldest_first=oldest_first)]
            while (cursor := pages[-1].next_cursor) is not None:
                pages.append(await find(query, limit=4, cursor=cursor, oldest_first=oldest_first))
            assert pages[0].prev_cursor is None
            full = [page for page in pages if getattr(page, rows)]
            walked = [each for page in full for each in getattr(page, rows)]
            assert walked == list(newest_first)[:: -1 if oldest_first else 1], (query, rows, oldest_first)
            back, cursor = list(getattr(full[-1], rows)) if full else [], full[-1].prev_cursor if full else None
            while cursor is not None:
                page = await find(query, limit=4, cursor=cursor, oldest_first=oldest_first)
                back, cursor = [*getattr(page, rows), *back], page.prev_cursor
            assert back == walked, (query, rows, oldest_first)
