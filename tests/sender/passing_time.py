"""What tests of a failing Pinterest share: time that passes when it is told to, and how delivery stands."""

from dataclasses import dataclass
from typing import Any

from app.core.shared_values import TROUBLE
from tests.sender.stage import Stage

#: Pauses of the default settings.
SLOW = {"retry_base_s": 1, "retry_max_pause_s": 600, "retry_max_attempts": 20}
#: The longest pause is over then, and the time of a call.
PAUSE_S = SLOW["retry_max_pause_s"] + 30
REFUSING: dict[str, Any] = {"status": 400, "times": None}


@dataclass
class Time:
    """Both clocks of the stage, moved together."""

    moved_s: float = 0

    def pass_(self, seconds: float) -> None:
        self.moved_s += seconds


async def well_again(stage: Stage, clock: Time) -> None:
    """Let Pinterest take everything, and time pass: the longest pause, and one more where a call was under way."""
    await stage.script()
    await pass_in_steps(stage, clock, PAUSE_S, steps=1)
    if await TROUBLE.read(stage.outbox, "42"):
        clock.pass_(PAUSE_S)
    await stage.settled()


async def knows(stage: Stage, state: str) -> bool:
    trouble = await TROUBLE.read(stage.outbox, "42")
    return trouble is not None and trouble.state == state


async def are_claimed(stage: Stage, count: int) -> bool:
    """Whether so many deliveries are claimed."""
    return (await stage.outbox.backlog("42", now=stage.clock())).claimed == count


async def is_quiet(stage: Stage) -> bool:
    return await are_claimed(stage, 0)


async def pass_in_steps(stage: Stage, clock: Time, step_s: float, *, steps: int) -> None:
    """Let time pass in steps, each of which sees at least one more call."""
    for _ in range(steps):
        made = len(stage.calls)
        clock.pass_(step_s)
        await stage.called(made + 1, deadline_s=30)
