"""A Pinterest that fails: time decides, not calls; one event is tried, not all; a run of refusals is an outage."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.sending import worker
from app.shared_values import TROUBLE
from app.types import Exit, State
from tests.delivery.stage import Stage, a_stage, ids
from tests.waiting import until_async

HOUR = 3_600.0
#: Pauses of the default settings.
SLOW = {"retry_base_s": 1, "retry_max_pause_s": 600, "retry_max_attempts": 20}
#: Pinterest fails until it is told otherwise.
DOWN: dict[str, Any] = {"status": 503, "times": None}
REFUSING: dict[str, Any] = {"status": 400, "times": None}


@dataclass
class Time:
    """Both clocks of the stage, moved together."""

    moved_s: float = 0

    def pass_(self, seconds: float) -> None:
        self.moved_s += seconds


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def clock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time that passes when it is told to; the worker looks for it twenty times a second."""
    monkeypatch.setattr(worker, "REST_S", 0.05)
    moved = Time()
    stage.clock = lambda: time.time() + moved.moved_s
    stage.monotonic = lambda: time.monotonic() + moved.moved_s
    return moved


async def pass_hours(stage: Stage, clock: Time, hours: float, *, steps: int) -> None:
    """Let time pass in steps, each of which sees at least one more call."""
    for _ in range(steps):
        made = len(stage.calls)
        clock.pass_(hours / steps * HOUR)
        await stage.called(made + 1, deadline_s=30)


async def well_again(stage: Stage, clock: Time) -> None:
    """Let Pinterest take everything, and time pass: the longest pause, and one more where a call was under way."""
    await stage.script()
    made = len(stage.calls)
    clock.pass_(630)
    await stage.called(made + 1, deadline_s=30)
    if await TROUBLE.read(stage.outbox, "42"):
        clock.pass_(630)
    await stage.settled()


async def test_an_outage_of_hours_in_a_small_shop_kills_nothing(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue("order-1")

    async with stage.worker(**SLOW):
        await stage.called(3)
        await pass_hours(stage, clock, 12, steps=6)
        waiting = await stage.one()
        assert waiting.state in {State.PENDING, State.CLAIMED}
        assert waiting.attempts <= 1  # of a call under way
        assert {attempt.exit for attempt in waiting.history} == {Exit.RETRY}
        await well_again(stage, clock)

    assert (await stage.one()).state is State.DELIVERED
    assert stage.troubles == [(None, "failing"), ("failing", None)]


async def test_age_ends_waiting_and_says_what_kept_it(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue("order-1")

    async with stage.worker(**SLOW):
        await stage.called(3)
        await pass_hours(stage, clock, 71, steps=4)
        assert (await stage.one()).state in {State.PENDING, State.CLAIMED}
        clock.pass_(1.1 * HOUR)
        await stage.settled()

    dead = await stage.one()
    assert dead.state is State.DEAD
    assert dead.reason.startswith("given up after 72 hours: ")


async def test_while_pinterest_fails_one_event_is_tried_and_not_the_backlog(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue(*ids("order", 500))

    async with stage.worker(batch_max_events=100, max_calls_in_flight=2, **SLOW):
        await stage.called(3)
        begun = len(stage.calls)
        for _ in range(4):
            made = len(stage.calls)
            clock.pass_(630)
            await stage.called(made + 1, deadline_s=30)
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
        await pass_hours(stage, clock, 71, steps=4)
        assert await stage.deliveries(State.DEAD) == []
        await stage.enqueue("young")
        clock.pass_(2 * HOUR)
        await until_async(lambda: _dead(stage, 50))
        await well_again(stage, clock)

    assert [each.event_id for each in await stage.deliveries(State.DELIVERED)] == ["young"]
    reasons = {each.reason for each in await stage.deliveries(State.DEAD)}
    assert all(reason.startswith("given up after 72 hours: ") for reason in reasons)


async def _dead(stage: Stage, count: int) -> bool:
    return len(await stage.deliveries(State.DEAD)) == count


async def test_several_processes_send_one_probe_at_a_time(stage: Stage, clock: Time) -> None:
    await stage.script(DOWN)
    await stage.enqueue(*ids("order", 100))

    async with stage.worker(**SLOW) as one, stage.worker(**SLOW) as other:
        assert one is not other
        await stage.called(3)
        await until_async(lambda: _is_quiet(stage))
        before = len(stage.calls)
        for number in range(1, 4):
            clock.pass_(630)
            await stage.called(before + number)
            await until_async(lambda: _is_quiet(stage))
        assert len(stage.calls) == before + 3
        await well_again(stage, clock)

    assert len([change for change in stage.troubles if change == (None, "failing")]) == 1


async def _is_quiet(stage: Stage) -> bool:
    backlog = await stage.outbox.backlog("42", now=stage.clock())
    return backlog.claimed == 0


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

    async with stage.worker(**SLOW):
        await until_async(is_known)
        trouble = await TROUBLE.read(stage.outbox, "42")

    assert trouble is not None
    assert (trouble.state, trouble.reason) == (state, words)
    assert trouble.status == step.get("status", 200 if "body" in step else None)
    assert stage.troubles == [(None, state)]


@pytest.mark.parametrize("lasts", [1, 2, 11, 20, 30])
@pytest.mark.parametrize(("count", "batch"), [(1, 1_000), (7, 1_000), (100, 10), (1_000, 1_000)])
async def test_nothing_dies_of_refusals_however_many_there_are(
    stage: Stage, lasts: int, count: int, batch: int
) -> None:
    await stage.script({"status": 400, "times": lasts})
    await stage.enqueue(*ids("order", count))

    async with stage.worker(batch_max_events=batch):
        await stage.settled(deadline_s=60)

    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}
    assert (await stage.state())["duplicates"] == 0


async def test_a_thousand_refusals_in_a_row_cost_few_calls(stage: Stage, clock: Time) -> None:
    await stage.script(REFUSING)
    await stage.enqueue(*ids("order", 1_000))

    async with stage.worker(**SLOW):
        await until_async(lambda: _knows(stage, "refusing"))
        assert len(stage.calls) <= 21  # 2 log2 1000 + 1
        for _ in range(4):
            made = len(stage.calls)
            clock.pass_(630)
            await stage.called(made + 1, deadline_s=30)
        assert len(stage.calls) < 40
        assert {call.deliveries for call in stage.calls[-3:]} == {1}
        assert {each.state for each in await stage.deliveries()} <= {State.PENDING, State.CLAIMED}
        await well_again(stage, clock)

    assert {(each.state, each.attempts) for each in await stage.deliveries()} == {(State.DELIVERED, 1)}


async def _knows(stage: Stage, state: str) -> bool:
    trouble = await TROUBLE.read(stage.outbox, "42")
    return trouble is not None and trouble.state == state


async def test_many_batches_that_are_refused_at_once_are_searched_one_after_the_other(stage: Stage) -> None:
    """Of the others each makes one call at most that was under way."""
    await stage.script(REFUSING)
    await stage.enqueue(*ids("order", 1_000))

    async with stage.worker(batch_max_events=100, max_calls_in_flight=4, **SLOW):
        await until_async(lambda: _knows(stage, "refusing"))
        await until_async(lambda: _is_quiet(stage))

    assert len(stage.calls) <= 2 * 7 + 1 + 4 + 3  # one search, what was under way with it, and a probe or two


async def test_a_bad_event_alone_waits_until_another_is_accepted(stage: Stage) -> None:
    await stage.script({"poison": "^bad-1$", "times": None})
    await stage.enqueue("bad-1")

    async with stage.worker():
        await stage.called(8)
        assert (await stage.one()).state in {State.PENDING, State.CLAIMED}
        assert await _knows(stage, "refusing")
        await stage.enqueue("good-1")
        await stage.settled()

    (dead,) = await stage.deliveries(State.DEAD)
    assert (dead.event_id, dead.attempts) == ("bad-1", 1)
    assert dead.reason == "Invalid request: The sandbox was told to refuse a call with this event"
    assert [each.event_id for each in await stage.deliveries(State.DELIVERED)] == ["good-1"]
    assert await TROUBLE.read(stage.outbox, "42") is None


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
