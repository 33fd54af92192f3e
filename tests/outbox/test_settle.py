"""Settle: results are recorded once, by whoever holds the claim."""

import json
from collections.abc import Callable

import pytest

from app.core.deliveries import Attempt, Delivered, Retry, Settlement, State
from app.core.events import Outcome
from app.core.pages import Query
from app.core.shared_values import SET_ASIDE
from tests.outbox.build import (
    ACCOUNT,
    DAY_S,
    NOW,
    At,
    blocked,
    dead,
    delivered,
    given_back,
    new,
    payload,
    retry,
    settlement,
)


async def test_a_delivered_event_is_final(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.later(2).settle(delivered(claimed, warning="em looks odd"))
    shown = await at.delivery(claimed.delivery_id)
    assert (shown.state, shown.reason, shown.due_at, shown.settled_at) == (State.DELIVERED, "", None, NOW + 2)
    assert shown.history == (
        Attempt(number=1, at=NOW + 2, result=Outcome.DELIVERED, status=200, message="em looks odd"),
    )
    assert await at.later(DAY_S).claim() == []


async def test_a_dead_event_shows_the_words_of_pinterest(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(dead(claimed, "em is malformed"))
    shown = await at.delivery(claimed.delivery_id)
    assert (shown.state, shown.reason, shown.settled_at) == (State.DEAD, "em is malformed", NOW)
    assert shown.history == (Attempt(number=1, at=NOW, result=Outcome.REJECTED, status=422, message="em is malformed"),)
    assert await at.later(DAY_S).claim() == []


async def test_a_retry_waits_with_its_reason(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(retry(claimed, NOW + 8, "503 busy"))
    shown = await at.delivery(claimed.delivery_id)
    assert (shown.state, shown.reason, shown.attempts) == (State.PENDING, "503 busy", 1)
    assert (shown.due_at, shown.settled_at) == (NOW + 8, None)


async def test_a_retry_that_was_the_last_is_dead(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(settlement(claimed, Retry(reason="no answer"), State.DEAD))
    shown = await at.delivery(claimed.delivery_id)
    assert (shown.state, shown.reason) == (State.DEAD, "no answer")
    assert shown.history == (Attempt(number=1, at=NOW, result=Outcome.RETRY, status=None, message="no answer"),)


async def test_the_history_holds_every_try_and_no_more(at: At) -> None:
    await at.enqueue(new())
    for moment, settle in enumerate([retry, blocked, given_back, retry]):
        (claimed,) = await at.claim()
        await at.later(moment).settle(settle(claimed, NOW))
    history = (await at.delivery(claimed.delivery_id)).history
    assert [(attempt.number, attempt.at - NOW, attempt.result) for attempt in history] == [
        (1, 0, Outcome.RETRY),
        (2, 1, Outcome.BLOCKED),
        (2, 3, Outcome.RETRY),
    ]


@pytest.mark.parametrize("tries", [0, 2])
@pytest.mark.parametrize("result", [Delivered(), Delivered(warning="em looks odd"), Delivered(status=422)])
async def test_the_attempt_that_delivered_is_in_the_history_and_found(at: At, result: Delivered, tries: int) -> None:
    await at.enqueue(new())
    for _ in range(tries):
        await at.settle(*(retry(each, NOW) for each in await at.claim()))
    (claimed,) = await at.claim()
    await at.later(5).settle(settlement(claimed, result, State.DELIVERED))
    *earlier, last = (await at.delivery(claimed.delivery_id)).history
    assert [each.result for each in earlier] == [Outcome.RETRY] * tries
    assert last == Attempt(
        number=tries + 1, at=NOW + 5, result=Outcome.DELIVERED, status=result.status, message=result.warning
    )
    asked = {
        Query(outcome=Outcome.DELIVERED): True,
        Query(outcome=Outcome.DELIVERED, status=200): result.status == 200,
        Query(status=422): result.status == 422,
        Query(outcome=Outcome.DELIVERED, since=NOW + 5, until=NOW + 6): True,
        Query(outcome=Outcome.DELIVERED, since=NOW + 6): False,
        Query(outcome=Outcome.DELIVERED, until=NOW + 5): False,
        Query(outcome=Outcome.RETRY): tries > 0,
        Query(outcome=Outcome.REJECTED): False,
    }
    found = {query: bool((await at.outbox.search(query, limit=9)).deliveries) for query in asked}
    assert found == asked


async def test_of_a_batch_that_was_partly_lost_the_rest_is_delivered(at: At) -> None:
    await at.enqueue(new(), new())
    kept, lost = await at.claim(lease_s=10)
    await at.outbox.renew([kept], lease_s=100, now=NOW)
    (held,) = await at.later(10).claim()
    before = await at.delivery(lost.delivery_id)
    await at.later(11).settle(delivered(kept, warning="odd"), delivered(lost, warning="odd"))
    await at.later(12).settle(delivered(lost))
    assert (await at.delivery(kept.delivery_id)).state is State.DELIVERED
    assert await at.delivery(lost.delivery_id) == before
    assert (held.delivery_id, before.payload) == (lost.delivery_id, lost.payload)
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.claimed) == (0, 1)


async def test_a_claim_that_was_lost_changes_nothing(at: At) -> None:
    await at.enqueue(new())
    (lost,) = await at.claim(lease_s=10)
    (held,) = await at.later(10).claim()
    before = await at.delivery(held.delivery_id)
    await at.later(11).settle(dead(lost))
    assert await at.delivery(held.delivery_id) == before
    await at.later(12).deliver(held)
    await at.later(13).settle(dead(held), dead(lost))
    assert (await at.delivery(held.delivery_id)).state is State.DELIVERED


@pytest.mark.parametrize("settle", [delivered, dead, retry])
async def test_of_two_claims_for_a_delivery_only_the_one_that_holds_is_noted(
    at: At, settle: Callable[..., Settlement]
) -> None:
    await at.enqueue(new())
    (lost,) = await at.claim(lease_s=10)
    (held,) = await at.later(10).claim()
    first, second = delivered(lost, warning="lost"), delivered(lost, warning="lost too")
    with_words = settle(held, "held") if settle is not retry else retry(held, NOW + 20)
    for batch in ([first, with_words], [with_words, second]):
        await at.later(11).settle(*batch)
    history = (await at.delivery(held.delivery_id)).history
    assert [each.number for each in history] == [1, 2]
    assert {each.message for each in history[1:]} & {"lost", "lost too"} == set()
    state = (await at.delivery(held.delivery_id)).state
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    counts = {State.PENDING: backlog.pending, State.CLAIMED: backlog.claimed, State.DEAD: backlog.dead}
    assert counts == {each: int(each is state) for each in counts}
    assert await SET_ASIDE.read_all(at.outbox) == {}


async def test_an_expired_claim_that_nobody_took_over_still_settles(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim(lease_s=10)
    await at.later(100).deliver(claimed)
    assert (await at.delivery(claimed.delivery_id)).state is State.DELIVERED


async def test_the_members_of_a_batch_settle_each_for_itself(at: At) -> None:
    await at.enqueue(*(new() for _ in range(4)))
    first, second, third, fourth = await at.claim()
    await at.settle(delivered(first), dead(second), retry(third, NOW + 5), given_back(fourth, NOW))
    backlog = await at.outbox.backlog(ACCOUNT, now=NOW)
    assert (backlog.pending, backlog.claimed, backlog.dead) == (2, 0, 1)


async def test_a_delivery_settled_twice_in_one_call_has_one_attempt(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(delivered(claimed), delivered(claimed))
    assert len((await at.delivery(claimed.delivery_id)).history) == 1


async def test_the_payload_of_a_delivered_event_is_erased(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    assert (await at.delivery(claimed.delivery_id)).payload == claimed.payload
    await at.deliver(claimed)
    assert (await at.delivery(claimed.delivery_id)).payload is None


async def test_a_payload_that_is_kept_longer_loses_ip_address_and_user_agent(open_at: Callable[..., At]) -> None:
    at = open_at(payload_s=DAY_S)
    await at.enqueue(new(payload=payload(client_ip_address="192.0.2.7", client_user_agent="Mozilla", ct="c" * 64)))
    (claimed,) = await at.claim()
    await at.deliver(claimed)
    kept = (await at.delivery(claimed.delivery_id)).payload
    assert kept is not None
    assert json.loads(kept) == json.loads(payload(ct="c" * 64))


async def test_the_payload_of_a_dead_event_is_kept_whole_for_its_redrive(at: At) -> None:
    whole = payload(client_ip_address="192.0.2.7", client_user_agent="Mozilla")
    delivery_id = await at.dead_letter(new(payload=whole))
    assert (await at.delivery(delivery_id)).payload == whole


@pytest.mark.parametrize("key", [{"event_id": "e"}, {"order_id": "o"}], ids=["event", "order"])
async def test_a_dead_delivery_releases_its_keys(at: At, key: dict[str, str]) -> None:
    await at.dead_letter(new(**key))
    (answer,) = await at.enqueue(new(**key))
    assert answer.outcome is Outcome.ENQUEUED


async def test_a_dead_delivery_releases_no_key_that_another_holds(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    (old,) = await at.claim()
    after_window = at.later(DAY_S)
    await after_window.enqueue(new(event_id="e"))
    await after_window.kill(old)
    (answer,) = await after_window.enqueue(new(event_id="e"))
    assert answer.outcome is Outcome.DUPLICATE


async def test_a_delivered_event_keeps_its_keys(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    await at.deliver(*await at.claim())
    (answer,) = await at.later(1).enqueue(new(event_id="e"))
    assert answer.outcome is Outcome.DUPLICATE


async def test_nothing_at_all_can_be_settled(at: At) -> None:
    await at.settle()


async def test_the_status_of_pinterest_is_kept(at: At) -> None:
    await at.enqueue(new())
    (claimed,) = await at.claim()
    await at.settle(settlement(claimed, Delivered(status=207), State.DELIVERED))
    assert (await at.delivery(claimed.delivery_id)).history[0].status == 207
