"""Times are the server's: what a process calls now is shifted by how far its clock is off."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.deliveries import Retry, State
from app.outbox.postgres import PostgresOutbox
from app.outbox.postgres.database import TOLERANCE_S, ServerClock
from tests.outbox.build import HOUR_S, At, new, rules, settlement


@pytest.mark.parametrize(
    ("server", "shift_s"), [(1_000.0, 0.0), (1_000.05, 0.0), (1_090.0, 90.0), (700.0, -300.0)], ids=str
)
def test_a_difference_that_is_more_than_the_way_of_the_answer_is_taken_up(server: float, shift_s: float) -> None:
    clock = ServerClock(None, machine=lambda: 1_000.0, steady=lambda: 7.0)
    clock.hear(server)
    assert (clock(), clock.of(5.0)) == (1_000.0 + shift_s, 5.0 + shift_s)


def test_small_changes_do_not_move_it() -> None:
    clock = ServerClock(None, machine=lambda: 1_000.0, steady=lambda: 7.0)
    clock.hear(1_090.0)
    clock.hear(1_090.0 + TOLERANCE_S / 2)
    assert clock() == 1_090.0


def test_a_clock_that_was_given_counts_as_the_servers() -> None:
    clock = ServerClock(lambda: 7.0)
    clock.hear(1_090.0)
    assert (clock(), clock.of(5.0), clock.at(5.0), clock.is_stale) == (7.0, 5.0, 5.0, False)


async def test_a_clock_that_is_set_while_a_process_runs_is_noticed_and_the_server_asked(postgres_url: str) -> None:
    set_by_s = 0.0
    outbox = PostgresOutbox(postgres_url, rules(), clock=None, steady=time.monotonic)
    outbox._clock.machine = lambda: time.time() + set_by_s
    outbox.hold_clock._machine = outbox._clock.machine
    at = At(outbox, time.time())
    await at.enqueue(new(hold_s=600))
    assert await at.claim() == []
    set_by_s = -HOUR_S
    assert await At(outbox, time.time() - HOUR_S).claim() == []
    assert abs(outbox._clock() - time.time()) < 60
    await outbox.close()


async def test_a_process_whose_clock_is_behind_shares_leases_and_pauses_with_the_others(
    postgres_url: str, execute: Callable[..., list[Any]]
) -> None:
    behind_s = 1_000.0
    late = PostgresOutbox(postgres_url, rules(), clock=None)
    late._clock.machine = lambda: time.time() - behind_s
    right = At(PostgresOutbox(postgres_url, rules(), clock=None), time.time())
    behind = At(late, time.time() - behind_s)
    await behind.enqueue(new())
    ((enqueued_at,),) = execute("SELECT enqueued_at FROM queue")
    assert abs(enqueued_at - time.time()) < 60
    (claimed,) = await behind.claim(lease_s=100)
    assert await right.claim() == []
    await behind.settle(settlement(claimed, Retry(reason="503"), State.PENDING, due_at=behind.now + 100))
    assert await right.claim() == []
    ((due_at,),) = execute("SELECT due_at FROM queue")
    assert abs(due_at - time.time() - 100) < 60
    await late.close()
    await right.outbox.close()
