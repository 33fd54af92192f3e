"""Seen: what enqueue would find to be a duplicate is told beforehand, and nothing is stored by asking."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.core.deliveries import Enqueued, Seen
from app.core.events import Outcome
from app.core.pages import Query
from app.outbox import open_outbox
from tests.outbox.build import DAY_S, NOW, At, new, rules
from tests.outbox.orders import page, shop
from tests.rounds import examples


async def test_of_an_empty_outbox_nothing_is_seen(at: At) -> None:
    assert await at.seen(new(), new()) == [None, None]
    assert await at.seen() == []


async def test_what_was_enqueued_is_seen_with_the_time_and_the_words_of_enqueue(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    later = at.later(60)
    fresh, seen = await later.seen(new(), new(event_id="e"))
    (answer,) = await later.enqueue(new(event_id="e"))
    assert fresh is None
    assert seen is not None
    assert (seen.at, seen.reason) == (NOW, answer.reason)


async def test_it_is_seen_until_the_window_ends(at: At) -> None:
    await at.enqueue(new(event_id="e"))
    seen = [(await at.later(after_s).seen(new(event_id="e")))[0] for after_s in (DAY_S - 1, DAY_S)]
    assert [each is not None for each in seen] == [True, False]


async def test_the_order_of_a_checkout_is_seen_from_another_preset(at: At) -> None:
    await at.enqueue(new(order_id="o"))
    (seen,) = await at.seen(new(order_id="o", preset="other"))
    assert seen is not None
    assert "same order_id" in seen.reason


async def test_what_stands_earlier_in_the_same_call_is_seen(at: At) -> None:
    orders = [new(order_id="o"), new(order_id="o"), new(order_id="p")]
    first, second, third = await at.seen(*orders)
    assert (first, third) == (None, None)
    assert second is not None
    assert (second.at, second.reason) == (NOW, "the same order_id was taken before, as delivery 1")
    assert (await at.enqueue(*orders))[1].reason == second.reason


async def test_what_is_dead_is_not_seen(at: At) -> None:
    await at.dead_letter(new(event_id="e"))
    assert await at.seen(new(event_id="e")) == [None]


async def test_what_was_redriven_is_seen_since_then(at: At) -> None:
    delivery_id = await at.dead_letter(new(event_id="e"))
    await at.outbox.dead_letters.redrive(Query(delivery_id=delivery_id), now=NOW + 5)
    (seen,) = await at.later(9).seen(new(event_id="e"))
    assert seen is not None
    assert seen.at == NOW + 5


async def test_asking_stores_nothing(at: At) -> None:
    await at.seen(new(event_id="e"))
    assert (await at.outbox.search(Query(), limit=10)).deliveries == ()
    assert [answer.outcome for answer in await at.enqueue(new(event_id="e"))] == [Outcome.ENQUEUED]


deliveries = st.lists(
    st.fixed_dictionaries(
        {"event_id": st.sampled_from("abc"), "preset": st.sampled_from("xy")},
        optional={"order_id": st.sampled_from(["1", "2"])},
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=deliveries, asked=deliveries, order_scope=st.sampled_from(["account", "source", "none"]))
async def test_it_tells_what_enqueue_will_answer(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any], asked: list[Any], *, order_scope: str
) -> None:
    folder = tmp_path_factory.mktemp("seen")
    at = At(open_outbox(f"sqlite:///{folder}/o.db", rules(order_scope=order_scope), clock=lambda: NOW))
    await at.enqueue(*(new(**each) for each in before))
    wanted = [new(**each) for each in asked]
    told = await at.seen(*wanted)
    answers = await at.enqueue(*wanted)
    await at.outbox.close()
    assert [as_answered(each) for each in told] == [replace(answer, superseded=()) for answer in answers]


def as_answered(seen: Seen | None) -> Enqueued:
    return (
        Enqueued(outcome=seen.outcome, reason=seen.reason, warnings=seen.warnings)
        if seen
        else Enqueued(outcome=Outcome.ENQUEUED)
    )


#: What a page and a shop tell of two orders, and what happens between: hours in which senders take what is due.
sides = st.lists(
    st.sampled_from(["249.00", "100.00", "0.01"]).flatmap(
        lambda amount: st.sampled_from(
            [
                page(amount, event_id=event_id, message_id=f"{amount}-{event_id}-{order}", order_id=order, token=token)
                for event_id in ("tag-1", "tag-2", "checkout_1")
                for order in ("SO-1", "SO-2", None)
                for token in (None, "t")
            ]
            + [
                shop("249.00", "USD 100.00", event_id=event_id, order_id=order, token=token)
                for event_id in ("checkout_1", "shop-2")
                for order in ("SO-1", "SO-2")
                for token in (None, "t")
            ]
        )
    )
    | st.integers(1, 3),
    max_size=8,
)


@pytest.mark.slow
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=sides)
async def test_it_tells_what_becomes_of_an_order_from_two_sides(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    at = At(open_outbox(f"sqlite:///{tmp_path_factory.mktemp('seen')}/o.db", rules(), clock=lambda: NOW))
    for step in steps:
        if isinstance(step, int):
            at = at.later(step * 300)
            await at.deliver(*await at.claim(limit=step))
            continue
        (told,), (answer,) = await at.seen(step), await at.enqueue(step)
        assert as_answered(told) == replace(answer, superseded=())
    await at.outbox.close()


async def test_what_would_be_merged_is_told_with_its_warnings_and_when_the_other_side_came(at: At) -> None:
    await at.enqueue(page("0.01", event_id="tag-9", order_id="SO-9", wait_s=0))
    await at.deliver(*await at.claim())
    await at.enqueue(page("100.00"))
    later = at.later(60)
    for told, outcome in ((shop("119.00", "USD 100.00"), Outcome.MERGED), (page("0.01"), Outcome.DUPLICATE)):
        (seen,) = await later.seen(told)
        (answer,) = await later.enqueue(told)
        assert (as_answered(seen).outcome, as_answered(seen)) == (outcome, replace(answer, superseded=()))
        if seen and seen.outcome is Outcome.MERGED:
            assert seen.at == NOW
