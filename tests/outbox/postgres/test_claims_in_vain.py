"""A claim that finds too little for a batch leaves alone what waits: a batch fills up over many of them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.outbox.build import At, new

LOCKED = "SELECT count(*) FROM queue WHERE xmax <> 0"  # by whoever locks a row its number is left in it


@pytest.mark.parametrize("limits", [{"limit": 31}, {"max_bytes": 30 * 100 + 1}])
async def test_a_claim_in_vain_locks_nothing(at: At, execute: Callable[..., list[Any]], limits: dict[str, int]) -> None:
    """To lock a row is to write it: with 463 waiting that was 26 kB of the log at each of twenty claims a second."""
    await at.enqueue(*(new(payload=b"[%97d]" % 1) for _ in range(30)))
    assert await at.claim(**limits, max_wait_s=5) == []
    assert execute(LOCKED) == [(0,)]


async def test_what_is_taken_is_locked(at: At, execute: Callable[..., list[Any]]) -> None:
    """So the test above could fail."""
    await at.enqueue(*(new() for _ in range(30)))
    assert len(await at.claim(limit=30, max_wait_s=5)) == 30
    execute("BEGIN")
    assert execute("SELECT count(*) FROM (SELECT FROM queue FOR UPDATE) AS taken") == [(30,)]
    execute("COMMIT")
    assert execute(LOCKED) == [(30,)]
