"""The trace context travels with its delivery, from the process that receives to the one that sends."""

from collections.abc import Callable

from app.core.pages import Query
from tests.outbox.build import NOW, At, new, retry

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_trace_context_comes_back_with_the_claim(at: At, open_at: Callable[..., At]) -> None:
    await at.enqueue(new(message_id="traced", traceparent=TRACE), new(message_id="untraced"))
    claimed = await open_at().claim()
    assert {each.message_id: each.traceparent for each in claimed} == {"traced": TRACE, "untraced": None}


async def test_it_comes_back_with_every_further_attempt(at: At) -> None:
    await at.enqueue(new(traceparent=TRACE))
    for attempt in (1, 2, 3):
        (claimed,) = await at.claim()
        assert (claimed.attempt, claimed.traceparent) == (attempt, TRACE)
        await at.settle(retry(claimed, NOW))


async def test_it_comes_back_after_a_redrive(at: At) -> None:
    await at.dead_letter(new(traceparent=TRACE))
    await at.outbox.dead_letters.redrive(Query(), now=NOW)
    (claimed,) = await at.claim()
    assert claimed.traceparent == TRACE
    await at.settle(retry(claimed, NOW))
    (claimed,) = await at.claim()
    assert claimed.traceparent == TRACE
