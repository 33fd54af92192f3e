"""One event that makes calls fail: the others are delivered, and chance or an outage makes no event a dead letter."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.deliveries import State
from tests.sender.passing_time import SLOW, Time
from tests.sender.stage import Stage, ids
from tests.waiting import until_async

HOUR = 3_600.0
#: Answers that judge no event, and a part of their reasons.
ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "500": ({"status": 500}, "Something unexpected happened."),
    "closed": ({"reset": True}, "the connection broke"),
    "422": ({"status": 422}, "Pinterest's answer does not tell what became of each event"),
    "403": ({"status": 403}, "You are not permitted to access that resource."),
}
DEFAULTS = SLOW | {"batch_max_wait_s": 1}
IN_A_HURRY = DEFAULTS | {"retry_max_pause_s": 2}


async def fail_poison(stage: Stage, answer: str) -> None:
    await stage.script({"poison": "^poison", "times": None} | ANSWERS[answer][0])


async def only_poison_waits(stage: Stage) -> bool:
    backlog = await stage.outbox.backlog("42", now=stage.clock())
    return backlog.pending + backlog.claimed == 1


async def is_delivered(stage: Stage, event_id: str) -> bool:
    return any(each.event_id == event_id for each in await stage.deliveries(State.DELIVERED))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "place", "policy"),
    [(answer, place, IN_A_HURRY) for answer in ANSWERS for place in (0, 1_234, 2_999)]
    + [(answer, 1_234, DEFAULTS) for answer in ANSWERS],
)
async def test_the_others_of_three_arrays_are_delivered_in_a_minute(
    stage: Stage, record_figure: Callable[[str, object], None], answer: str, place: int, policy: dict[str, Any]
) -> None:
    events = [f"poison-{number}" if number == place else f"good-{number}" for number in range(3_000)]
    await fail_poison(stage, answer)
    for start in range(0, 3_000, 1_000):
        await stage.enqueue(*events[start : start + 1_000])
    begun_at = time.monotonic()

    async with stage.worker(**policy):
        await until_async(lambda: only_poison_waits(stage), 60, "2,999 events to be delivered")
        calls, took_s = len(stage.calls), time.monotonic() - begun_at

    state = await stage.state()
    left = [each for each in await stage.deliveries() if each.state is not State.DELIVERED]
    assert calls <= 40
    assert (state["received"], state["duplicates"]) == (2_999, 0)
    assert [(each.event_id, each.state) for each in left] == [(f"poison-{place}", State.PENDING)]
    assert left[0].attempts == 0
    name = f"one event fails by {answer}, at {place} of 3,000, pauses up to {policy['retry_max_pause_s']} s"
    record_figure(name, f"{calls} calls, {took_s:.1f} s")


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_event_dies_of_ten_failures_alone_over_an_hour_with_calls_accepted_in_between(
    stage: Stage, clock: Time, answer: str
) -> None:
    await fail_poison(stage, answer)
    await stage.enqueue("poison", *ids("good", 20))
    died_at = 0.0

    async with stage.worker(**SLOW):
        while not died_at:
            await stage.enqueue(f"later-{clock.moved_s}")
            await until_async(lambda: is_delivered(stage, f"later-{clock.moved_s}"), 10, "the other event's delivery")
            died_at = clock.moved_s if await stage.deliveries(State.DEAD) else 0
            assert clock.moved_s < 24 * HOUR
            clock.pass_(240)

    (dead,) = await stage.deliveries(State.DEAD)
    assert dead.event_id == "poison"
    assert ANSWERS[answer][1] in dead.reason
    assert died_at >= HOUR
    assert sum(call.deliveries == 1 and call.claimed[0].event_id == "poison" for call in stage.calls) >= 10
    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED, State.DEAD}
