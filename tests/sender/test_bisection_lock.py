"""While one is in doubt, the others wait."""

import asyncio

from app.sender.bisection import BisectionLock


async def test_others_wait_until_whoever_is_in_doubt_is_not() -> None:
    doubt, one, other = BisectionLock(), object(), object()
    await doubt.over_for(one)

    doubt.update(one, is_in_doubt=True)
    assert doubt.is_about_another(other)
    assert not doubt.is_about_another(one)
    await doubt.over_for(one)
    waiting = asyncio.create_task(doubt.over_for(other))
    await asyncio.sleep(0)
    assert not waiting.done()

    doubt.update(other, is_in_doubt=False)  # it is not for another to say
    await asyncio.sleep(0)
    assert not waiting.done()
    doubt.update(one, is_in_doubt=False)
    await asyncio.wait_for(waiting, 5)


async def test_of_several_that_wait_one_at_a_time_may_be_in_doubt() -> None:
    doubt, one, other = BisectionLock(), object(), object()
    doubt.update(one, is_in_doubt=True)
    doubt.update(other, is_in_doubt=True)
    assert doubt.is_about_another(other)

    doubt.update(one, is_in_doubt=False)
    doubt.update(other, is_in_doubt=True)
    assert doubt.is_about_another(one)
