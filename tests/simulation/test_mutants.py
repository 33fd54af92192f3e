"""The checker finds what it is for: each mend of a hard day, taken back, is found by a seed that is named here.

Where a change to the simulation shifts the seeds, another one is looked for; put that into the table.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from app.core.deliveries import Blocked, Claimed, Delivered, Enqueued, Rejected, Retry
from app.core.events import Outcome
from app.destination import results
from app.outbox import ConsentBook
from app.outbox.sqlite import SqliteOutbox
from app.sender import batch, settlements
from app.sender.bisection import BisectionEvidence
from app.sender.circuit_breaker import CallSignal, CallsInARow, CircuitBreaker, Passage
from app.sender.clocks import Clocks, ClockWatch
from app.sender.consent import ConsentCheck
from app.sender.failures import Failures
from app.sender.leases import Leases
from app.sender.rate_limit import Limiter
from app.sender.retry import RetryContext
from app.sender.settlements import Recording
from tests.simulation.simulate import Kind, play

Mutant = Callable[[], AbstractContextManager[Any]]
_SEEDS = 150


def _calls_decide_not_time() -> AbstractContextManager[Any]:
    """An outage uses up attempts."""

    def judged(**parts: Any) -> RetryContext:
        return RetryContext(**(parts | {"judged": True}))

    return patch.object(settlements, "RetryContext", judged)


def _one_refusal_proves(self: BisectionEvidence, event: str) -> bool:
    suspect = self._suspects.get(event)
    return suspect is not None and suspect.alone is not None


def _no_refusal_proves(self: BisectionEvidence, event: str) -> bool:
    return False


def _blocked_is_rejected(*arguments: Any, **options: Any) -> Any:
    found = results.read_results(*arguments, **options)
    if isinstance(found, list):
        return [Rejected(reason=each.reason) if isinstance(each, Blocked) else each for each in found]
    return found


def _silence_is_success(*arguments: Any, **options: Any) -> Any:
    found = results.read_results(*arguments, **options)
    if isinstance(found, list):
        return [Delivered() if isinstance(each, Retry) and each.ambiguous else each for each in found]
    return found


async def _always_open(self: CircuitBreaker, *, now: float) -> Passage:
    return Passage()


async def _nothing_is_rescheduled(self: ClockWatch, *, pending_by: float) -> None:
    return None


async def _given_up_when_away(self: Recording, settled: Sequence[Any], counts: Sequence[Any]) -> None:
    await self._outbox.settle(settled, counts, now=self._surroundings.clocks.now())
    self._leases.release(each.claimed for each in settled)


async def _bucket_is_not_reset(self: Limiter, *, now: float) -> float:
    """As the limiter was: what grants nothing is not written."""
    stored = await self._bucket.read_revised(self._shared)
    if stored.value is not None and stored.value.at - now > 60:
        return 1.0
    return await _TAKE(self, now=now)


def _no_set_is_halved(self: Failures, events: Iterable[str]) -> list[Sequence[str]]:
    return [list(events)]


def _never_suspected(self: Failures, events: Sequence[str]) -> bool:
    return False


@contextmanager
def _nothing_is_halved() -> Iterator[None]:
    """As the sender was: events of a failed call are sent together again."""
    with (
        patch.object(Failures, "sets", _no_set_is_halved),
        patch.object(Failures, "is_suspected", _never_suspected),
        patch.object(CallsInARow, "is_trouble", _each_403_blocks),
    ):
        yield


def _each_403_blocks(self: CallsInARow, sign: CallSignal, *, has_others: bool = False) -> bool:
    return _IS_TROUBLE(self, sign)


def _first_failure_alone_proves(self: Failures, event: str, *, now: float) -> bool:
    return self.is_alone([event])


_IS_TROUBLE = CallsInARow.is_trouble
_TAKE = Limiter.take
_ENQUEUE = SqliteOutbox.enqueue


async def _acknowledged_before_it_is_kept(self: SqliteOutbox, deliveries: Any, *rest: Any, **options: Any) -> Any:
    task = asyncio.get_running_loop().create_task(_ENQUEUE(self, deliveries, *rest, **options))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return [Enqueued(outcome=Outcome.ENQUEUED)] * len(deliveries)


_numbers = count()


async def _keys_are_forgotten(self: SqliteOutbox, deliveries: Any, *rest: Any, **options: Any) -> Any:
    renamed = [replace(each, preset=f"{each.preset} {next(_numbers)}") for each in deliveries]
    return await _ENQUEUE(self, renamed, *rest, **options)


#: What is taken back -> a seed that shows it, what goes wrong in that run, how it is taken back.
MUTANTS: dict[str, tuple[int, tuple[Kind, ...], Mutant]] = {
    "an outage uses up attempts": (3, ("outage",), _calls_decide_not_time),
    "the backlog is sent during an outage": (4, ("outage",), lambda: patch.object(CircuitBreaker, "ask", _always_open)),
    "one refusal proves that an event is bad": (
        0,
        ("refusals",),
        lambda: patch.object(BisectionEvidence, "is_bad", _one_refusal_proves),
    ),
    "a poisoned event is never found": (
        0,
        ("poison",),
        lambda: patch.object(BisectionEvidence, "is_bad", _no_refusal_proves),
    ),
    "one event that makes calls fail holds the others": (9, ("breaking events",), _nothing_is_halved),
    "one failure alone proves that an event is bad": (
        0,
        ("breaking events",),
        lambda: patch.object(Failures, "is_trusted", _first_failure_alone_proves),
    ),
    "a process that stood still sends what it held": (
        40,
        ("breaking events", "freeze"),
        lambda: patch.object(Leases, "are_stale", lambda self, claimed: False),
    ),
    "a blocked token kills": (4, ("blocked token",), lambda: patch.object(batch, "read_results", _blocked_is_rejected)),
    "age is what the clock says": (
        4,
        ("clock", "outage"),
        lambda: patch.object(Clocks, "age_s", lambda self, since: self._wall() - since),
    ),
    "a clock that is set back lets everything wait": (
        10,
        ("clock", "outage"),
        lambda: patch.object(ClockWatch, "_reschedule", _nothing_is_rescheduled),
    ),
    "a clock that is set back stops the rate limit": (
        10,
        ("clock", "outage"),
        lambda: patch.object(Limiter, "take", _bucket_is_not_reset),
    ),
    "a lease that ended is always taken over": (
        20,
        ("locked store", "clock"),
        lambda: patch.object(Leases, "may_take_over", new=True),
    ),
    "an answer is lost where the store is away": (
        43,
        ("locked store",),
        lambda: patch.object(Recording, "record", _given_up_when_away),
    ),
    "no answer counts as delivered": (
        1,
        ("lost answers",),
        lambda: patch.object(batch, "read_results", _silence_is_success),
    ),
    "offline events are sent again after a crash": (
        97,
        ("crash", "crash at a commit"),
        lambda: patch.object(settlements, "after_loss", lambda *_, **__: None),
    ),
    "the sender is answered before the commit": (
        2,
        ("crash at a commit", "locked store"),
        lambda: patch.object(SqliteOutbox, "enqueue", _acknowledged_before_it_is_kept),
    ),
    "what comes again is kept again": (
        0,
        ("stop",),
        lambda: patch.object(SqliteOutbox, "enqueue", _keys_are_forgotten),
    ),
}


async def _all_pass(self: ConsentCheck, claimed: Sequence[Claimed], *, now: float) -> list[Claimed]:
    return list(claimed)


async def _deaf(self: ConsentBook, store: Any, **_: Any) -> None:
    return None


async def _not_written(self: SqliteOutbox, answers: Any) -> list[Any]:
    return []


#: The same of runs in which browsers answer.
ANSWERING: dict[str, tuple[int, tuple[Kind, ...], Mutant]] = {
    "nobody asks when deliveries are claimed": (
        3,
        ("locked store", "outage"),
        lambda: patch.object(ConsentCheck, "passed", _all_pass),
    ),
    "a process knows its own answers only": (
        3,
        ("crash", "crash at a commit"),
        lambda: patch.object(ConsentBook, "look", _deaf),
    ),
    "answers are in memory only": (
        3,
        ("crash", "crash at a commit"),
        lambda: patch.object(SqliteOutbox, "write_consents", _not_written),
    ),
}


def first_fault(
    known: int, kinds: Sequence[Kind], mutant: Mutant, folder: Path, *, answers: bool
) -> tuple[int, str] | None:
    """Return a seed whose run shows the mutant, the one that is known before others, and what it shows."""
    for seed in (known, *range(_SEEDS)):
        with mutant():
            played = play(seed, folder, kinds=kinds, answers=answers)
        if played.faults:
            return seed, played.faults[0]
    return None


@pytest.mark.prove
@pytest.mark.parametrize("name", [*MUTANTS, *ANSWERING])
def test_a_mend_that_is_taken_back_is_found(
    name: str, tmp_path: Path, record_figure: Callable[[str, object], None]
) -> None:
    known, kinds, mutant = (MUTANTS | ANSWERING)[name]
    answers = name in ANSWERING
    found = first_fault(known, kinds, mutant, tmp_path, answers=answers)
    assert found is not None
    seed, fault = found
    assert play(seed, tmp_path, kinds=kinds, answers=answers).faults == []
    record_figure(f"mutant: {name}", f"seed {seed}: {fault}")
