"""What was received since a moment is found, in whatever order times and ids are."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.deliveries import Delivery
from app.core.events import DroppedEvent, Outcome
from app.core.pages import Query
from app.outbox import open_outbox, open_store
from tests.outbox.build import HOUR_S, NOW, At, new, rules
from tests.rounds import examples

#: What happens, and by how much the clock moves before it.
Step: TypeAlias = tuple[str, float]
HELD_S = 300
#: More than an engine sums up at once.
IDS_APART = 100_000

HISTORIES: dict[str, list[Step]] = {
    "the clock stepped back": [("come", 0), ("come", HOUR_S), ("come", -2 * HOUR_S), ("come", 60), ("come", 60)],
    "some were held": [("held", 0), ("come", 1), ("come", 1), ("come", 1), ("come", 1), ("come", 1)],
    "an old one began again": [("die", 0), ("come", 60), ("deliver", 1), ("redrive", HOUR_S), ("deliver", 1)],
    "what began again dies again": [("die", 0), ("come", 60), ("redrive", HOUR_S), ("die", 60), ("come", 60)],
    "one began again after times were summed up": [
        *[("die", 0), ("come", 60), ("apart", 0), ("come", 60), ("apart", 0), ("come", 60)],
        *[("retain", 60), ("redrive", HOUR_S), ("come", -HOUR_S / 2), ("deliver", 1), ("retain", 60), ("come", 60)],
    ],
    "the clock stepped back after times were summed up": [
        *[("come", 0), ("come", HOUR_S), ("apart", 0), ("come", -2 * HOUR_S), ("apart", 0), ("come", 1)],
        *[("retain", 60), ("come", 60), ("come", 60)],
    ],
    "what was latest is forgotten": [
        *[("come", 0), ("apart", 0), ("come", HOUR_S), ("deliver", 60), ("apart", 0), ("come", -HOUR_S / 2)],
        *[("retain", 60), ("come", 60), ("retain", 2 * HOUR_S), ("come", 1)],
    ],
}


async def _take(at: At, url: str, kind: str, number: int) -> None:
    if kind in ("come", "held"):
        note = DroppedEvent(message_id=f"{number}", preset=None, outcome=Outcome.REFUSED, reason="r")
        await at.enqueue(new(order_id=f"{number}", hold_s=HELD_S if kind == "held" else 0), dropped=(note,))
    elif kind == "die":
        await at.enqueue(new(order_id=f"{number}"))
        await at.kill(*await at.claim())
    elif kind == "deliver":
        await at.deliver(*await at.claim())
    elif kind == "redrive":
        await at.outbox.dead_letters.redrive(Query(), now=at.now)
    elif kind == "retain":
        await at.retain_all()
    else:
        store = open_store(url)
        delivery, dropped_event_id = await store.highest_ids()
        await store.begin_ids_above(delivery + IDS_APART, dropped_event_id)
        await store.close()


async def _walk(at: At, query: Query) -> list[Delivery]:
    """All that a search leads to, page by page, as long as a page leads on."""
    found: list[Delivery] = []
    cursor: str | None = None
    while True:
        page = await at.outbox.search(query, limit=2, cursor=cursor)
        found += page.deliveries
        if (cursor := page.next_cursor) is None:
            return found


async def _finds_all(url: str, history: Sequence[Step]) -> None:
    at = At(open_outbox(url, rules(order_scope="none", ledger_delivered_s=HOUR_S), clock=lambda: NOW))
    try:
        for number, (kind, passed_s) in enumerate(history):
            at = at.later(passed_s)
            await _take(at, url, kind, number)
        whole = await _walk(at, Query())
        noted = (await at.outbox.search_dropped(Query(), limit=100)).events
        for since in {moment + more for moment in {each.enqueued_at for each in whole} for more in (0, 1)}:
            expected = [each.delivery_id for each in whole if each.enqueued_at >= since]
            assert [each.delivery_id for each in await _walk(at, Query(since=since))] == expected, since
            bounded = [each.delivery_id for each in await _walk(at, Query(since=since, until=since + HOUR_S))]
            assert bounded == [each.delivery_id for each in whole if since <= each.enqueued_at < since + HOUR_S], since
            orders = (await at.outbox.orders(dropped=False, since=since, limit=100)).rows
            assert [row.order_id for row in orders] == [each.order_id for each in whole if each.enqueued_at >= since][
                ::-1
            ]
            found = (await at.outbox.search_dropped(Query(since=since), limit=100)).events
            assert found == tuple(each for each in noted if each[0] >= since), since
    finally:
        await at.outbox.close()


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
async def test_what_was_received_since_a_moment_is_found_though(outbox_url: str, history: list[Step]) -> None:
    await _finds_all(outbox_url, history)


@pytest.mark.slow
@pytest.mark.prove
def test_whatever_happened_it_is_found(empty_store: Callable[[], AbstractContextManager[str]]) -> None:
    kinds = st.sampled_from(["come", "come", "held", "die", "deliver", "redrive", "retain", "apart"])
    moves = st.sampled_from([0.0, 1.0, 60.0, HELD_S + 1.0, HOUR_S, -1.0, -HELD_S - 1.0, -2 * HOUR_S])

    @settings(max_examples=examples(30), deadline=None)
    @given(history=st.lists(st.tuples(kinds, moves), min_size=5, max_size=20))
    def check(history: list[Step]) -> None:
        with empty_store() as url:
            asyncio.run(_finds_all(url, history))

    check()
