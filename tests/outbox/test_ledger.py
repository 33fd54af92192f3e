"""What people look at: search, one delivery, one message, the backlog."""

import pytest

from app.core.deliveries import State
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Backlog, Message, Page, Query
from tests.outbox.build import ACCOUNT, NOW, At, new, payload, retry


async def _message_ids(at: At, query: Query) -> list[str]:
    page = await at.outbox.search(query, limit=100)
    return [delivery.message_id for delivery in page.deliveries]


async def test_deliveries_are_found_newest_first(at: At) -> None:
    await at.enqueue(new(message_id="a"), new(message_id="b"))
    await at.later(1).enqueue(new(message_id="c"))
    assert await _message_ids(at, Query()) == ["c", "b", "a"]


async def test_pages_follow_each_other_without_gap_or_overlap(at: At) -> None:
    await at.enqueue(*(new(message_id=f"{n}") for n in range(5)))
    first = await at.outbox.search(Query(), limit=2)
    second = await at.outbox.search(Query(), limit=2, cursor=first.next_cursor)
    third = await at.outbox.search(Query(), limit=2, cursor=second.next_cursor)
    pages = [[delivery.message_id for delivery in page.deliveries] for page in (first, second, third)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    assert third.next_cursor is None


async def test_a_last_page_that_is_full_has_no_successor(at: At) -> None:
    await at.enqueue(new(), new())
    assert (await at.outbox.search(Query(), limit=2)).next_cursor is None


async def test_an_empty_outbox_shows_an_empty_page(at: At) -> None:
    assert await at.outbox.search(Query(), limit=10) == Page(deliveries=())


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        *[("1", True), ("001", True), ("0", False), ("2", False), ("", False), ("-1", False), ("+1", False)],
        *[(" 1", False), ("1 ", False), ("1\n", False), ("1.0", False), ("1e0", False), ("1_0", False), ("0x1", False)],
        *[("\u0661", False), ("\uff11", False), ("\u00b9", False), ("1\0", False), ("9" * 25, False)],
        pytest.param("9" * 5_000, False, id="more digits than Python reads"),
    ],
    ids=ascii,
)
async def test_every_engine_reads_the_same_ids(at: At, text: str, is_id: bool) -> None:  # noqa: FBT001 - a row of a table
    await at.enqueue(new(message_id="m"))
    assert await _message_ids(at, Query(delivery_id=text)) == ["m"] * is_id
    assert (await at.outbox.delivery(text) is not None) == is_id
    await at.kill(*await at.claim())
    assert (await at.outbox.dead_letters.redrive(Query(delivery_id=text), now=NOW)).redriven == is_id
    page = await at.outbox.search(Query(), limit=10, cursor=text)
    leaves_it_out = {"1", "001", "0", "-1"}  # it begins behind this id, or ends before it; others begin at the newest
    assert len(page.deliveries) == (text not in leaves_it_out)


async def test_a_cursor_that_is_none_begins_at_the_newest(at: At) -> None:
    await at.enqueue(new(message_id="m"))
    page = await at.outbox.search(Query(), limit=10, cursor="no cursor")
    assert [delivery.message_id for delivery in page.deliveries] == ["m"]


FOUND: list[tuple[Query, list[str]]] = [
    (Query(message_id="m1"), ["m1"]),
    (Query(event_id="e2"), ["m2"]),
    (Query(preset="p1"), ["m1"]),
    (Query(ad_account_id=ACCOUNT), ["m3", "m2", "m1"]),
    (Query(ad_account_id="7"), []),
    (Query(ad_account_id="7", state=State.DEAD), []),
    (Query(state=State.PENDING), ["m3"]),
    (Query(state=State.DEAD), ["m2"]),
    (Query(state=State.DELIVERED), ["m1"]),
    (Query(reason="Malformed"), ["m2"]),
    (Query(reason="503"), ["m3"]),
    (Query(reason="%"), []),
    (Query(reason="malformed", state=State.DEAD, preset="p2"), ["m2"]),
    (Query(reason="malformed", state=State.DELIVERED), []),
    (Query(message_id="m1", event_id="e2"), []),
    (Query(delivery_id="no id"), []),
    (Query(delivery_id="99999999999999999999"), []),
]


async def test_all_conditions_of_a_query_hold(at: At) -> None:
    names = ("1", "2", "3")
    await at.enqueue(*(new(message_id=f"m{n}", event_id=f"e{n}", preset=f"p{n}") for n in names))
    first, second, third = await at.claim()
    await at.deliver(first)
    await at.kill(second, reason="em is malformed")
    await at.settle(retry(third, NOW + 5, "503 busy"))
    assert [(query, await _message_ids(at, query)) for query, _ in FOUND] == FOUND


async def test_one_delivery_is_found_by_its_id(at: At) -> None:
    await at.enqueue(new(message_id="m"))
    (listed,) = (await at.outbox.search(Query(), limit=1)).deliveries
    delivery = await at.delivery(listed.delivery_id)
    assert (delivery.message_id, delivery.history) == ("m", ())
    assert delivery.payload == new().payload
    assert listed.payload is None


async def test_there_is_no_delivery_of_an_unknown_id(at: At) -> None:
    assert await at.outbox.delivery("1") is None


async def test_a_message_shows_its_notes_and_its_deliveries_oldest_first(at: At) -> None:
    refused = DroppedEvent(message_id="m", preset=None, outcome=Outcome.REFUSED, reason="no type")
    invalid = DroppedEvent(
        message_id="m", preset="lead", outcome=Outcome.INVALID, reason="no id", warnings=("w",), ad_account_id="1"
    )
    other = DroppedEvent(message_id="other", preset=None, outcome=Outcome.REFUSED, reason="no type")
    await at.enqueue(new(message_id="m", preset="a"), new(message_id="m", preset="b"), dropped=(refused, other))
    await at.later(1).enqueue(new(), dropped=(invalid,))
    message = await at.outbox.message("m")
    assert message.dropped_events == ((NOW, refused), (NOW + 1, invalid))
    assert [delivery.preset for delivery in message.deliveries] == ["a", "b"]


async def test_nothing_became_of_an_unknown_message(at: At) -> None:
    assert await at.outbox.message("m") == Message(message_id="m", dropped_events=(), deliveries=())


async def test_an_empty_backlog_has_no_oldest(at: At) -> None:
    assert await at.outbox.backlog(ACCOUNT, now=NOW) == Backlog()


async def test_the_backlog_counts_what_waits_and_what_is_dead(at: At) -> None:
    await at.enqueue(*(new() for _ in range(6)), new(ad_account_id="other"))
    first, second, third = await at.claim(limit=3)
    await at.deliver(first)
    await at.kill(second)
    await at.later(1).enqueue(new())
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert backlog == Backlog(pending=4, claimed=1, dead=1, size_bytes=5 * len(payload()), oldest_at=NOW)
    await at.deliver(third, *await at.claim(limit=3))
    assert (await at.outbox.backlog(ACCOUNT, now=NOW)).oldest_at == NOW + 1


async def test_what_an_order_is_known_by_is_kept_of_deliveries_and_of_duplicates(at: At) -> None:
    known = {"source": "shop", "amount": "12.50", "currency": "EUR", "order_id": "o"}
    first = new(message_id="first", checkout_id="c", buyer=("0" * 64,), **known)
    await at.enqueue(first, new(message_id="second", **known))
    delivery = await at.only_delivery("first")
    ((_, note),) = (await at.outbox.message("second")).dropped_events
    assert {name: getattr(delivery, name) for name in known} == known
    assert delivery.checkout_id == "c"
    assert {name: getattr(note, name) for name in known} == known
    assert (note.event_name, note.ad_account_id) == ("checkout", ACCOUNT)
