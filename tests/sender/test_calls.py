"""A process has so many calls in flight, and none that is pointless."""

import asyncio
from typing import Any, cast

import pytest

from app.errors import OutboxUnavailable
from app.outbox import Outbox
from app.sender.rate_limit import Calls, Limiter
from app.sender.shutdown import Shutdown
from tests.sender.faulty import Faulty, unavailable


def calls(
    outbox: Any,
    shutdown: Shutdown | None = None,
    *,
    at_once: int = 1,
    per_minute: int = 600,
    errors: list[Exception] | None = None,
) -> Calls:
    limiter = Limiter(cast("Outbox", outbox), ad_account_id="42", max_calls_per_minute=per_minute)
    on_error = ([] if errors is None else errors).append
    return Calls(limiter, shutdown or Shutdown(), at_once=at_once, clock=lambda: 100.0, on_error=on_error)


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


async def test_an_outbox_that_is_unavailable_is_asked_again(
    outbox: Outbox, errors: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sender.rate_limit.ASK_AGAIN_S", 0.01)
    some = calls(Faulty(outbox, get_shared=unavailable(1)), errors=errors)
    assert await asyncio.wait_for(some.take(is_pointless=worthwhile), 5)
    assert [type(error) for error in errors] == [OutboxUnavailable]


async def test_a_call_that_is_given_up_while_it_waits_for_the_rate_is_free(outbox: Outbox) -> None:
    some = calls(outbox, per_minute=1)
    assert await some.take(is_pointless=worthwhile)
    some.release()
    waiting = asyncio.create_task(some.take(is_pointless=worthwhile))
    await asyncio.wait({waiting}, timeout=0.05)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert not await asyncio.wait_for(some.take(is_pointless=lambda: True), 5)


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
