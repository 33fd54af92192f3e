"""What tests of a failing Pinterest share: time that passes when it is told to, and how delivery stands."""

from dataclasses import dataclass
from typing import Any

from app.shared_values import TROUBLE
from tests.delivery.stage import Stage

#: Pauses of the default settings.
SLOW = {"retry_base_s": 1, "retry_max_pause_s": 600, "retry_max_attempts": 20}
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
    made = len(stage.calls)
    clock.pass_(630)
    await stage.called(made + 1, deadline_s=30)
    if await TROUBLE.read(stage.outbox, "42"):
        clock.pass_(630)
    await stage.settled()


async def knows(stage: Stage, state: str) -> bool:
    trouble = await TROUBLE.read(stage.outbox, "42")
    return trouble is not None and trouble.state == state


async def is_quiet(stage: Stage) -> bool:
    backlog = await stage.outbox.backlog("42", now=stage.clock())
    return backlog.claimed == 0
