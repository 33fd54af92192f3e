"""One event that makes calls fail: the others are delivered, and chance or an outage makes no event a dead letter."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.core.deliveries import State
from app.core.shared_values import TROUBLE
from app.outbox import open_outbox
from app.sender.failures import FAILING_FOR_S, FAILURES_ALONE, Failures
from tests.outbox.build import new
from tests.outbox.new_store import new_store
from tests.sender.passing_time import PAUSE_S, SLOW, Time, pass_in_steps
from tests.sender.stage import RULES, Stage, a_stage, ids
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


async def only_poison_waits(stage: Stage, count: int = 1) -> bool:
    backlog = await stage.outbox.backlog("42", now=stage.clock())
    return backlog.pending + backlog.claimed == count


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


@pytest.mark.slow
@pytest.mark.parametrize("places", [(0, 1_000, 2_000), (1_234, 1_500)], ids=["in each array", "in one array"])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_several_such_events_do_not_stop_the_account(stage: Stage, answer: str, places: Sequence[int]) -> None:
    events = [f"poison-{number}" if number in places else f"good-{number}" for number in range(3_000)]
    await fail_poison(stage, answer)
    for start in range(0, 3_000, 1_000):
        await stage.enqueue(*events[start : start + 1_000])

    async with stage.worker(**IN_A_HURRY):
        await until_async(lambda: only_poison_waits(stage, len(places)), 60, "the good events to be delivered")
        calls = len(stage.calls)

    left = {each.event_id for each in await stage.deliveries() if each.state is not State.DELIVERED}
    assert left == {f"poison-{place}" for place in places}
    assert calls <= 40 * len(places)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgres", marks=pytest.mark.whole)])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_several_processes_deliver_the_others_and_one_restarts(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str, answer: str
) -> None:
    if engine == "postgres":
        store = request.getfixturevalue("postgres_server").database()
    else:
        store = nullcontext(new_store(tmp_path))
    with store as url:
        others = [open_outbox(url, RULES) for _ in range(2)]
        async with a_stage(tmp_path, outbox_url=url) as stage:
            await fail_poison(stage, answer)
            await stage.enqueue(*ids("good", 1_400), "poison", *ids("more", 600))
            async with stage.worker(others[0], **IN_A_HURRY):
                async with stage.worker(**IN_A_HURRY):
                    await stage.called(3)
                async with stage.worker(others[1], **IN_A_HURRY):
                    await until_async(lambda: only_poison_waits(stage), 60, "the good events to be delivered")

            (left,) = [each for each in await stage.deliveries() if each.state is not State.DELIVERED]
            assert (left.event_id, left.state) == ("poison", State.PENDING)
            assert (await stage.state())["received"] == 2_000
        for outbox in others:
            await outbox.close()


async def test_a_403_to_the_only_event_blocks_whatever_waits_for_another_account(stage: Stage) -> None:
    await stage.script({"status": 403, "times": None})
    await stage.outbox.enqueue([new(ad_account_id="43")], [], [], now=stage.clock())
    await stage.enqueue("only")

    async with stage.worker(**SLOW):
        await until_async(lambda: TROUBLE.read(stage.outbox, "42"), 10, "the account to be blocked")

    trouble = await TROUBLE.read(stage.outbox, "42")
    assert trouble is not None
    assert (trouble.state, trouble.pause_s, len(stage.calls)) == ("blocked", 60, 1)


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_outage_of_all_calls_kills_no_event_before_its_age(stage: Stage, clock: Time, answer: str) -> None:
    await stage.script({"times": None} | ANSWERS[answer][0])
    await stage.enqueue(*ids("good", 30))

    async with stage.worker(batch_max_events=10, **SLOW):
        await stage.called(2)
        await pass_in_steps(stage, clock, 70 / 40 * HOUR, steps=40)
        assert await stage.deliveries(State.DEAD) == []
        await stage.script()
        await pass_in_steps(stage, clock, HOUR + 60, steps=1)  # the longest pause of a blocked account is over
        clock.pass_(PAUSE_S)
        await stage.settled()

    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}


def events_given_up(share: float, seed: int, *, needs_evidence: bool) -> int:
    """Return how many of 2,000 events are proven to fail, if this share of all calls fails by chance in 72 hours.

    An event is sent alone about every two minutes until it is accepted, in turn with calls of other events. Without
    `needs_evidence`, the numbers of failures and hours prove it.
    """
    chance, failures, moment, trusted = Random(seed), Failures(), 0, 0
    now, accepted = 0.0, -1
    for number in range(2_000):
        event, begun_at, alone = f"event-{number}", now, 0
        while now - begun_at < 72 * HOUR:
            moment += 2
            for events in ([f"other-{moment}"], [event]):
                is_accepted = chance.random() >= share
                moment += 1
                if is_accepted:
                    failures.accepted(events, moment=moment)
                    accepted = moment
                else:
                    failures.failed(events, moment=moment, accepted=accepted, now=now)
            if is_accepted:
                break
            alone += 1
            now += chance.uniform(0, 800)
            is_long = alone >= FAILURES_ALONE and now - begun_at >= FAILING_FOR_S
            if is_long if not needs_evidence else failures.is_trusted(event, now=now):
                trusted += 1
                break
    return trusted


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_calls_that_fail_by_chance_prove_no_event_bad(share: float, seed: int) -> None:
    assert events_given_up(share, seed, needs_evidence=True) == 0


def test_ten_failures_over_an_hour_can_be_chance() -> None:
    assert events_given_up(0.5, 0, needs_evidence=False) > 0


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
