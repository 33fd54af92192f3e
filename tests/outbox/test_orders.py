"""One order is sent once, whoever sends it: what the engines keep of orders, and for how long."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.core.consent import order_key
from app.core.deliveries import State, Withdrawal
from app.core.events import CounterRow, Outcome
from app.core.pages import Query
from tests.outbox.build import ACCOUNT, DAY_S, NOW, At, new

ANN, BEN = "a" * 64, "b" * 64
LEDGER_S = 30 * DAY_S


def order(**changes: Any) -> Any:
    """An order of Ann's of 25 USD."""
    return new(**({"order_id": "SO-1", "buyer": (ANN,), "amount": "25", "currency": "USD"} | changes))


def of_ben(**changes: Any) -> Any:
    """Another order, which has the id of Ann's."""
    return order(**({"buyer": (BEN,), "amount": "30"} | changes))


async def outcomes(at: At, *deliveries: Any) -> list[Outcome]:
    """Enqueue them, one call each."""
    return [(await at.enqueue(delivery))[0].outcome for delivery in deliveries]


async def test_an_order_is_sent_once_whatever_source_and_preset_send_it(at: At) -> None:
    again = order(source="server", preset="order_completed")
    assert await outcomes(at, order(), again) == [Outcome.ENQUEUED, Outcome.DUPLICATE]


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("#1001", "1001", Outcome.DUPLICATE),
        ("1001", "#1001", Outcome.DUPLICATE),
        ("# 1001", "1001", Outcome.DUPLICATE),
        ("#1001", "#1001", Outcome.DUPLICATE),
        ("#1001", "1002", Outcome.ENQUEUED),
        ("1001", "1001.0", Outcome.DUPLICATE),
        ("1001.0", "#1001", Outcome.DUPLICATE),
        ("1001.0", "1001.5", Outcome.ENQUEUED),
        ("SO-1", "SO-1.0", Outcome.ENQUEUED),
        ("A#1", "A1", Outcome.ENQUEUED),
    ],
)
async def test_the_sign_before_a_number_makes_no_other_order(at: At, first: str, second: str, outcome: Outcome) -> None:
    """A tag writes `#1001` where the shop's webhook has 1001."""
    assert await outcomes(at, order(order_id=first), order(order_id=second)) == [Outcome.ENQUEUED, outcome]


async def test_another_order_behind_such_a_sign_is_told_once(at: At) -> None:
    await at.enqueue(order(order_id="#1001"))
    (answer,) = await at.enqueue(of_ben(order_id="#1001"))
    assert (answer.outcome, len(answer.warnings)) == (Outcome.ENQUEUED, 1)


async def test_a_dead_order_behind_such_a_sign_lets_go_of_its_number(at: At) -> None:
    await at.enqueue(order(order_id="#1001"))
    await at.kill(*await at.claim())
    assert await outcomes(at, order(order_id="1001")) == [Outcome.ENQUEUED]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"amount": "30"}, "; the total differs (25 USD then, 30 USD now)"),
        ({"buyer": (BEN,)}, "; the buyer differs"),
    ],
)
async def test_a_difference_is_told_with_the_duplicate(at: At, changes: dict[str, Any], told: str) -> None:
    await at.enqueue(order())
    (first,) = (await at.outbox.search(Query(), limit=1)).deliveries
    (answer,) = await at.enqueue(order(message_id="again", **changes))

    assert answer.outcome is Outcome.DUPLICATE
    assert answer.reason == f"the same order_id was taken before, as delivery {first.delivery_id}{told}"
    ((_, note),) = (await at.outbox.message("again")).dropped_events
    assert note.reason == answer.reason


async def test_another_buyer_with_another_total_is_another_order_with_a_warning(at: At) -> None:
    await at.enqueue(order())
    (answer,) = await at.enqueue(of_ben(message_id="ben", warnings=("currency: guessed",)))

    assert answer.outcome is Outcome.ENQUEUED
    (warning,) = answer.warnings
    assert warning.startswith("another order: its order_id came before, as delivery ")
    assert warning.endswith("(25 USD then, 30 USD now); both are sent")
    kept = await at.only_delivery("ben")
    assert kept.warnings == ("currency: guessed", warning)
    counters = [counter for _, counter in await at.outbox.counters(since=NOW - 60, step_s=0)]
    (told,) = (counter for counter in counters if counter.name == "warning")
    assert told == CounterRow(
        name="warning", preset="checkout", label="another order", ad_account_id=ACCOUNT, source="default"
    )


async def test_each_order_of_an_id_is_known_again_in_one_call_or_several(at: At) -> None:
    answers = await at.enqueue(order(), of_ben(), order(), of_ben())
    assert [answer.outcome for answer in answers] == [
        Outcome.ENQUEUED,
        Outcome.ENQUEUED,
        Outcome.DUPLICATE,
        Outcome.DUPLICATE,
    ]
    assert await outcomes(at, of_ben(), order()) == [Outcome.DUPLICATE, Outcome.DUPLICATE]


async def test_sources_with_ids_of_their_own_do_not_meet(open_at: Callable[..., At]) -> None:
    at = open_at(order_scope="source")
    south = [order(source="south"), order(source="south")]
    assert await outcomes(at, order(source="north"), *south) == [Outcome.ENQUEUED, Outcome.ENQUEUED, Outcome.DUPLICATE]


@pytest.mark.parametrize(
    "events",
    [
        [{"checkout_id": "c"}, {"checkout_id": "c", "order_id": "SO-1"}],
        [{"checkout_id": "c", "order_id": "SO-1"}, {"checkout_id": "c"}],
        # ... and the third is known by what the second told.
        [{"checkout_id": "c"}, {"checkout_id": "c", "order_id": "SO-1"}, {"order_id": "SO-1"}],
        [{"order_id": "SO-1"}, {"order_id": "SO-1", "checkout_id": "c"}, {"checkout_id": "c"}],
    ],
)
@pytest.mark.parametrize("in_one_call", [True, False])
async def test_a_checkout_id_joins_events_of_one_order(
    at: At,
    events: list[dict[str, str]],
    in_one_call: bool,  # noqa: FBT001 - a case
) -> None:
    deliveries = [new(**event) for event in events]
    found = [each.outcome for each in await at.enqueue(*deliveries)] if in_one_call else await outcomes(at, *deliveries)
    assert found == [Outcome.ENQUEUED] + [Outcome.DUPLICATE] * (len(events) - 1)


async def test_what_two_of_one_call_tell_of_one_key_is_learned_as_the_last_of_them_says_it(at: At) -> None:
    """The first tells of which checkout the order is, the second of which order that checkout is."""
    await at.enqueue(order(event_id="e"))
    told = [new(event_id="e", checkout_id="c"), order(checkout_id="c")]
    assert {answer.outcome for answer in await at.enqueue(*told)} == {Outcome.DUPLICATE}
    assert await outcomes(at, new(checkout_id="c"), order(order_id="SO-2", checkout_id="c")) == [
        Outcome.DUPLICATE,
        Outcome.ENQUEUED,
    ]


async def test_a_checkout_id_says_nothing_between_two_orders(at: At) -> None:
    first, second = new(checkout_id="c", order_id="SO-1"), new(checkout_id="c", order_id="SO-2")
    assert await outcomes(at, first, second) == [Outcome.ENQUEUED, Outcome.ENQUEUED]
    joined = [new(checkout_id="d"), new(checkout_id="d", order_id="SO-3"), new(checkout_id="d", order_id="SO-4")]
    assert await outcomes(at, *joined) == [Outcome.ENQUEUED, Outcome.DUPLICATE, Outcome.ENQUEUED]


async def test_orders_are_remembered_as_long_as_the_ledger_and_events_for_the_window(at: At) -> None:
    await at.enqueue(order(event_id="e", checkout_id="c"))
    asked = [order(), new(checkout_id="c"), new(event_id="e")]
    within = await at.later(LEDGER_S - 1).seen(*asked)
    after = await at.later(LEDGER_S).seen(*asked)

    assert [seen is not None for seen in within] == [True, True, False]
    assert after == [None, None, None]


async def test_retention_forgets_one_order_of_an_id_and_keeps_the_other(at: At) -> None:
    await at.enqueue(order())
    await at.later(DAY_S).enqueue(of_ben())
    late = at.later(LEDGER_S + 1)
    await late.retain_all()

    assert [seen is not None for seen in await late.seen(order(), of_ben())] == [True, True]
    assert await outcomes(late, of_ben(), order()) == [Outcome.DUPLICATE, Outcome.ENQUEUED]
    assert await outcomes(late, of_ben(), order()) == [Outcome.DUPLICATE, Outcome.DUPLICATE]


@pytest.mark.parametrize(
    ("event", "changes"),
    [(order(checkout_id="c"), {}), (order(checkout_id="c"), {"order_id": None, "checkout_id": "c"})],
)
async def test_a_dead_order_is_forgotten(at: At, event: Any, changes: dict[str, Any]) -> None:
    await at.dead_letter(event)
    assert await outcomes(at, order(**changes)) == [Outcome.ENQUEUED]


async def test_a_dead_order_lets_go_of_what_it_was_taught(at: At) -> None:
    await at.enqueue(new(checkout_id="c"))
    await at.enqueue(new(checkout_id="c", order_id="SO-1"))
    await at.kill(*await at.claim())

    assert await outcomes(at, new(order_id="SO-1"), new(checkout_id="c")) == [Outcome.ENQUEUED, Outcome.ENQUEUED]


async def test_the_death_of_one_order_of_an_id_leaves_the_other(at: At) -> None:
    await at.dead_letter(order())
    await at.enqueue(of_ben())
    assert await outcomes(at, of_ben(), order(), order()) == [Outcome.DUPLICATE, Outcome.ENQUEUED, Outcome.DUPLICATE]


async def test_a_dead_order_is_redriven_beside_another_of_its_id_and_not_beside_itself(at: At) -> None:
    ann, ben = await at.dead_letter(order(checkout_id="c")), await at.dead_letter(of_ben())
    await at.enqueue(order())

    assert (await at.outbox.dead_letters.redrive(Query(state=State.DEAD), now=NOW)).redriven == 1
    states = [(await at.delivery(each)).state for each in (ann, ben)]
    assert states == [State.DEAD, State.PENDING]
    assert await outcomes(at, of_ben(), order()) == [Outcome.DUPLICATE, Outcome.DUPLICATE]


async def test_orders_are_known_across_processes_and_restarts(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    await at.enqueue(order(), of_ben())
    in_other = await outcomes(other, order(), of_ben())
    await at.outbox.close()
    after_restart = await outcomes(open_at(), order(), of_ben())

    assert {*in_other, *after_restart} == {Outcome.DUPLICATE}


async def test_simultaneous_calls_agree_on_what_is_one_order(at: At, open_at: Callable[..., At]) -> None:
    other = open_at()
    sent = [make() for _ in range(20) for make in (order, of_ben)]
    found = await asyncio.gather(*(each.enqueue(delivery) for delivery in sent for each in (at, other)))

    assert [answer.outcome for (answer,) in found].count(Outcome.ENQUEUED) == 2


async def test_seen_warns_as_enqueue_will(at: At) -> None:
    await at.enqueue(order())
    (seen,) = await at.seen(of_ben())
    (answer,) = await at.enqueue(of_ben())

    assert seen is not None
    assert (seen.reason, seen.warnings) == ("", answer.warnings)


async def test_any_other_order_of_a_worn_out_id_is_sent_and_the_first_stay_known(at: At) -> None:
    many = [order(buyer=(f"{n:02}" * 32,), amount=str(n)) for n in range(40)]
    assert {answer.outcome for answer in await at.enqueue(*many)} == {Outcome.ENQUEUED}
    assert await outcomes(at, order(buyer=("00" * 32,), amount="0")) == [Outcome.DUPLICATE]


@pytest.mark.parametrize("name", ["initiate_checkout", "custom"])
async def test_events_that_name_an_order_are_found_by_it_and_are_no_copies_of_it(at: At, name: str) -> None:
    """Neither of it nor of each other: only a `checkout` is the order."""
    named = [order(event_name=name, is_trusted=is_trusted) for is_trusted in (False, True, True)]
    assert await outcomes(at, *named, order(), named[0]) == [Outcome.ENQUEUED] * 4 + [Outcome.DUPLICATE]
    page = await at.outbox.search(Query(order_id="SO-1"), limit=9)
    assert sorted(each.event_name for each in page.deliveries) == sorted([name] * 3 + ["checkout"])
    again = await at.outbox.search_dropped(Query(order_id="SO-1"), limit=9)
    assert [event.event_name for _, event in again.events] == [name]

    claimed = {each.message_id: each for each in await at.claim()}
    assert await at.outbox.withhold([(claimed[named[0].message_id], "opted out")], now=at.now) == 1
    rows = await at.outbox.revenue(first_day=int(NOW // DAY_S), last_day=int(NOW // DAY_S))
    assert [(row.became, row.orders) for row in rows if row.orders] == [("waiting", 1)]
    assert not (await at.outbox.search_dropped(Query(is_order=True), limit=9)).events
    assert {
        one.order
        for told in (await at.outbox.subjects_of([each.delivery_id for each in page.deliveries])).values()
        for one in told
    } == {"", order_key("SO-1")}

    of_named = claimed[named[1].message_id]
    await at.kill(of_named, claimed[named[2].message_id])
    await at.deliver(*(each for each in claimed.values() if each.event_name == "checkout"))
    await at.outbox.dead_letters.redrive(Query(), now=at.now)
    assert (await at.delivery(of_named.delivery_id)).state is State.PENDING


async def test_a_cancelled_order_leaves_events_that_only_name_it(at: At) -> None:
    await at.enqueue(order(event_name="initiate_checkout"), order())
    cancelled = Withdrawal(ad_account_id=ACCOUNT, preset="checkout", order_id="SO-1", message_id="c", is_trusted=True)
    assert await at.outbox.withdraw([cancelled], now=at.now) == [1]
    page = await at.outbox.search(Query(order_id="SO-1"), limit=9)
    assert [each.event_name for each in page.deliveries] == ["initiate_checkout"]
