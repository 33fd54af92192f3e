"""Everything goes wrong at once: nothing is lost, nothing arrives twice, every bad event is dead with its reason."""

from collections.abc import Callable
from math import log2
from pathlib import Path
from random import Random

import pytest

from app.core.deliveries import State
from tests.rounds import Kind
from tests.sender.stage import a_stage, ids

#: Ten times as many in `make prove`.
GOOD, FAILING, POISONED = 949, 50, 1
BATCH = 250


@pytest.mark.prove
@pytest.mark.slow
async def test_a_storm_of_faults(
    tmp_path: Path, rounds: Callable[[Kind], int], record_figure: Callable[[str, object], None]
) -> None:
    good, failing, poisoned = (count * rounds("storms") for count in (GOOD, FAILING, POISONED))
    events = [*ids("good", good), *ids("failing", failing), *ids("poison", poisoned)]
    mixed = Random(7).sample(events, len(events))

    async with a_stage(tmp_path) as stage:
        await stage.script(
            {"status": 429, "probability": 0.1, "times": None},
            {"status": 429, "retry_after": 0, "probability": 0.05, "times": None},
            {"status": 503, "probability": 0.05, "times": None},
            {"status": 500, "delay_s": 4, "probability": 0.05, "times": 2},  # longer than a call may take
            {"reset": True, "probability": 0.1, "times": None},
            {"poison": "^poison-", "times": None},
            {"reject": "^failing-", "times": None},
        )
        for start in range(0, len(mixed), 500):
            await stage.enqueue(*mixed[start : start + 500])

        async with stage.worker(batch_max_events=BATCH, send_timeout_s=3):
            await stage.settled(deadline_s=120)

        state = await stage.state()
        dead = await stage.deliveries(State.DEAD)

    reasons = {(delivery.event_id.split("-")[0], delivery.reason) for delivery in dead}
    assert (state["received"], state["duplicates"]) == (good, 0)
    assert len(dead) == failing + poisoned
    assert reasons == {
        ("failing", "The sandbox was told to fail this event"),
        ("poison", "Invalid request: The sandbox was told to refuse a call with this event"),
    }
    assert stage.errors == []
    judged = sum(state["by_status"][status] for status in ("200", "400", "422"))
    optimum = len(events) / BATCH + poisoned * 2 * log2(BATCH)
    record_figure(
        "fault storm",
        f"{len(events)} events: {judged} calls judged and {state['calls'] - judged} broken, {optimum:.0f} at best",
    )
    assert judged <= 3 * optimum  # broken calls tear halves apart, which then meet again
