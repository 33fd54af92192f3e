"""All processes together send one probe at a time, and pauses run by the monotonic clock."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from app.core.shared_values import TROUBLE, SharedValues, Trouble
from app.outbox import Outbox
from app.sender.circuit_breaker import CallSignal, CircuitBreaker
from tests.sender.claims import a_policy
from tests.sender.overtaken import Overtaken

POLICY = a_policy(retry_base_s=10, retry_max_pause_s=600, send_timeout_s=30)
DAYS = 86_400


@dataclass
class Process:
    """A process with its gate and clocks."""

    shared: SharedValues
    token: str = "one"
    now: float = 1_000
    steady: float = 0
    changes: list[tuple[str | None, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        def note(before: Trouble | None, after: Trouble | None) -> None:
            self.changes.append((before.state if before else None, after.state if after else None))

        self.gate = CircuitBreaker(
            self.shared,
            POLICY,
            ad_account_id="42",
            fingerprint=lambda: self.token,
            monotonic=lambda: self.steady,
            on_change=note,
        )

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    async def worsen(self, state: Any = "failing", *, probe: bool = False) -> None:
        sign = CallSignal(state=state, reason="no", status=None, since=self.now)
        await self.gate.worsen(sign, token=self.token, now=self.now, probe=probe)

    async def ask(self) -> float | str:
        """Return for how long it is closed, or that it is open or a probe may be sent."""
        passage = await self.gate.ask(now=self.now)
        if passage.trouble is None:
            return "open"
        return passage.wait_s or "probe"

    async def take(self) -> bool:
        return await self.gate.take_probe(now=self.now)


async def test_it_is_open_until_something_is_wrong_and_then_closed_for_all(outbox: Outbox) -> None:
    one, other = Process(outbox), Process(outbox, now=1_004)
    assert await one.ask() == "open"

    await one.worsen()

    assert await one.ask() == 10
    assert await other.ask() == 6


async def test_after_the_pause_one_process_sends_one_probe(outbox: Outbox) -> None:
    one, other = Process(outbox), Process(outbox)
    await one.worsen()
    for process in (one, other):
        await process.ask()
        process.pass_time(10)
        assert await process.ask() == "probe"

    assert await one.take()
    assert not await other.take()
    assert await other.ask() == 40  # the longest call, and the pause after it


async def test_a_probe_that_got_no_verdict_closes_for_longer_and_one_that_did_opens(outbox: Outbox) -> None:
    one = Process(outbox)
    await one.worsen()
    await one.worsen(probe=True)
    assert await one.ask() == 20

    await one.gate.open()
    assert await Process(outbox).ask() == "open"
    await one.worsen()
    assert await one.ask() == 10


async def test_another_token_is_tried_at_once_where_it_is_the_token_that_is_refused(outbox: Outbox) -> None:
    await Process(outbox).worsen("blocked")
    assert await Process(outbox, token="two").ask() == "probe"

    await Process(outbox).worsen("failing", probe=True)
    assert await Process(outbox, token="two").ask() == 10


async def test_a_change_of_state_is_told_once_and_a_sign_that_says_nothing_new_is_not_written(outbox: Outbox) -> None:
    one, other = Process(outbox), Process(outbox)
    await one.worsen()
    first = await TROUBLE.of("42").read_revised(outbox)
    await one.worsen()
    await other.worsen()
    assert await TROUBLE.of("42").read_revised(outbox) == first

    await one.worsen(probe=True)
    await other.worsen("refusing", probe=True)
    await one.gate.open()
    await other.gate.open()

    assert one.changes == [(None, "failing"), ("refusing", None)]
    assert other.changes == [("failing", "refusing")]


async def test_of_two_processes_that_write_at_once_one_is_heard(outbox: Outbox) -> None:
    late = Process(Overtaken(outbox))
    await late.worsen()
    assert late.changes == []

    await Process(outbox).worsen()
    assert await late.ask() == 10
    late.pass_time(10)
    assert await late.ask() == "probe"
    assert not await late.take()
    await late.gate.open()
    assert late.changes == []  # whoever was faster tells


async def test_a_probe_that_was_never_offered_cannot_be_taken(outbox: Outbox) -> None:
    assert not await Process(outbox).take()


@pytest.mark.parametrize(
    ("step_s", "is_known", "wait"),
    [
        (-3_600, True, 10),
        (-5, True, 10),
        (4 * DAYS, True, 10),
        (-3_600, False, 40),  # a call and the pause
        (-5, False, 15),
        (5, False, 5),
        (4 * DAYS, False, "probe"),
    ],
)
async def test_a_step_of_the_clock_delays_no_probe(
    outbox: Outbox, step_s: float, wait: float | str, *, is_known: bool
) -> None:
    """A pause that a process knew of goes on; one that it first reads afterwards is no longer than it was meant."""
    one, other = Process(outbox), Process(outbox)
    await one.worsen()
    process = one if is_known else other
    if is_known:
        await one.ask()
    process.now += step_s

    assert await process.ask() == wait
    process.pass_time(wait if isinstance(wait, float | int) else 0)
    assert await process.ask() == "probe"
