"""Redrive: dead deliveries are sent again, once, and never beside their replay."""

import pytest

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.pages import Query, Redrive
from tests.outbox.build import DAY_S, HOUR_S, NOW, At, new

ALL = Query()


async def test_a_redriven_delivery_begins_again_and_keeps_its_history(at: At) -> None:
    delivery_id = await at.dead_letter(new(message_id="m"))
    later = at.later(HOUR_S)
    assert (await later.outbox.dead_letters.redrive(ALL, now=later.now)).redriven == 1
    delivery = await at.delivery(delivery_id)
    assert (delivery.state, delivery.attempts, delivery.reason) == (State.PENDING, 0, "")
    assert (delivery.enqueued_at, delivery.due_at, delivery.settled_at) == (later.now, later.now, None)
    assert [attempt.result for attempt in delivery.history] == [Outcome.REJECTED]
    (claimed,) = await later.claim()
    assert (claimed.message_id, claimed.attempt, claimed.enqueued_at) == ("m", 1, later.now)
    await later.deliver(claimed)
    history = (await at.outbox.message("m")).deliveries[0].history
    assert [(attempt.number, attempt.result) for attempt in history] == [(1, Outcome.REJECTED), (1, Outcome.DELIVERED)]


async def test_redriving_twice_changes_nothing_more(at: At) -> None:
    await at.dead_letter(new())
    assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 1
    assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 0
    assert len(await at.claim()) == 1


async def test_only_dead_deliveries_are_redriven(at: At) -> None:
    await at.enqueue(new(message_id="delivered"))
    await at.deliver(*await at.claim())
    await at.enqueue(new(message_id="pending"))
    assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 0
    assert (await at.outbox.dead_letters.redrive(Query(state=State.PENDING), now=NOW)).redriven == 0


@pytest.mark.parametrize(
    "query",
    [
        Query(message_id="m1"),
        Query(event_id="e1"),
        Query(preset="p1"),
        Query(reason="MALFORMED"),
        Query(reason="malformed", preset="p1", state=State.DEAD),
    ],
    ids=lambda query: ", ".join(name for name in query.__slots__ if getattr(query, name)),
)
async def test_a_filter_chooses_what_is_redriven(at: At, query: Query) -> None:
    chosen = await at.dead_letter(new(message_id="m1", event_id="e1", preset="p1"), "em is malformed")
    other = await at.dead_letter(new(message_id="m2", event_id="e2", preset="p2"), "too old")
    assert (await at.outbox.dead_letters.redrive(query, now=NOW)).redriven == 1
    assert ((await at.delivery(chosen)).state, (await at.delivery(other)).state) == (State.PENDING, State.DEAD)


async def test_one_delivery_is_redriven_by_its_id(at: At) -> None:
    chosen, other = await at.dead_letter(new()), await at.dead_letter(new())
    assert (await at.outbox.dead_letters.redrive(Query(delivery_id=chosen), now=NOW)).redriven == 1
    assert ((await at.delivery(chosen)).state, (await at.delivery(other)).state) == (State.PENDING, State.DEAD)


@pytest.mark.parametrize(
    ("key", "remembered_s"), [({"event_id": "e"}, DAY_S), ({"order_id": "o"}, 30 * DAY_S)], ids=["event", "order"]
)
async def test_a_redriven_delivery_takes_its_keys_again(at: At, key: dict[str, str], remembered_s: float) -> None:
    await at.dead_letter(new(**key))
    later = at.later(HOUR_S)
    await at.outbox.dead_letters.redrive(ALL, now=later.now)
    (within,) = await later.later(remembered_s - 1).enqueue(new(**key))
    (after,) = await later.later(remembered_s).enqueue(new(**key))
    assert (within.outcome, after.outcome) == (Outcome.DUPLICATE, Outcome.ENQUEUED)


@pytest.mark.parametrize("key", [{"event_id": "e"}, {"order_id": "o"}], ids=["event", "order"])
async def test_a_delivery_whose_replay_waits_stays_dead_and_says_why(at: At, key: dict[str, str]) -> None:
    delivery_id = await at.dead_letter(new(**key), "em is malformed")
    await at.enqueue(new(**key))
    for _ in range(2):
        assert await at.outbox.dead_letters.redrive(ALL, now=NOW) == Redrive(waiting=1)
    delivery = await at.delivery(delivery_id)
    assert delivery.state is State.DEAD
    assert delivery.reason.startswith("em is malformed; not redriven: the same event was sent again as delivery ")
    assert delivery.reason.count("not redriven") == 1


async def test_of_two_dead_deliveries_of_one_event_the_newer_is_sent(at: At) -> None:
    older = await at.dead_letter(new(event_id="e"))
    newer = await at.dead_letter(new(event_id="e"))
    assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 1
    assert ((await at.delivery(older)).state, (await at.delivery(newer)).state) == (State.DEAD, State.PENDING)


async def test_the_store_does_not_swallow_a_redriven_delivery_as_its_own_duplicate(at: At) -> None:
    await at.dead_letter(new(event_id="e"))
    for _ in range(3):
        assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 1
        await at.kill(*await at.claim())


@pytest.mark.slow
async def test_thousands_are_redriven_in_one_call(at: At) -> None:
    await at.enqueue(*(new() for _ in range(2_500)))
    await at.kill(*await at.claim(limit=2_500))
    assert (await at.outbox.dead_letters.redrive(ALL, now=NOW)).redriven == 2_500
    assert len(await at.claim(limit=2_500)) == 2_500
