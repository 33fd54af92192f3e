"""The worker, with a real outbox and the real sandbox behind a socket."""

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest

from app.core.coordination import Switches
from app.core.deliveries import LEASE_LOST, State
from app.core.events import CounterRow, Outcome
from app.core.shared_values import RATE, TROUBLE
from tests.sender.faulty import Faulty, unavailable
from tests.sender.stage import Stage, a_stage, ids
from tests.waiting import until_async


async def test_everything_is_delivered_once_in_batches(stage: Stage) -> None:
    await stage.enqueue(*ids("order", 250))

    async with stage.worker(batch_max_events=100):
        await stage.settled()

    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (250, 0)
    assert sorted(call.deliveries for call in stage.calls) == [50, 100, 100]
    assert {delivery.state for delivery in await stage.deliveries()} == {State.DELIVERED}
    assert stage.errors == []


async def test_a_small_batch_waits_for_company_but_not_for_ever(stage: Stage) -> None:
    async with stage.worker(batch_max_wait_s=0.3):
        await stage.enqueue("first")
        await stage.enqueue("second")
        await stage.settled()

    assert [call.deliveries for call in stage.calls] == [2]


async def test_a_call_is_reported_and_counted(stage: Stage) -> None:
    await stage.enqueue("order-1")
    async with stage.worker():
        await stage.settled()

    (report,) = stage.calls
    assert (report.ad_account_id, report.status, report.deliveries) == ("42", 200, 1)
    assert report.duration_s >= 0
    assert [settlement.state for settlement in report.settlements] == [State.DELIVERED]
    counted = {counter for _, counter in await stage.outbox.counters(since=0, step_s=0)}
    told = partial(CounterRow, label="200", ad_account_id="42")
    assert {told(name="delivered", preset="Checkout"), told(name="calls")} <= counted
    assert set(report.counters) <= counted


async def test_of_a_422_the_failed_are_dead_with_pinterests_words_and_the_others_delivered(stage: Stage) -> None:
    await stage.script({"reject": "[13579]$", "times": None})
    await stage.enqueue(*ids("order", 100))

    async with stage.worker():
        await stage.settled()

    dead = await stage.deliveries(State.DEAD)
    assert len(dead) == (await stage.state())["received"] == 50
    assert {delivery.reason for delivery in dead} == {"The sandbox was told to fail this event"}
    assert len(stage.calls) == 1


async def test_of_a_400_the_culprit_alone_is_dead_after_few_calls_and_one_attempt(stage: Stage) -> None:
    await stage.script({"poison": "^order-77$", "times": None})
    await stage.enqueue(*ids("order", 128))

    async with stage.worker():
        await stage.settled()

    (dead,) = await stage.deliveries(State.DEAD)
    assert (dead.event_id, dead.attempts) == ("order-77", 1)
    assert dead.reason == "Invalid request: The sandbox was told to refuse a call with this event"
    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (127, 0)
    assert state["calls"] - 1 <= 14  # 2 log2 128


async def test_a_413_is_halved_until_the_calls_are_small_enough(tmp_path: Path) -> None:
    async with a_stage(tmp_path, max_body_bytes=10_000) as stage:
        await stage.enqueue(*ids("order", 100))
        async with stage.worker():
            await stage.settled()

        state = await stage.state()
        assert (state["received"], state["duplicates"]) == (100, 0)
        assert state["by_status"]["413"] > 0


async def test_an_outage_in_the_midst_of_halving_loses_nothing(stage: Stage) -> None:
    await stage.script({"status": 400}, {"status": 503}, {"poison": "^order-3$", "times": None})
    await stage.enqueue(*ids("order", 8))

    async with stage.worker():
        await stage.settled()

    assert [delivery.event_id for delivery in await stage.deliveries(State.DEAD)] == ["order-3"]
    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (7, 0)


async def test_a_failure_is_tried_again_and_the_history_tells(stage: Stage) -> None:
    await stage.script({"status": 503, "retry_after": 0}, {"reset": True}, {"half": True}, {"body": "<html>"})
    await stage.enqueue("order-1")

    async with stage.worker():
        await stage.settled()

    delivery = await stage.one()
    assert [(attempt.result, attempt.status) for attempt in delivery.history] == [
        (Outcome.RETRY, 503),
        (Outcome.RETRY, None),
        (Outcome.RETRY, None),
        (Outcome.RETRY, 200),
        (Outcome.DELIVERED, 200),
    ]
    assert (await stage.state())["duplicates"] == 1  # the half answer's: what may have arrived is sent again


async def test_a_call_without_an_answer_ends_after_its_time_and_offline_events_are_not_risked(stage: Stage) -> None:
    await stage.script({"delay_s": 1})
    await stage.enqueue("shop-1", action_source="offline")

    async with stage.worker(send_timeout_s=0.2):
        await stage.settled()

    (dead,) = await stage.deliveries(State.DEAD)
    assert "Pinterest cannot de-duplicate offline events" in dead.reason


@pytest.mark.usefixtures("short_rests")
async def test_a_refused_token_blocks_everybody_and_a_changed_one_resumes(stage: Stage) -> None:
    stage.token = "wrong"
    await stage.enqueue(*ids("order", 30))

    async with stage.worker(batch_max_events=10, max_calls_in_flight=1):
        await stage.called(1)
        assert {delivery.attempts for delivery in await stage.deliveries()} <= {0, 1}
        stage.token = "pina_test_token"
        await stage.settled()

    assert [call.deliveries for call in stage.calls][:2] == [10, 1]  # the refused one, and the probe
    assert (await stage.state())["by_status"]["401"] == 1
    assert {(each.state, each.attempts) for each in await stage.deliveries()} == {(State.DELIVERED, 1)}
    assert await TROUBLE.read(stage.outbox, "42") is None


@pytest.mark.usefixtures("short_rests")
async def test_while_blocked_probes_of_one_are_sent_at_rising_pauses(stage: Stage) -> None:
    moved_s = 0.0
    stage.clock, stage.monotonic = (lambda: time.time() + moved_s), (lambda: time.monotonic() + moved_s)
    # slow, so that the second batch waits when the first call fails; else the halves of the first may go first
    await stage.script({"status": 403, "times": 4, "delay_s": 0.3})
    await stage.enqueue(*ids("order", 30))

    async with stage.worker(batch_max_events=10, max_calls_in_flight=1):
        for calls, pause_s in ((2, 60), (3, 120)):
            await stage.called(calls)
            moved_s += pause_s + 1
        await stage.called(4)
        moved_s += 241
        await stage.settled()

    assert [call.deliveries for call in stage.calls][:5] == [10, 10, 1, 1, 1]
    assert (await stage.state())["by_status"] == {"403": 4, "200": len(stage.calls) - 4}
    assert {each.attempts for each in await stage.deliveries()} == {1}


@pytest.mark.usefixtures("short_rests")
async def test_switched_off_nothing_is_sent(stage: Stage) -> None:
    stage.switches = Switches(destination_off=True)
    await stage.enqueue("order-1")

    async with stage.worker():
        await asyncio.sleep(0)
        stage.switches = Switches()
        await stage.settled()

    assert len(stage.calls) == 1


async def test_a_preset_that_is_switched_off_waits_and_the_others_go(stage: Stage) -> None:
    stage.switches = Switches(presets_off=frozenset({"Lead"}))
    await stage.enqueue("order-1", "order-2")
    await stage.enqueue("lead-1", preset="Lead")

    async def orders_delivered() -> bool:
        return len(await stage.deliveries(State.DELIVERED)) == 2

    async with stage.worker():
        await until_async(orders_delivered)

    (lead,) = await stage.deliveries(State.PENDING)
    assert (lead.event_id, lead.attempts, lead.reason) == ("lead-1", 0, "its preset is switched off")


async def test_what_was_not_sent_is_given_back_at_the_end(stage: Stage) -> None:
    await stage.enqueue(*ids("order", 3))

    async def held_back() -> bool:
        backlog = await stage.outbox.backlog("42", now=stage.clock())
        return backlog.claimed == 2

    async with stage.worker(max_calls_per_minute=1, batch_max_events=1, max_calls_in_flight=1):
        await stage.called(1)
        await until_async(held_back)  # one waits for the next minute, one was claimed ahead

    waiting = await stage.deliveries(State.PENDING)
    assert [delivery.attempts for delivery in waiting] == [0, 0]
    assert len(stage.calls) == 1


async def test_a_call_under_way_is_finished_before_the_end(stage: Stage) -> None:
    await stage.script({"delay_s": 0.3})
    await stage.enqueue("order-1")

    async with stage.worker() as worker:
        await until_async(lambda: _may_call(stage))
        worker.stop()

    assert (await stage.one()).state is State.DELIVERED


async def test_a_call_that_outlasts_the_shutdown_is_cut_off_and_recorded_as_such(stage: Stage) -> None:
    await stage.script({"delay_s": 1})
    await stage.enqueue("order-1")
    begun_at = time.monotonic()

    async with stage.worker(shutdown_timeout_s=0.2):
        await until_async(lambda: _may_call(stage))

    delivery = await stage.one()
    assert time.monotonic() - begun_at < 1
    assert (delivery.state, delivery.reason) == (State.PENDING, "shut down while waiting for Pinterest's answer")


async def _may_call(stage: Stage) -> bool:
    """Whether the rate limit has granted a call: nothing is between that and the call."""
    return await RATE.read(stage.outbox, "42") is not None


@pytest.mark.usefixtures("short_rests")
async def test_an_outbox_that_cannot_commit_is_waited_for_and_nothing_is_sent_twice(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, claim=unavailable(1), settle=unavailable(2))
    await stage.enqueue("order-1")

    async with stage.worker(faulty):
        await stage.settled()

    assert len(stage.errors) == 3
    assert (await stage.state())["received"] == len(stage.calls) == 1


@pytest.mark.usefixtures("short_rests")
async def test_leases_are_renewed_while_the_outcome_cannot_be_recorded(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, settle=unavailable(30), renew=unavailable(1))
    await stage.enqueue("order-1")

    # The lease is 3 * 0.3 s; recording succeeds after 30 * 0.05 s.
    async with stage.worker(faulty, send_timeout_s=0.3), stage.worker(send_timeout_s=0.3):
        await stage.settled()

    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (1, 0)


async def test_an_outbox_that_cannot_commit_until_the_end_leaves_the_claim_to_its_lease(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, settle=unavailable(1_000))
    await stage.enqueue("order-1")

    async with stage.worker(faulty, shutdown_timeout_s=0.1):
        await until_async(lambda: _may_call(stage))

    assert (await stage.one()).state is State.CLAIMED


@pytest.mark.usefixtures("short_rests")
async def test_a_mistake_of_ours_is_reported_and_the_lease_brings_the_delivery_back(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, get_shared=[RuntimeError("of ours")], settle=[RuntimeError("of ours")])
    await stage.enqueue("order-1")

    async with stage.worker(faulty, send_timeout_s=0.2):
        await stage.settled()

    assert [type(error) for error in stage.errors] == [RuntimeError, RuntimeError]
    assert (await stage.one()).attempts == 2


async def test_what_a_lost_sender_may_have_sent_is_sent_again_but_an_offline_event_is_dead(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, settle=[RuntimeError("of ours")])
    await stage.enqueue("order-1")
    await stage.enqueue("shop-1", action_source="offline")

    async with stage.worker(faulty, send_timeout_s=0.2):
        await stage.settled()

    (dead,) = await stage.deliveries(State.DEAD)
    assert dead.event_id == "shop-1"
    assert "Pinterest cannot de-duplicate offline events" in dead.reason
    assert dead.reason.endswith(LEASE_LOST)
    assert [settlement.claimed.event_id for settlement in stage.settled_without_a_call] == ["shop-1"]
    assert [(call.deliveries, call.status) for call in stage.calls] == [(1, 200)]
    state = await stage.state()
    assert (state["received"], state["duplicates"]) == (3, 1)  # the order twice, the event of the shop once


async def test_two_processes_share_the_work(stage: Stage) -> None:
    await stage.enqueue(*ids("order", 400))

    async with stage.worker(batch_max_events=20), stage.worker(batch_max_events=20):
        await stage.settled()

    state = await stage.state()
    assert (state["received"], state["duplicates"], state["calls"]) == (400, 0, 20)


async def test_a_cancelled_worker_leaves_no_task_behind(stage: Stage) -> None:
    await stage.script({"delay_s": 1})
    await stage.enqueue("order-1")
    before = asyncio.all_tasks()

    async def cancelled_in_a_call() -> None:
        async with stage.worker():
            await until_async(lambda: _may_call(stage))
            (running,) = (task for task in asyncio.all_tasks() - before if "Worker.run" in repr(task))
            running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await cancelled_in_a_call()

    assert not [task for task in asyncio.all_tasks() - before if "Worker" in repr(task)]
