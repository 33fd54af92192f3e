"""How answers to wrong tokens are delayed, and how many failures the audit log gets."""

import asyncio

from app.access.sessions import MAX_DELAYED, MAX_NOTED, WINDOW_S, WRONG_TOKEN_DELAY_S, WrongTokens
from tests.rows import every_row

NOW = 1_795_000_000.0


async def test_a_wrong_token_waits_a_second_at_most() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert await WrongTokens(sleep).delay()
    assert slept == [WRONG_TOKEN_DELAY_S]
    assert WRONG_TOKEN_DELAY_S <= 1


async def test_a_hundred_answers_wait_at_once_and_one_that_is_cancelled_makes_room() -> None:
    may_go_on = asyncio.Event()

    async def sleep(_: float) -> None:
        await may_go_on.wait()

    wrong = WrongTokens(sleep)
    waiting = [asyncio.create_task(wrong.delay()) for _ in range(MAX_DELAYED)]
    await asyncio.sleep(0)
    assert not await wrong.delay()
    waiting.pop().cancel()  # its client has gone
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(wrong.delay()))
    await asyncio.sleep(0)
    assert not await wrong.delay()
    may_go_on.set()
    assert await asyncio.gather(*waiting) == [True] * MAX_DELAYED
    assert await wrong.delay()


@every_row(
    ("later_s", "is_noted"),
    [(0, False), (WINDOW_S - 0.5, False), (WINDOW_S, True), (-3_600, True)],
    ids=["at once", "just before the window ends", "when it has ended", "after the clock was set back"],
)
def test_twenty_failures_a_minute_are_noted(later_s: float, *, is_noted: bool) -> None:
    wrong = WrongTokens(asyncio.sleep)
    assert [wrong.may_note(now=NOW) for _ in range(MAX_NOTED + 1)] == [True] * MAX_NOTED + [False]
    assert wrong.may_note(now=NOW + later_s) is is_noted
