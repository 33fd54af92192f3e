"""A Pinterest that refuses: a run of refusals is an outage and kills nothing; a bad event among good ones is found."""

from itertools import product

import pytest

from app.core.deliveries import State
from app.core.shared_values import TROUBLE
from tests.rounds import some_of
from tests.sender.passing_time import PAUSE_S, REFUSING, SLOW, Time, is_quiet, knows, pass_in_steps, well_again
from tests.sender.stage import Stage, ids
from tests.waiting import until_async

#: How many events are refused, in batches of how many; and how often each batch is.
REFUSED = list(product([(1, 1_000), (7, 1_000), (100, 10), (1_000, 1_000)], [1, 2, 11, 20, 30]))


@pytest.mark.slow
@pytest.mark.prove
@pytest.mark.parametrize(("events", "lasts"), some_of(REFUSED))
async def test_nothing_dies_of_refusals_however_many_there_are(
    stage: Stage, events: tuple[int, int], lasts: int
) -> None:
    count, batch = events
    await stage.script({"status": 400, "times": lasts})
    await stage.enqueue(*ids("order", count))

    async with stage.worker(batch_max_events=batch, retry_max_pause_s=0.02):
        await stage.settled(deadline_s=60)

    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}
    assert (await stage.state())["duplicates"] == 0


@pytest.mark.slow
async def test_a_thousand_refusals_in_a_row_cost_few_calls(stage: Stage, clock: Time) -> None:
    await stage.script(REFUSING)
    await stage.enqueue(*ids("order", 1_000))

    async with stage.worker(**SLOW):
        await until_async(lambda: knows(stage, "refusing"))
        assert len(stage.calls) <= 21  # 2 log2 1000 + 1
        await pass_in_steps(stage, clock, PAUSE_S, steps=4)
        assert len(stage.calls) < 40
        assert {call.deliveries for call in stage.calls[-3:]} == {1}
        assert {each.state for each in await stage.deliveries()} <= {State.PENDING, State.CLAIMED}
        await well_again(stage, clock)

    assert {(each.state, each.attempts) for each in await stage.deliveries()} == {(State.DELIVERED, 1)}


async def test_many_batches_that_are_refused_at_once_are_searched_one_after_the_other(stage: Stage) -> None:
    """Of the others each makes one call at most that was under way."""
    await stage.script(REFUSING)
    await stage.enqueue(*ids("order", 1_000))

    async with stage.worker(batch_max_events=100, max_calls_in_flight=4, **SLOW):
        await until_async(lambda: knows(stage, "refusing"))
        await until_async(lambda: is_quiet(stage))

    assert len(stage.calls) <= 2 * 7 + 1 + 4 + 3  # one search, what was under way with it, and a probe or two


async def test_a_bad_event_alone_waits_until_another_is_accepted(stage: Stage) -> None:
    await stage.script({"poison": "^bad-1$", "times": None})
    await stage.enqueue("bad-1")

    async with stage.worker():
        await stage.called(8)
        assert (await stage.one()).state in {State.PENDING, State.CLAIMED}
        assert await knows(stage, "refusing")
        await stage.enqueue("good-1")
        await stage.settled()

    (dead,) = await stage.deliveries(State.DEAD)
    assert (dead.event_id, dead.attempts) == ("bad-1", 1)
    assert dead.reason == "Invalid request: The sandbox was told to refuse a call with this event"
    assert [each.event_id for each in await stage.deliveries(State.DELIVERED)] == ["good-1"]
    assert await TROUBLE.read(stage.outbox, "42") is None


@pytest.mark.slow
async def test_fifty_bad_events_of_a_thousand_die_by_few_calls_side_by_side(stage: Stage) -> None:
    await stage.script({"poison": "^bad-", "times": None})
    every_twentieth = [f"bad-{n}" if n % 20 == 7 else f"good-{n}" for n in range(1_000)]
    await stage.enqueue(*every_twentieth)

    async with stage.worker():
        await until_async(lambda: _settled_but(stage, 4), 60)
        await stage.enqueue("last")
        await stage.settled()

    assert {each.event_id[:3] for each in await stage.deliveries(State.DEAD)} == {"bad"}
    assert len(await stage.deliveries(State.DEAD)) == 50
    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (951, 0)
    assert state["calls"] < 420  # 16 s at 150 ms, four side by side


async def _settled_but(stage: Stage, count: int) -> bool:
    backlog = await stage.outbox.backlog("42", now=stage.clock())
    return backlog.pending + backlog.claimed <= count


async def test_a_part_without_an_answer_does_not_end_the_search(stage: Stage) -> None:
    await stage.script({"status": 400}, {"status": 400}, {"reset": True}, {"poison": "^order-77$", "times": None})
    await stage.enqueue(*ids("order", 128))

    async with stage.worker():
        await stage.settled()

    assert [each.event_id for each in await stage.deliveries(State.DEAD)] == ["order-77"]
    assert (await stage.state())["duplicates"] == 0
