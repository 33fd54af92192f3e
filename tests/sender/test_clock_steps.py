"""The clock of the machine is set while events wait: nothing is late, dead or sent twice for it."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from app.core.deliveries import State
from app.core.shared_values import CLOCK_JUMPS
from app.sender.clocks import Clocks, ClockWatch
from app.sender.leases import Leases
from tests.outbox.build import retry
from tests.sender.claims import a_policy
from tests.sender.passing_time import are_claimed
from tests.sender.stage import Stage, ids
from tests.waiting import until_async

HOUR, DAYS = 3_600.0, 86_400.0
#: An hour back, four days forward, and smaller ones.
STEPS = [-HOUR, -30.0, 45.0, 4 * DAYS]


@dataclass
class SetClock:
    """The first clock of the stage is set, the other goes on."""

    by_s: float = 0

    def set(self, by_s: float) -> None:
        self.by_s += by_s


@pytest.fixture
def clock(stage: Stage, short_rests: None) -> SetClock:
    moved = SetClock()
    stage.clock = lambda: time.time() + moved.by_s
    return moved


@pytest.mark.parametrize("step_s", STEPS)
async def test_what_waits_is_sent_as_if_nothing_had_happened(stage: Stage, clock: SetClock, step_s: float) -> None:
    """Fresh events and retries; the answer of the first call comes before the step."""
    await stage.script({"status": 503})
    await stage.enqueue(*ids("before", 10))
    async with stage.worker(batch_max_events=5, max_calls_in_flight=1, retry_max_pause_s=2, retry_base_s=2):
        await stage.called(1)
        clock.set(step_s)
        await stage.enqueue("after")
        await stage.settled(deadline_s=20)

    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}
    assert (await stage.state())["duplicates"] == 0
    assert [round(jump.after - jump.before) for jump in stage.jumps] == [step_s]


@pytest.mark.slow
@pytest.mark.parametrize("step_s", STEPS)
async def test_a_call_under_way_keeps_its_claims(stage: Stage, clock: SetClock, step_s: float) -> None:
    """Also where another process begins after the step, and knows of none: offline events would be dead."""
    await stage.script({"delay_s": 1})
    await stage.enqueue(*ids("shop", 10), action_source="offline")
    async with stage.worker(send_timeout_s=4):
        await until_async(lambda: are_claimed(stage, 10))
        clock.set(step_s)
        async with stage.worker(send_timeout_s=4):
            await stage.settled(deadline_s=20)

    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}
    assert (await stage.state())["received"] == 10


@pytest.mark.parametrize("step_s", STEPS)
async def test_nothing_is_given_up_for_time_that_did_not_pass(stage: Stage, clock: SetClock, step_s: float) -> None:
    await stage.script({"status": 503, "times": None})
    await stage.enqueue("order-1")
    # a pause that is written during the step lasts at most the longest call and a pause (`circuit_breaker.wait_s`)
    async with stage.worker(send_timeout_s=4):
        await stage.called(2)
        clock.set(step_s)
        made = len(stage.calls)
        await stage.called(made + 3)
        waiting = await stage.one()
        await stage.script()
        await stage.settled()

    assert waiting.state in {State.PENDING, State.CLAIMED}
    assert (await stage.one()).state is State.DELIVERED


async def test_a_process_that_begins_later_knows_of_the_step(stage: Stage, clock: SetClock) -> None:
    await stage.script({"status": 503, "times": None})
    await stage.enqueue("order-1")
    async with stage.worker():
        await stage.called(1)
        clock.set(4 * DAYS)
        await until_async(lambda: _is_known(stage))
    async with stage.worker():
        made = len(stage.calls)
        await stage.called(made + 3)
        assert (await stage.one()).state in {State.PENDING, State.CLAIMED}
        await stage.script()
        await stage.settled()

    assert (await stage.one()).state is State.DELIVERED


async def _is_known(stage: Stage) -> bool:
    return await CLOCK_JUMPS.read(stage.outbox) is not None


async def test_what_a_clock_left_far_ahead_that_was_set_right_before_the_start_waits_no_longer_than_a_pause(
    stage: Stage,
) -> None:
    stage.clock = lambda: time.time() + 4 * DAYS
    await stage.enqueue("order-1")
    stage.clock = time.time
    _, watch = _watch(stage)

    await watch.look()

    assert ((await stage.one()).due_at or 0) - time.time() <= a_policy().retry_max_pause_s


async def test_an_answer_recorded_after_a_step_back_waits_no_longer_than_a_pause(stage: Stage, clock: SetClock) -> None:
    """The time of the next attempt was computed before the step, and is recorded after the rescheduling."""
    clocks, watch = _watch(stage)
    await watch.look()
    await stage.enqueue("order-1")
    (claimed,) = await stage.outbox.claim(
        "42", limit=1, max_bytes=1_000, max_wait_s=0, lease_s=60, now=clocks.now() + 1
    )
    answered = retry(claimed, clocks.now() + 1)
    clock.set(-4 * DAYS)
    await watch.look()
    await stage.outbox.settle([answered], [], now=clocks.now())

    await watch.look()

    assert ((await stage.one()).due_at or 0) - clocks.now() <= a_policy().retry_max_pause_s


async def test_each_step_is_told_once_however_many_processes_there_are(stage: Stage, clock: SetClock) -> None:
    async with stage.worker(), stage.worker():
        await asyncio.sleep(0)
        clock.set(4 * DAYS)
        await until_async(lambda: _is_known(stage))
        clock.set(-4 * DAYS)
        await until_async(lambda: _are_known(stage, 2))

    assert [round((jump.after - jump.before) / DAYS) for jump in stage.jumps] == [4, -4]


async def test_a_process_that_begins_just_after_a_jump_is_told_of_it_by_those_before(
    stage: Stage, clock: SetClock
) -> None:
    before, one = _watch(stage)
    await one.look()
    clock.set(4 * 24 * HOUR)
    later, other = _watch(stage)
    await other.look()
    since = stage.clock() - 4 * 24 * HOUR - 60
    assert later.age_s(since) > 4 * 24 * HOUR

    await one.look()
    await other.look()

    assert later.age_s(since) < HOUR
    assert before.jumps == later.jumps


async def _are_known(stage: Stage, count: int) -> bool:
    known = await CLOCK_JUMPS.read(stage.outbox)
    return known is not None and len(known.jumps) >= count


def _watch(stage: Stage) -> tuple[Clocks, ClockWatch]:
    clocks = Clocks(stage.clock, stage.monotonic)
    policy = a_policy()
    leases = Leases(
        stage.outbox.renew,
        lease_s=policy.lease_s,
        clock=clocks.now,
        monotonic=clocks.monotonic,
        on_error=stage.errors.append,
    )
    return clocks, ClockWatch(stage.outbox, clocks, leases, policy, ad_account_id="42", on_jump=stage.jumps.append)


async def test_of_two_that_notice_at_once_one_tells_and_both_are_kept(stage: Stage, clock: SetClock) -> None:
    """Also where each saw another step."""
    told = stage.jumps
    (_, one), (_, other) = _watch(stage), _watch(stage)
    await asyncio.gather(one.look(), other.look())
    clock.set(HOUR)
    await asyncio.gather(one.look(), other.look())
    assert len(told) == 1

    clock.set(HOUR)
    await one.look()
    clock.set(HOUR)
    await asyncio.gather(one.look(), other.look())

    known = await CLOCK_JUMPS.read(stage.outbox)
    assert known is not None
    # which of the two writes the last pair first is chance
    assert sorted(round((jump.after - jump.before) / HOUR) for jump in known.jumps) == [1, 1, 1, 2]
