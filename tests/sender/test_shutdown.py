"""Asked to end, and made to."""

import asyncio

import pytest

from app.sender.shutdown import Shutdown


async def for_ever() -> int:
    await asyncio.Event().wait()
    return 7  # pragma: no cover - it is cancelled


async def seven() -> int:
    return 7


async def fails() -> int:
    raise RuntimeError


async def test_it_is_requested_first_and_forced_then() -> None:
    shutdown = Shutdown()
    assert (shutdown.requested, shutdown.forced) == (False, False)
    shutdown.request()
    assert (shutdown.requested, shutdown.forced) == (True, False)
    shutdown.force()
    assert (shutdown.requested, shutdown.forced) == (True, True)


async def test_force_is_a_request_too() -> None:
    shutdown = Shutdown()
    shutdown.force()

    assert shutdown.requested


async def test_a_rest_ends_with_its_time_or_with_the_request() -> None:
    shutdown = Shutdown()
    await shutdown.rest(0.01)
    await shutdown.rest_while_finishing(0.01)

    rests = asyncio.gather(shutdown.rest(600), shutdown.rest_while_finishing(600))
    shutdown.force()
    await rests


async def test_work_goes_on_unless_the_end_comes_first() -> None:
    shutdown = Shutdown()
    assert (await shutdown.unless_requested(seven()), await shutdown.unless_forced(seven())) == (7, 7)

    shutdown.request()
    assert await shutdown.unless_requested(for_ever()) is None
    assert await shutdown.unless_forced(seven()) == 7

    shutdown.force()
    assert await shutdown.unless_forced(for_ever()) is None


async def test_errors_of_the_work_are_passed_on() -> None:
    with pytest.raises(RuntimeError):
        await Shutdown().unless_forced(fails())
