"""A Pinterest that fails: time decides, not calls; one event is tried, not all; a run of refusals is an outage."""

from typing import Any

import pytest

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.shared_values import TROUBLE
from tests.sender.passing_time import PAUSE_S, REFUSING, SLOW, Time, is_quiet, pass_in_steps, well_again
from tests.sender.stage import Stage, ids
from tests.waiting import until_async

HOUR = 3_600.0
#: Pinterest fails until it is told otherwise.
DOWN: dict[str, Any] = {"status": 503, "times": None}


async def given_up_in_time(stage: Stage, clock: Time, count: int) -> None:
    """Let minutes pass until so many are dead: a call that was under way when the hours passed is tried once more."""

    async def they_are_dead() -> bool:
        clock.pass_(60)
        return len(await stage.deliveries(State.DEAD)) == count

    await until_async(they_are_dead, 30, f"{count} are given up")


async def test_an_outage_of_hours_in_a_small_shop_kills_nothing(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue("order-1")

    async with stage.worker(**SLOW):
        await stage.called(3)
        await pass_in_steps(stage, clock, 12 / 6 * HOUR, steps=6)
        waiting = await stage.one()
        assert waiting.state in {State.PENDING, State.CLAIMED}
        assert waiting.attempts <= 1  # of a call under way
        assert {attempt.result for attempt in waiting.history} == {Outcome.RETRY}
        await well_again(stage, clock)

    assert (await stage.one()).state is State.DELIVERED
    assert stage.troubles == [(None, "failing"), ("failing", None)]


async def test_age_ends_waiting_and_says_what_kept_it(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue("order-1")

    async with stage.worker(**SLOW):
        await stage.called(3)
        await pass_in_steps(stage, clock, 71 / 4 * HOUR, steps=4)
        assert (await stage.one()).state in {State.PENDING, State.CLAIMED}
        clock.pass_(1.1 * HOUR)
        await given_up_in_time(stage, clock, 1)

    dead = await stage.one()
    assert dead.state is State.DEAD
    assert dead.reason.startswith("given up after 72 hours: ")


async def test_while_pinterest_fails_one_event_is_tried_and_not_the_backlog(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue(*ids("order", 500))

    async with stage.worker(batch_max_events=100, max_calls_in_flight=2, **SLOW):
        await stage.called(3)
        begun = len(stage.calls)
        await pass_in_steps(stage, clock, PAUSE_S, steps=4)
        probes = stage.calls[begun + 2 :]  # what was under way when the trouble began is past
        assert {call.deliveries for call in probes} == {1}
        await well_again(stage, clock)

    assert {(each.state, each.attempts) for each in await stage.deliveries()} == {(State.DELIVERED, 1)}
    assert (await stage.state())["duplicates"] == 0


async def test_what_waits_behind_an_outage_is_given_up_by_age_too_and_only_after_all_that_time(
    stage: Stage, clock: Time
) -> None:
    """What arrived while nothing could be sent had no fair try until the trouble has lasted for the whole age."""
    await stage.script(DOWN)
    await stage.enqueue(*ids("old", 50))

    async with stage.worker(batch_max_events=10, max_calls_in_flight=1, **SLOW):
        await stage.called(3)
        await pass_in_steps(stage, clock, 71 / 4 * HOUR, steps=4)
        assert await stage.deliveries(State.DEAD) == []
        await stage.enqueue("young")
        clock.pass_(2 * HOUR)
        await given_up_in_time(stage, clock, 50)
        await well_again(stage, clock)

    assert [each.event_id for each in await stage.deliveries(State.DELIVERED)] == ["young"]
    reasons = {each.reason for each in await stage.deliveries(State.DEAD)}
    assert all(reason.startswith("given up after 72 hours: ") for reason in reasons)


async def test_several_processes_send_one_probe_at_a_time(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue(*ids("order", 100))

    async with stage.worker(**SLOW) as one, stage.worker(**SLOW) as other:
        assert one is not other
        await stage.called(3)
        await until_async(lambda: is_quiet(stage))
        before = len(stage.calls)
        for number in range(1, 4):
            clock.pass_(PAUSE_S)
            await stage.called(before + number)
            await until_async(lambda: is_quiet(stage))
        assert len(stage.calls) == before + 3
        await well_again(stage, clock)

    assert len([change for change in stage.troubles if change == (None, "failing")]) == 1


@pytest.mark.parametrize(
    ("step", "state", "words"),
    [
        (DOWN, "failing", "The endpoint has been ramped down and is currently not accepting any traffic."),
        ({"reset": True, "times": None}, "failing", "the connection broke before the answer was complete"),
        ({"body": "<html>", "times": None}, "failing", "Pinterest's answer does not tell what became of each event"),
        ({"status": 429, "times": None}, "rate limited", "This request exceeded a rate limit."),
        ({"status": 429, "retry_after": 5, "times": None}, "rate limited", "This request exceeded a rate limit."),
        (REFUSING, "refusing", "The request was invalid."),
        ({"status": 413, "times": None}, "refusing", "Something unexpected happened."),
        ({"status": 403, "times": None}, "blocked", "You are not permitted to access that resource."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_all_processes_know_what_is_the_matter(
    stage: Stage, step: dict[str, Any], state: str, words: str
) -> None:
    await stage.script(step)
    await stage.enqueue(*ids("order", 8))

    async def is_known() -> bool:
        return await TROUBLE.read(stage.outbox, "42") is not None

    async with stage.worker(**(SLOW | {"retry_base_s": 0.05})):
        await until_async(is_known)
        trouble = await TROUBLE.read(stage.outbox, "42")

    assert trouble is not None
    assert (trouble.state, trouble.reason) == (state, words)
    assert trouble.status == step.get("status", 200 if "body" in step else None)
    assert stage.troubles == [(None, state)]
