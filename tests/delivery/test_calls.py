"""A process has so many calls in flight, and none that is pointless."""

import asyncio
from typing import Any, cast

import pytest

from app.delivery import Calls, Limiter, Shutdown
from app.errors import OutboxUnavailable
from app.outbox import Outbox
from tests.delivery.faulty import Faulty, unavailable


def calls(outbox: Any, shutdown: Shutdown | None = None, *, at_once: int = 1, per_minute: int = 600) -> Calls:
    limiter = Limiter(cast("Outbox", outbox), ad_account_id="42", max_calls_per_minute=per_minute)
    return Calls(limiter, shutdown or Shutdown(), at_once=at_once, clock=lambda: 100.0)


def worthwhile() -> bool:
    return False


async def test_the_next_call_waits_until_one_is_released(outbox: Outbox) -> None:
    some = calls(outbox, at_once=2)
    assert [await some.take(is_pointless=worthwhile) for _ in range(2)] == [True, True]

    third = asyncio.create_task(some.take(is_pointless=worthwhile))
    done, _ = await asyncio.wait({third}, timeout=0.05)
    assert not done

    some.release()
    assert await third


async def test_a_call_that_became_pointless_is_not_taken(outbox: Outbox) -> None:
    some = calls(outbox)
    assert not await some.take(is_pointless=lambda: True)
    assert await some.take(is_pointless=worthwhile)


async def test_a_failure_takes_nothing(outbox: Outbox) -> None:
    some = calls(Faulty(outbox, get_shared=unavailable(1)))
    with pytest.raises(OutboxUnavailable):
        await some.take(is_pointless=worthwhile)
    assert await asyncio.wait_for(some.take(is_pointless=worthwhile), 5)


@pytest.mark.parametrize("per_minute", [pytest.param(600, id="for a call"), pytest.param(1, id="for the rate")])
async def test_the_end_is_not_waited_through(outbox: Outbox, per_minute: int) -> None:
    shutdown = Shutdown()
    some = calls(outbox, shutdown, per_minute=per_minute)
    assert await some.take(is_pointless=worthwhile)
    if per_minute == 1:
        some.release()

    waiting = asyncio.create_task(some.take(is_pointless=worthwhile))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    shutdown.request()
    assert not await asyncio.wait_for(waiting, 5)
