"""A store that is locked for longer than a lease: what has its answer is recorded, and sent no second time."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.core.deliveries import State
from app.outbox import open_outbox
from tests.sender.passing_time import are_claimed
from tests.sender.stage import RULES, Stage, ids
from tests.waiting import until_async

#: A lease is 2.7 s; each write asks for the lock for 5 s.
LOCKED_S = 3


@pytest.mark.slow
@pytest.mark.parametrize("source", ["web", "offline"])
async def test_a_lock_that_outlasts_the_lease_sends_nothing_twice(stage: Stage, tmp_path: Path, source: str) -> None:
    """The answer comes while another program holds the file; two processes wait for it."""
    url = f"sqlite:///{tmp_path}/outbox.db"
    of_another_process = open_outbox(url, RULES)
    await stage.script({"delay_s": 0.3})
    await stage.enqueue(*ids("order", 20), action_source=source)
    async with stage.worker(send_timeout_s=0.9), stage.worker(of_another_process, send_timeout_s=0.9):
        await until_async(lambda: are_claimed(stage, 20))
        with closing(sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(LOCKED_S)
            other.execute("COMMIT")
        await stage.settled(deadline_s=20)
    await of_another_process.close()

    state = await stage.state()
    assert (state["received"], state["duplicates"], state["calls"]) == (20, 0, 1)
    assert {each.state for each in await stage.deliveries()} == {State.DELIVERED}
